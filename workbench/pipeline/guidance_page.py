"""Figures over the guidance scale, as plots with intervals."""

from __future__ import annotations

import math

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from workbench.api.types import Figure as Measured
from workbench.evaluation.table import heading
from workbench.pipeline.guidance import GuidanceSweep
from workbench.pipeline.plots import STYLE, inline_svg

YARDSTICKS = {"ceiling": "#16a34a", "floor": "#dc2626"}
"""Roles that are drawn as lines across, and their colours."""
COLUMNS = 2


@matplotlib.rc_context(STYLE)
def guidance_figure(sweep: GuidanceSweep) -> Figure:
    """A small plot for each figure of the results: its values and 95 % intervals by scale."""
    names = drawn(sweep)
    rows = max(1, -(-len(names) // COLUMNS))
    figure = Figure(figsize=(4.2 * COLUMNS, 2.4 * rows))
    figure.subplots_adjust(
        0.14 / COLUMNS, 0.3 / rows, 0.98, 1 - 0.22 / rows, wspace=0.2, hspace=0.55
    )
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, COLUMNS, number)
        points = [(scale, sweep.table.figure(row, name)) for row, scale in sweep.scales.items()]
        below = [point.value - _ends(point)[0] for _, point in points]
        above = [_ends(point)[1] - point.value for _, point in points]
        axes.errorbar(
            [scale for scale, _ in points], [point.value for _, point in points],
            yerr=[below, above], marker="o", markersize=4, linewidth=1.2, capsize=2,
            color="#3b82f6",
        )  # fmt: skip
        for row in sweep.table.rows:
            if row.role in YARDSTICKS and name in row.figures:
                value = row.figures[name].value
                axes.axhline(value, linestyle="--", linewidth=1, color=YARDSTICKS[row.role])
                axes.annotate(row.system, (0.99, value), xycoords=("axes fraction", "data"),
                              fontsize=6, ha="right", va="bottom")  # fmt: skip
        axes.set_title(heading(points[0][1]), fontsize=9, loc="left")
        axes.set_xlabel("guidance scale", fontsize=8)
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.tick_params(labelsize=7)
    return figure


def guidance_plot(sweep: GuidanceSweep | None) -> Markup:
    """The plots for a page; nothing without a sweep, or without a figure."""
    if sweep is None or not drawn(sweep):
        return Markup("")
    label = f"{', '.join(drawn(sweep))} over the guidance scale: the values are in the cards"
    return Markup(inline_svg(guidance_figure(sweep), label))


def drawn(sweep: GuidanceSweep) -> list[str]:
    """Figures that every scale has."""
    rows = [sweep.table.row(name).figures for name in sweep.scales]
    return [name for name in sweep.table.columns if all(name in row for row in rows)]


def _ends(figure: Measured) -> tuple[float, float]:
    """The interval, or the value alone where the interval is unknown."""
    if math.isnan(figure.low):
        return figure.value, figure.value
    return min(figure.low, figure.value), max(figure.high, figure.value)
