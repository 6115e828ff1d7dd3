"""The page of a comparison: words, figures, differences, plots, recipes, audio side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from workbench.evaluation.statistics import Difference
from workbench.evaluation.table import number
from workbench.pipeline.comparison import (
    Comparison,
    Line,
    difference_text,
    in_words,
    listening_items,
    verdict,
)
from workbench.pipeline.comparison_plots import (
    item_differences,
    items_figure,
    overlaid_figure,
    shared_curves,
)
from workbench.pipeline.listening import audio_note, players
from workbench.pipeline.page import Bar, Card, card, positions, render
from workbench.pipeline.plots import inline_svg


@dataclass(frozen=True)
class Gap:
    """A later run's difference from the first, as a bar on a scale that holds zero.

    ``low``, ``value``, ``high`` and ``zero`` are positions in per cent of the width.
    """

    run: int
    text: str
    verdict: str
    clear: bool
    how: str
    unlike: tuple[str, ...]
    low: float
    value: float
    high: float
    zero: float


@dataclass(frozen=True)
class ComparedCard:
    """A figure of one system: each run's value, each later one's difference, and the items."""

    card: Card
    bars: tuple[tuple[int, Bar], ...]
    gaps: tuple[Gap, ...]
    scale: str
    plot: Markup | None


def write_page(comparison: Comparison, path: Path) -> Path:
    """Write the comparison as one self-contained HTML page."""
    items = listening_items(comparison.runs)
    heard = players(items)
    page = render(
        "compare.html",
        comparison=comparison,
        words=in_words(comparison),
        cards=[_card(comparison, line) for line in comparison.lines],
        curves=list(_curves(comparison)),
        players=heard,
        audio_note=audio_note(heard, items),
        later=list(zip(comparison.runs[1:], comparison.changes, strict=True)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _card(comparison: Comparison, line: Line) -> ComparedCard:
    names = [(run.name, line.role) for run in comparison.runs]
    words = str(line.values[0].settings.get("definition", "95 % intervals"))
    made = card(line.values, names, [""] * len(names), words)
    low, high = _span(line.differences)
    gaps = _gaps(line, low, high)
    scale = f"{number(low, high - low)} to {number(high, high - low)}"
    found = item_differences(line, comparison.runs[1:])
    plot = None
    if any(values.any() for values in found.values()):
        label = f"{line.figure} of {line.system}: each item's difference from the first run"
        plot = Markup(inline_svg(items_figure(found), label))
    return ComparedCard(made, tuple(enumerate(made.bars, start=1)), tuple(gaps), scale, plot)


def _span(differences: Sequence[Difference]) -> tuple[float, float]:
    """The scale that holds all differences and zero."""
    ends = [end for gap in differences for end in _known_ends(gap)]
    return min(0.0, *ends), max(0.0, *ends)


def _known_ends(gap: Difference) -> tuple[float, float]:
    """The interval, or the value alone where the interval is unknown."""
    return (gap.value, gap.value) if math.isnan(gap.low) else (gap.low, gap.high)


def _gaps(line: Line, low: float, high: float) -> Iterator[Gap]:
    rows = zip(line.differences, line.unlike, strict=True)
    for run, (gap, fields) in enumerate(rows, start=2):
        ends = _known_ends(gap)
        first, value, last, zero = positions((ends[0], gap.value, ends[1], 0.0), low, high)
        how = f"{gap.method}, N = {gap.n}"
        yield Gap(
            run=run,
            text=difference_text(gap),
            verdict=verdict(gap),
            clear=gap.better is not None,
            how=how,
            unlike=fields,
            low=first,
            value=value,
            high=last,
            zero=zero,
        )


def _curves(comparison: Comparison) -> Iterator[Markup]:
    for name, curves in shared_curves(comparison.runs).items():
        ends = ", ".join(f"{run} ends at {curve[-1][1]:.4g}" for run, curve in curves.items())
        figure = overlaid_figure(name, curves, comparison.runs)
        yield Markup(inline_svg(figure, f"{name} over steps: {ends}"))
