"""Plots of a comparison: differences item by item, and training curves of several runs in one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from workbench.pipeline.comparison import Line, Run
from workbench.pipeline.plots import STYLE, Curve, thinned

MOST_CURVES = 12
"""Most scalars whose curves are drawn: first held-out ones, then losses."""
COLOURS = "tab10"
Differences = Mapping[str, NDArray[np.float64]]


def item_differences(line: Line, later: Sequence[Run]) -> dict[str, NDArray[np.float64]]:
    """Each later run's scores minus the first's over the items of both, by the run's name."""
    first = line.values[0].per_item
    found = {}
    for run, figure in zip(later, line.values[1:], strict=True):
        common = sorted((first or {}).keys() & (figure.per_item or {}).keys())
        if first is not None and figure.per_item is not None and len(common) > 1:
            gaps = [figure.per_item[item] - first[item] for item in common]
            found[run.name] = np.array(gaps)
    return found


@matplotlib.rc_context(STYLE)
def items_figure(gaps: Differences) -> Figure:
    """Every item's difference from the first run, in rising order, with a line at none."""
    figure = Figure(figsize=(4.2, 1.7))
    figure.subplots_adjust(0.13, 0.14, 0.98, 0.86)
    axes = figure.add_subplot()
    axes.axhline(0, linewidth=0.8, color=STYLE["text.color"], alpha=0.6)
    for number, values in enumerate(gaps.values()):
        places = np.linspace(0, 1, len(values))
        colour = matplotlib.colormaps[COLOURS](number % 10)
        axes.plot(places, np.sort(values), ".-", markersize=3, linewidth=0.8, color=colour)
        axes.annotate(str(number + 2), (1, float(values.max())), fontsize=7, color=colour)
    axes.set_title("each item's difference from run 1, in rising order", fontsize=7, loc="left")
    axes.set_xticks([])
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", alpha=0.25, linewidth=0.5)
    return figure


def shared_curves(runs: Sequence[Run]) -> dict[str, dict[str, Curve]]:
    """Curves of scalars that at least two runs have and that are not the same in all, by run."""
    found: dict[str, dict[str, Curve]] = {}
    for run in runs:
        path = run.folder / "history.json"
        history = json.loads(path.read_text()) if path.exists() else {}
        for stage, curves in history.items():
            for name, curve in curves.items():
                if curve:
                    found.setdefault(f"{stage}: {name}", {})[run.name] = curve
    differing = [
        name
        for name, curves in found.items()
        if len(curves) > 1 and any(c != next(iter(curves.values())) for c in curves.values())
    ]
    return {name: found[name] for name in sorted(differing, key=_rank)[:MOST_CURVES]}


@matplotlib.rc_context(STYLE)
def overlaid_figure(name: str, curves: Mapping[str, Curve], runs: Sequence[Run]) -> Figure:
    """One scalar of several runs over steps; lines are numbered as the runs are."""
    figure = Figure(figsize=(4.2, 2.1))
    figure.subplots_adjust(0.13, 0.13, 0.95, 0.87)
    axes = figure.add_subplot()
    for number, run in enumerate(runs):
        if run.name not in curves:
            continue
        steps, values = thinned(curves[run.name])
        colour = matplotlib.colormaps[COLOURS]((number - 1) % 10)
        marker = "o" if len(values) < 10 else None  # a single point has no line
        axes.plot(steps, values, marker=marker, linewidth=1.2, markersize=3, color=colour)
        axes.annotate(str(number + 1), (steps[-1], values[-1]), fontsize=7, color=colour)
    axes.set_title(name, fontsize=9, loc="left")
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.tick_params(labelsize=7)
    return figure


def _rank(name: str) -> tuple[int, str]:
    """Held-out scalars first, then losses, then the rest."""
    scalar = name.rpartition(": ")[2].rpartition("/")[2]
    return (0 if scalar.startswith("validation_") else 1 if "loss" in scalar else 2, name)
