"""Boards: codecs in rows, kinds of material in columns, one table for each figure.

Only figures that were measured alike share a column: a kind of material has as many columns as its
figures have provenances. The best of a column is told with all that it is not clearly better than.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.api.types import Figure
from workbench.evaluation.arms import compare_arms
from workbench.evaluation.provenance import differences
from workbench.evaluation.statistics import mean_figure, paired_difference
from workbench.evaluation.table import Role


@dataclass(frozen=True)
class Entry:
    """One figure of one run: ``row`` is the codec's line, ``group`` the kind of material."""

    run: str
    seed: int
    row: str
    system: str
    role: Role
    group: str
    figure: Figure


@dataclass(frozen=True)
class Cell:
    """What a row has in a column: the mean over its runs, and whether it is among the best.

    ``best`` is false throughout a column with a single row: it has beaten nobody.
    """

    figure: Figure
    runs: tuple[str, ...]
    best: bool = False


@dataclass(frozen=True)
class Column:
    """Figures of one group that were measured alike; ``cells`` by row.

    ``number`` counts a group's columns from 1; ``unlike`` says in which fields of provenance this
    one differs from the group's first.
    """

    group: str
    number: int
    unlike: tuple[str, ...]
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class BoardTable:
    """One figure of one system over all rows and groups."""

    figure: str
    system: str
    role: Role
    columns: tuple[Column, ...]

    @property
    def rows(self) -> list[str]:
        """All rows, in the order in which they first occur."""
        return list(dict.fromkeys(row for column in self.columns for row in column.cells))

    @property
    def sample(self) -> Figure:
        """Any cell's figure, for what all share: unit and direction."""
        return next(iter(self.columns[0].cells.values())).figure

    @property
    def compares(self) -> bool:
        """Whether two rows stand side by side anywhere."""
        return any(len(column.cells) > 1 for column in self.columns)

    @property
    def titles(self) -> dict[tuple[str, int], str]:
        """Each column's heading: its group, with a number where the group has several."""
        several = {c.group for c in self.columns if c.number > 1}
        return {
            (c.group, c.number): f"{c.group} ({c.number})" if c.group in several else c.group
            for c in self.columns
        }


def tabulate(entries: Sequence[Entry]) -> list[BoardTable]:
    """A table for each figure of each system, in the order in which they occur."""
    split: dict[tuple[str, str, Role], list[Entry]] = {}
    for entry in entries:
        split.setdefault((entry.figure.name, entry.system, entry.role), []).append(entry)
    return [
        BoardTable(figure, system, role, tuple(_columns(own)))
        for (figure, system, role), own in split.items()
    ]


def _columns(entries: Sequence[Entry]) -> list[Column]:
    """Columns in the order of their groups' names, a group's largest first."""
    made = []
    for group in sorted({entry.group for entry in entries}):
        alike = _alike([entry for entry in entries if entry.group == group])
        first = alike[0][0].figure.settings
        for number, own in enumerate(alike, start=1):
            unlike = tuple(differences(first, own[0].figure.settings))
            made.append(Column(group, number, unlike, _cells(own)))
    return made


def _alike(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries in lots of equal provenance; those with the most rows first."""
    lots: list[list[Entry]] = []
    for entry in entries:
        for lot in lots:
            if not differences(lot[0].figure.settings, entry.figure.settings):
                lot.append(entry)
                break
        else:
            lots.append([entry])
    return sorted(lots, key=lambda lot: -len({entry.row for entry in lot}))


def _cells(entries: Sequence[Entry]) -> dict[str, Cell]:
    """A cell for each row, with the best of them marked."""
    rows: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.seed):
        rows.setdefault(entry.row, []).append(entry)
    cells = {
        row: Cell(mean_over_runs([e.figure for e in own]), tuple(e.run for e in own))
        for row, own in rows.items()
    }
    if len(cells) < 2:
        return cells
    values = {row: cell.figure.value for row, cell in cells.items()}
    higher = entries[0].figure.higher_is_better
    first = (max if higher else min)(values, key=lambda row: values[row])
    return {
        row: replace(cell, best=row == first or not _clearly_better(rows[first], rows[row]))
        for row, cell in cells.items()
    }


def _clearly_better(first: Sequence[Entry], second: Sequence[Entry]) -> bool:
    """Whether the first row is better with an interval of the paired difference clear of zero.

    Rows with the same several seeds, and scores of the same items, are compared as matched arms are
    (items and seeds resampled, all seeds must agree); others by their means over seeds.
    """
    one, two = [e.figure for e in first], [e.figure for e in second]
    same_seeds = len(one) > 1 and [e.seed for e in first] == [e.seed for e in second]
    if same_seeds and _same_items([*one, *two]):
        return compare_arms(one, two).better == 1
    return paired_difference(mean_over_runs(one), mean_over_runs(two)).better == 1


def mean_over_runs(figures: Sequence[Figure]) -> Figure:
    """The mean of one figure over runs that repeat one another with other seeds.

    Where all have scores of the same items with the same weights, the interval is that of the
    items' mean scores: it says how far other items would move the figure, not other seeds. Else
    the ends are the means of the runs' ends.
    """
    first = figures[0]
    if len(figures) == 1:
        return first
    count = len(figures)
    if _same_items(figures) and all(f.weights == first.weights for f in figures):
        scores = {
            item: sum((f.per_item or {})[item] for f in figures) / count
            for item in first.per_item or {}
        }
        return mean_figure(
            first.name, scores, first.higher_is_better, first.unit, first.settings, first.weights
        )
    return replace(
        first,
        value=sum(f.value for f in figures) / count,
        low=sum(f.low for f in figures) / count,
        high=sum(f.high for f in figures) / count,
        per_item=None,
        weights=None,
        replicates=_mean_replicates(figures),
    )


def _mean_replicates(figures: Sequence[Figure]) -> tuple[float, ...] | None:
    """Each draw's mean over the runs; None where the runs do not share their draws."""
    draws = [f.replicates or () for f in figures]
    if not draws[0] or len({len(own) for own in draws}) > 1:
        return None
    return tuple(math.fsum(values) / len(figures) for values in zip(*draws, strict=True))


def _same_items(figures: Sequence[Figure]) -> bool:
    items = [None if f.per_item is None else sorted(f.per_item) for f in figures]
    return items[0] is not None and all(other == items[0] for other in items)
