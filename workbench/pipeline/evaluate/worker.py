"""Scoring of some items by one metric, in this process or in one of several."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from types import TracebackType

import torch

from workbench.api.errors import ItemLacks, ModelAbsent, WorkbenchError
from workbench.api.protocols import Metric
from workbench.api.settings import Slot
from workbench.api.types import Figure
from workbench.host.catalog import Catalog, load_catalog
from workbench.host.context import Context
from workbench.pipeline.evaluate.items import ItemFiles


@dataclass(frozen=True)
class Work:
    """Items for one metric. ``label`` says whose work it is to whom it was given out by."""

    label: int
    slot: Slot
    items: tuple[ItemFiles, ...]


@dataclass(frozen=True)
class Scored:
    """What became of some work: figures, or why there are none.

    ``lacking`` says why the metric can't serve these items; ``error`` what went wrong.
    """

    work: Work
    figures: tuple[Figure, ...] = ()
    lacking: str = ""
    error: str = ""

    @property
    def itemwise(self) -> bool:
        """Whether all figures are means of the items' own scores."""
        return not self.error and all(is_item_mean(figure) for figure in self.figures)


def is_item_mean(figure: Figure) -> bool:
    """Whether a figure is the (weighted) mean of its items' scores, as far as can be seen."""
    if not figure.per_item:
        return False
    weights = figure.weights or dict.fromkeys(figure.per_item, 1.0)
    total = sum(weights.values())
    mean = sum(score * weights[item] for item, score in figure.per_item.items()) / (total or 1.0)
    return math.isclose(mean, figure.value, rel_tol=1e-6, abs_tol=1e-9)


def item_figures(figures: Iterable[Figure], item: str) -> list[Figure]:
    """An item's part of figures that are means over items."""
    parts = []
    for figure in figures:
        score = (figure.per_item or {}).get(item)
        if score is not None:
            weights = None if figure.weights is None else {item: figure.weights[item]}
            settings = {key: v for key, v in figure.settings.items() if key != "interval"}
            parts.append(
                replace(
                    figure, value=score, low=math.nan, high=math.nan, n=1, per_item={item: score},
                    weights=weights, settings=settings,
                )
            )  # fmt: skip
    return parts


@dataclass
class Scorer:
    """Scores work in one process, with the models in memory."""

    context: Context
    _last: dict[str, Metric] = field(default_factory=dict)
    """One metric of each kind is kept alive, so that its models are there for the next one."""

    def __call__(self, work: Work) -> Scored:
        """The figures of a fresh metric over the work's items."""
        slot = work.slot
        try:
            metric: Metric = self.context.build("metric", slot.name, slot.options)
            self._last[f"{slot.name} {slot.options}"] = metric
            for item in work.items:
                metric.update(item.read())
            return Scored(work, tuple(metric.compute()))
        except (ItemLacks, ModelAbsent) as error:
            return Scored(work, lacking=str(error))
        except WorkbenchError as error:
            return Scored(work, error=str(error))


class Workers:
    """Gives work out to ``jobs`` processes, or does it here where there is one.

    ``catalog`` is for this process; others load the installed plugins themselves.
    """

    def __init__(self, jobs: int, catalog: Catalog, device: str, seed: int) -> None:
        self._here = Scorer(Context(catalog, device, seed))
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            threads = max(1, torch.get_num_threads() // jobs)
            self._pool = ProcessPoolExecutor(
                jobs,
                mp_context=multiprocessing.get_context("spawn"),  # a fork of threads may hang
                initializer=_start,
                initargs=(device, seed, threads),
            )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, works: Sequence[Work]) -> Iterator[Scored]:
        """What became of each, as it is done."""
        if self._pool is None:
            yield from map(self._here, works)
            return
        for future in as_completed([self._pool.submit(_score, work) for work in works]):
            yield future.result()


_scorer: Callable[[Work], Scored] | None = None
"""In a process of its own: what scores there."""


def _start(device: str, seed: int, threads: int) -> None:
    """Make ready a process that scores."""
    global _scorer
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _scorer = Scorer(Context(load_catalog(), device, seed))


def _leave_with_parent() -> None:
    """End this process when the one that gives out the work is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _score(work: Work) -> Scored:
    assert _scorer is not None
    return _scorer(work)
