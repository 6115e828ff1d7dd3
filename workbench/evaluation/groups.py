"""Figures by groups of items: by language, by accent, by whatever a corpus says of its items."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from workbench.api.errors import RecipeError
from workbench.api.types import Example, Figure
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Role, Row, cell, heading

UNSTATED = "unstated"
"""Group of the items of which the corpus does not know it."""
FIELDS = ("language", "domain", "speaker", "text", "caption")
"""What an example may be grouped by beside its details."""
SPEECH = "speech"
"""Domain of recordings with a transcript for which the corpus states none."""


@dataclass(frozen=True)
class Breakdown:
    """A table's figures by group; each group's table is over its own items.

    Only figures with a score for each item are in there: a set's statistic is no sum of its parts.
    """

    by: str
    tables: Mapping[str, ResultTable]

    @property
    def figures(self) -> list[str]:
        """Names of all figures, in the order of the whole table."""
        return list(dict.fromkeys(name for t in self.tables.values() for name in t.columns))

    def systems(self, name: str) -> dict[str, Role]:
        """The systems that have the figure ``name``, with their roles, in the table's order."""
        return {
            row.system: row.role
            for row in next(iter(self.tables.values())).rows
            if any(self.figure(name, row.system, group) for group in self.tables)
        }

    def figure(self, name: str, system: str, group: str) -> Figure | None:
        """One figure of one system over one group; None where there is none."""
        return self.tables[group].row(system).figures.get(name)

    def sample(self, name: str) -> Figure:
        """Any figure ``name``, for what all of them share: unit and direction."""
        return next(t for t in self.tables.values() if name in t.columns).sample(name)

    def headings(self, name: str) -> dict[str, str]:
        """Each group with its number of items."""
        counts = {
            group: next((row.figures[name].n for row in table.rows if name in row.figures), 0)
            for group, table in self.tables.items()
        }
        return {group: f"{group}, N = {count}" for group, count in counts.items()}

    def to_markdown(self) -> str:
        """A table for each figure: systems in rows, groups in columns."""
        lines = [f"## By {self.by}", ""]
        for name in self.figures:
            heads = " | ".join(self.headings(name).values())
            lines += [f"| {heading(self.sample(name))} | {heads} |"]
            lines += ["|---|" + "---|" * len(self.tables)]
            for system in self.systems(name):
                cells = [cell(self.figure(name, system, group)) for group in self.tables]
                lines.append(f"| {system} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)


def labels(examples: Mapping[str, Example], by: str) -> dict[str, str]:
    """Each item's group: the example's field ``by``, or that entry of its details.

    A recording whose domain is not stated is speech where the corpus knows what is said in it.

    Raises ``RecipeError`` where the corpus knows it of no item.
    """
    found = {key: _label(example, by) for key, example in examples.items()}
    if set(found.values()) <= {UNSTATED}:
        known = {name for name in FIELDS for e in examples.values() if getattr(e, name) is not None}
        known |= {name for example in examples.values() for name in example.details}
        raise RecipeError(
            [
                f"evaluation.by: no test recording states its {by!r}; "
                f"the corpus knows: {', '.join(sorted(known)) or 'nothing'}"
            ]
        )
    return found


def in_turns(groups: Mapping[str, Hashable]) -> list[str]:
    """All items, their groups taking turns; within a group, and of groups, the order is kept."""
    members: dict[Hashable, list[str]] = {}
    for item, group in groups.items():
        members.setdefault(group, []).append(item)
    rounds = range(max(map(len, members.values()), default=0))
    return [items[turn] for turn in rounds for items in members.values() if turn < len(items)]


def break_down(table: ResultTable, by: str, groups: Mapping[str, str]) -> Breakdown:
    """The table's figures over each group of items; ``groups`` names each item's."""
    tables = {}
    for group in sorted(set(groups.values())):
        rows = []
        for row in table.rows:
            figures = {name: _restricted(f, by, group, groups) for name, f in row.figures.items()}
            there = {name: figure for name, figure in figures.items() if figure is not None}
            rows.append(Row(row.system, row.role, there))
        tables[group] = ResultTable(tuple(rows))
    return Breakdown(by, tables)


def _label(example: Example, by: str) -> str:
    value = getattr(example, by) if by in FIELDS else example.details.get(by)
    if value is None and by == "domain" and example.text is not None:
        return SPEECH
    return UNSTATED if value is None else str(value)


def _restricted(figure: Figure, by: str, group: str, groups: Mapping[str, str]) -> Figure | None:
    """The figure over one group's items; None where it has no score for any of them."""
    scores = {item: s for item, s in (figure.per_item or {}).items() if groups[item] == group}
    if not scores:
        return None
    weights = figure.weights
    return mean_figure(
        figure.name,
        scores,
        figure.higher_is_better,
        figure.unit,
        {**figure.settings, "by": by, "group": group},
        None if weights is None else {item: weights[item] for item in scores},
    )
