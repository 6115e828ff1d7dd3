"""Self-contained HTML pages: no network, light and dark, from a phone to a wide screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workbench.api.types import Figure
from workbench.evaluation.groups import Breakdown
from workbench.evaluation.table import Outcome, ResultTable, Role, cell, heading, number
from workbench.pipeline.plots import groups_figure, inline_svg

NOTES: Mapping[Outcome, str] = {
    "better": "clearly better than",
    "worse": "clearly worse than",
    "unclear": "not clear of",
    "blind": "not judged against",
}
"""How a result stands against a floor, in a card."""
TEMPLATES = Path(__file__).parent / "templates"
"""HTML templates, the style sheet and the player's script."""
LOG_RATIO = 30.0
"""Distances and losses (lower is better) that differ by more than this factor are drawn on a
logarithmic scale; shares and scores are not."""


@dataclass(frozen=True)
class Bar:
    """One line of a figure's card: a name, its number, and where its interval lies on the scale.

    ``low``, ``value`` and ``high`` are positions in per cent of the width. ``note`` is a verdict.
    """

    name: str
    role: Role
    text: str
    interval: str
    low: float
    value: float
    high: float
    note: str


@dataclass(frozen=True)
class Card:
    """One figure over all systems."""

    title: str
    better: str
    definition: str
    scale: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class GroupRow:
    """One system's cells, one for each group."""

    system: str
    role: Role
    cells: Sequence[str]


@dataclass(frozen=True)
class GroupPart:
    """One figure by group: a table with a column for each group, and the same as a plot."""

    title: str
    heads: Sequence[str]
    rows: Sequence[GroupRow]
    plot: Markup


@dataclass(frozen=True)
class GroupSection:
    """All figures by one kind of group."""

    by: str
    parts: Sequence[GroupPart]


def render(template: str, **values: Any) -> str:
    """A page from its template; everything is escaped but ``Markup``."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["source"] = _source
    return environment.get_template(template).render(**values)


def cards(table: ResultTable) -> list[Card]:
    """A card for each figure, with verdicts on the results."""
    definitions = table.definitions()
    made = []
    for name in table.columns:
        rows = [row for row in table.rows if name in row.figures]
        figures = [row.figures[name] for row in rows]
        notes = [_note(table, name, row.system) if row.role == "result" else "" for row in rows]
        names = [(row.system, row.role) for row in rows]
        made.append(card(figures, names, notes, definitions[name]))
    return made


def card(
    figures: Sequence[Figure],
    names: Sequence[tuple[str, Role]],
    notes: Sequence[str],
    definition: str,
) -> Card:
    """One card of figures that share a name."""
    low = min(interval_ends(f)[0] for f in figures)
    high = max(interval_ends(f)[1] for f in figures)
    logarithmic = not figures[0].higher_is_better and high > LOG_RATIO * low > 0

    def place(value: float) -> float:
        if high == low:
            return 50.0
        if logarithmic:
            return round(100 * math.log(value / low) / math.log(high / low), 2)
        return round(100 * (value - low) / (high - low), 2)

    bars = []
    for figure, (name, role), note in zip(figures, names, notes, strict=True):
        ends = interval_ends(figure)
        size = max(abs(figure.value), ends[1] - ends[0])
        unknown = math.isnan(figure.low)
        text = "interval unknown" if unknown else " to ".join(number(e, size) for e in ends)
        places = (place(ends[0]), place(figure.value), place(ends[1]))
        bars.append(Bar(name, role, number(figure.value, size), text, *places, note))
    better = "Higher is better" if figures[0].higher_is_better else "Lower is better"
    unit = f" {figures[0].unit}" if figures[0].unit else ""
    scale = f"{number(low, high - low)} to {number(high, high - low)}"
    kind = "logarithmic" if logarithmic else "linear"
    return Card(heading(figures[0]), better, definition, f"{kind}, {scale}{unit}", tuple(bars))


def group_section(breakdown: Breakdown) -> GroupSection:
    """A breakdown as tables and plots."""
    return GroupSection(breakdown.by, [_group_part(breakdown, name) for name in breakdown.figures])


def _group_part(breakdown: Breakdown, name: str) -> GroupPart:
    groups = list(breakdown.tables)
    rows = [
        GroupRow(system, role, [cell(breakdown.figure(name, system, group)) for group in groups])
        for system, role in breakdown.systems(name).items()
    ]
    title = heading(breakdown.sample(name))
    plot = inline_svg(groups_figure(breakdown, name), f"{title} by {breakdown.by}")
    return GroupPart(title, list(breakdown.headings(name).values()), rows, Markup(plot))


def verdict_sentences(table: ResultTable) -> list[str]:
    """How each result stands against each floor, in plain words."""
    sentences = []
    pairs = {(v.result, v.floor): None for v in table.verdicts()}
    for result, floor in pairs:
        parts = []
        for outcome, words in (
            ("better", "clearly better than"),
            ("worse", "clearly worse than"),
            ("unclear", "not clearly different from"),
            ("blind", "not to be judged against"),
        ):
            names = [
                v.figure
                for v in table.verdicts()
                if (v.result, v.floor, v.outcome) == (result, floor, outcome)
            ]
            if names:
                parts.append(f"{words} “{floor}” on {', '.join(names)}")
        sentences.append(f"“{result}” is {'; '.join(parts)}.")
    return sentences


def _source(name: str) -> Markup:
    """A style sheet or script of ours, as it stands."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _note(table: ResultTable, figure: str, result: str) -> str:
    """A result's standing against the floors on one figure."""
    verdicts = [v for v in table.verdicts() if (v.figure, v.result) == (figure, result)]
    parts = []
    for outcome, words in NOTES.items():
        floors = [v.floor for v in verdicts if v.outcome == outcome]
        if floors:
            parts.append(f"{words} {', '.join(floors)}")
    return "; ".join(parts)


def interval_ends(figure: Figure) -> tuple[float, float]:
    """The interval, or the value alone where the interval is unknown."""
    if math.isnan(figure.low):
        return figure.value, figure.value
    return min(figure.low, figure.value), max(figure.high, figure.value)


def positions(values: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Where values lie between ``low`` and ``high``, in per cent; in the middle of no width."""
    if high == low:
        return tuple(50.0 for _ in values)
    return tuple(round(100 * (value - low) / (high - low), 2) for value in values)
