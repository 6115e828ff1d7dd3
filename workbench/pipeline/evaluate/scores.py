"""Every metric on every system's files: in parallel, and never twice.

What a metric makes of a single item tells which kind it is. Where all of its figures are means over
items, files are shared out in small portions, and each item's scores are kept. Else it scores a
system as a whole, which one process does, and the figures are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.api.errors import WorkbenchError
from workbench.api.settings import Slot
from workbench.api.types import Figure
from workbench.evaluation.provenance import facts_of, of_facts
from workbench.evaluation.runner import add_figure, metric_entry
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import LeftOut, ResultTable, Row
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.pipeline.evaluate.items import FileSystem, ItemFiles
from workbench.pipeline.evaluate.kept import FILE, KeptScores, metric_key
from workbench.pipeline.evaluate.worker import Scored, Work, Workers, item_figures
from workbench.pipeline.store import content_key
from workbench.training.progress import StepProgress

PORTION = 8
"""Most items in one piece of work: what a kill may cost."""


@dataclass(frozen=True)
class Scoring:
    """How files are scored: ``jobs`` processes, and where scores are kept."""

    catalog: Catalog
    results: Path
    device: str = "cpu"
    seed: int = 0
    jobs: int = 1


@dataclass(frozen=True)
class Scores:
    """The table, and how many scores had to be measured for it."""

    table: ResultTable
    measured: int


@dataclass
class _Cell:
    """One metric on one system: its items' figures as they come in, or those of the whole."""

    slot: Slot
    system: FileSystem
    keys: Mapping[str, str]
    """What each item's figures are kept under, by its id."""
    items: dict[str, list[Figure]] = field(default_factory=dict)
    whole: list[Figure] | None = None
    itemwise: bool | None = None
    """Whether items are scored by themselves; None while that is unknown."""
    lacking: str = ""
    """Why the metric is left out."""

    @property
    def key(self) -> str:
        """What the whole's figures are kept under."""
        return content_key({"whole": list(self.keys.values())})

    @property
    def missing(self) -> list[ItemFiles]:
        """Items that are to be scored still."""
        done = self.whole is not None or self.lacking
        return [] if done else [item for item in self.system.items if item.id not in self.items]

    def recall(self, kept: KeptScores) -> None:
        """Take what has been measured before."""
        self.whole = kept.get(self.key)
        if self.whole is None:
            found = {item: kept.get(key) for item, key in self.keys.items()}
            self.items = {item: figures for item, figures in found.items() if figures is not None}
            self.itemwise = True if self.items else None

    def works(self, label: int) -> Iterator[Work]:
        """What is to be done next: one item, which tells the kind, then the rest."""
        missing = self.missing
        if not missing:
            return
        if self.itemwise is None:
            portions = [missing[:1]]
        elif self.itemwise:
            portions = [missing[at : at + PORTION] for at in range(0, len(missing), PORTION)]
        else:
            portions = [list(self.system.items)]
        for portion in portions:
            yield Work(label, self.slot, tuple(portion))

    def take(self, scored: Scored, kept: KeptScores) -> None:
        """Take what has been measured now, and keep it."""
        alone = len(scored.work.items) == len(self.system.items)
        if scored.lacking:
            self.lacking = scored.lacking
        elif scored.error and (alone or self.itemwise is not None):
            where = f"metric {self.slot.name!r} on {self.system.name!r}"
            raise WorkbenchError(f"{where}: {scored.error}")
        elif scored.itemwise and self.itemwise is not False:
            self.itemwise = True
            for item in scored.work.items:
                self.items[item.id] = item_figures(scored.figures, item.id)
                kept.put(self.keys[item.id], self.items[item.id])
        elif alone:
            self.whole = list(scored.figures)
            kept.put(self.key, self.whole)
        else:  # a statistic of the set, or one that a single item is not enough for
            self.itemwise = False

    def figures(self) -> list[Figure]:
        """The system's figures."""
        if self.whole is not None:
            return self.whole
        return joined([self.items[item.id] for item in self.system.items])


def score_files(systems: Sequence[FileSystem], slots: Sequence[Slot], scoring: Scoring) -> Scores:
    """All metrics on all systems, which must hold the same items.

    A metric whose model is absent, or which can't serve these items, is left out; the table says
    so.
    """
    with KeptScores(scoring.results / FILE) as kept:
        cells = _cells(systems, slots, scoring)
        for cell in cells:
            cell.recall(kept)
        measured = _measure(cells, scoring, kept)
    return Scores(_table(systems, cells, scoring), measured)


def _table(systems: Sequence[FileSystem], cells: Sequence[_Cell], scoring: Scoring) -> ResultTable:
    context = Context(scoring.catalog, scoring.device, scoring.seed)
    shared = of_facts([facts_of(item.read()) for item in systems[0].items])
    left_out = {cell.slot.name: cell.lacking for cell in cells if cell.lacking}
    figures: dict[str, dict[str, Figure]] = {system.name: {} for system in systems}
    for cell in cells:
        if cell.slot.name not in left_out:
            entry = metric_entry(context, cell.slot)
            for figure in cell.figures():
                add_figure(figures[cell.system.name], figure, shared, entry)
    rows = tuple(Row(s.name, s.role, figures[s.name]) for s in systems)
    return ResultTable(rows, tuple(LeftOut(metric, why) for metric, why in left_out.items()))


def joined(items: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Figures over all items, of each item's own; an item may have no part in some of them."""
    parts: dict[str, list[Figure]] = {}
    for figures in items:
        for figure in figures:
            parts.setdefault(figure.name, []).append(figure)
    return [_joined(name, figures) for name, figures in parts.items()]


def _joined(name: str, parts: Sequence[Figure]) -> Figure:
    scores = {item: score for part in parts for item, score in (part.per_item or {}).items()}
    weights = {item: weight for part in parts for item, weight in (part.weights or {}).items()}
    first = parts[0]
    settings = {key: _common([part.settings.get(key) for part in parts]) for key in first.settings}
    return mean_figure(name, scores, first.higher_is_better, first.unit, settings, weights or None)


def _common(values: Sequence[Any]) -> Any:
    """What all say; where they differ (what was an item held against?), all of it in words."""
    if all(value == values[0] for value in values):
        return values[0]
    return " or ".join(sorted({part for value in values for part in str(value).split(" or ")}))


def _cells(systems: Sequence[FileSystem], slots: Sequence[Slot], scoring: Scoring) -> list[_Cell]:
    """A cell for each metric and system; those of a metric stand together."""
    items = {s.name: {item.id: item.key() for item in s.items} for s in systems}
    cells = []
    for slot in slots:
        metric = metric_key(scoring.catalog, slot, scoring.seed)
        for system in systems:
            keys = {i: content_key([metric, key]) for i, key in items[system.name].items()}
            cells.append(_Cell(slot, system, keys))
    return cells


def _measure(cells: Sequence[_Cell], scoring: Scoring, kept: KeptScores) -> int:
    """Score what is missing, round by round; returns how many scores that were."""
    missing = sum(len(cell.missing) for cell in cells)
    if not missing:
        return 0
    with (
        Workers(scoring.jobs, scoring.catalog, scoring.device, scoring.seed) as workers,
        StepProgress("metrics", 0, missing, unit="items") as progress,
    ):
        while works := list(_next(cells)):
            for scored in workers(works):
                cell = cells[scored.work.label]
                before = len(cell.missing)
                cell.take(scored, kept)
                progress.advance(count=before - len(cell.missing))
    return missing


def _next(cells: Sequence[_Cell]) -> Iterator[Work]:
    """The next round of work; a metric that is left out on one system is so on all."""
    lacking = {cell.slot.name for cell in cells if cell.lacking}
    for label, cell in enumerate(cells):
        if cell.slot.name not in lacking:
            yield from cell.works(label)
