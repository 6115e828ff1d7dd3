"""Runs metrics over systems and gathers the figures, with their provenance, in one table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.api.errors import ModelAbsent, PluginError, WorkbenchError
from workbench.api.protocols import Metric
from workbench.api.settings import Slot
from workbench.api.types import EvaluationItem, Figure
from workbench.evaluation.provenance import SHARED, metric_settings, of_items, of_provider
from workbench.evaluation.statistics import set_figure
from workbench.evaluation.table import LeftOut, ResultTable, Role, Row
from workbench.host.context import Context


@dataclass(frozen=True)
class System:
    """Something that produced audio for the items: a model, a yardstick, the truth itself."""

    name: str
    role: Role
    items: Sequence[EvaluationItem]


@dataclass(frozen=True)
class MetricEntry:
    """A metric to run: how to make a fresh one, and its provenance.

    ``settings`` holds what the recipe and the catalog know of it: provider and version, options.
    ``roles`` limits it to systems of these roles; empty means all.
    """

    name: str
    build: Callable[[], Metric]
    settings: Mapping[str, Any] = field(default_factory=dict)
    roles: frozenset[Role] = frozenset()


def evaluate(
    systems: Sequence[System],
    metrics: Sequence[MetricEntry],
    progress: Callable[[str, str, int], None] | None = None,
) -> ResultTable:
    """Every metric on every system; all systems must hold the same items.

    A metric whose ``build`` raises ``ModelAbsent`` is left out, and the table says why.
    ``progress(metric, system, done)`` is called after each item.
    """
    if not systems or not systems[0].items:
        raise WorkbenchError("there is nothing to evaluate: no systems or no items")
    shared = of_items(systems[0].items)
    for system in systems[1:]:
        _check_same_items(systems[0], system)
    figures: dict[str, dict[str, Figure]] = {system.name: {} for system in systems}
    left_out = []
    for entry in metrics:
        chosen = [s for s in systems if not entry.roles or s.role in entry.roles]
        try:
            # All of them first, so that they can share a loaded model.
            built = [(system, entry.build()) for system in chosen]
        except ModelAbsent as absent:
            left_out.append(LeftOut(entry.name, str(absent)))
            continue
        for system, metric in built:
            tick = _ticker(progress, entry.name, system.name)
            for figure in _figures(entry, metric, system, tick):
                add_figure(figures[system.name], figure, shared, entry)
    rows = tuple(Row(s.name, s.role, figures[s.name]) for s in systems)
    return ResultTable(rows, tuple(left_out))


def metric_entry(context: Context, slot: Slot) -> MetricEntry:
    """A metric as a recipe chooses it."""
    settings = {
        **of_provider(context.catalog.provider("metric", slot.name)),
        "options": slot.options,
        "seed": context.seed,
    }
    return MetricEntry(
        slot.name, lambda: context.build("metric", slot.name, slot.options), settings
    )


def add_figure(
    figures: dict[str, Figure], figure: Figure, shared: Mapping[str, Any], entry: MetricEntry
) -> None:
    """Put ``figure`` into a system's row, its provenance completed.

    A metric that does not state its version has its package's.
    """
    if figure.name in figures:
        raise PluginError(
            f"metric {entry.name!r} gives a figure {figure.name!r}, which another metric of this "
            f"run gives too"
        )
    version = {"version": entry.settings["package"]} if "package" in entry.settings else {}
    own = {"metric": entry.name, **entry.settings, **version, **figure.settings}
    figures[figure.name] = dataclasses.replace(figure, settings={**shared, **own})


def perplexity_figure(
    name: str,
    nats: Mapping[str, float],
    tokens: Mapping[str, int],
    settings: Mapping[str, Any] | None = None,
) -> Figure:
    """Perplexity of a language model from each item's summed negative log-likelihood in nats."""
    losses = np.array([nats[item] for item in nats], dtype=np.float64)
    counts = np.array([tokens[item] for item in nats], dtype=np.float64)

    def perplexity(weights: Any) -> float:
        return math.exp(float(weights @ losses) / float(weights @ counts))

    stated = metric_settings("exp of the mean negative log-likelihood of a token", version=1)
    return set_figure(
        name, len(losses), perplexity, False, settings={**stated, **(settings or {})},
        resamples=1000,
    )  # fmt: skip


def with_figure(table: ResultTable, system: str, figure: Figure) -> ResultTable:
    """``table`` with one more figure in a system's row (a perplexity, which no audio gives).

    The figure must be over the table's items; it takes over what the table's figures say of them.
    """
    known = [other.settings for row in table.rows for other in row.figures.values()]
    shared = {key: known[0][key] for key in SHARED if key in known[0]} if known else {}
    figure = dataclasses.replace(figure, settings={**shared, **figure.settings})
    table.row(system)  # says so where there is none
    rows = [
        dataclasses.replace(row, figures={**row.figures, figure.name: figure})
        if row.system == system
        else row
        for row in table.rows
    ]
    return dataclasses.replace(table, rows=tuple(rows))


def _figures(
    entry: MetricEntry, metric: Metric, system: System, tick: Callable[[int], None]
) -> list[Figure]:
    try:
        for done, item in enumerate(system.items, start=1):
            metric.update(item)
            tick(done)
        return metric.compute()
    except WorkbenchError as error:
        raise WorkbenchError(f"metric {entry.name!r} on {system.name!r}: {error}") from error


def _ticker(
    progress: Callable[[str, str, int], None] | None, metric: str, system: str
) -> Callable[[int], None]:
    def tick(done: int) -> None:
        if progress is not None:
            progress(metric, system, done)

    return tick


def _check_same_items(first: System, other: System) -> None:
    one = [item.id for item in first.items]
    two = [item.id for item in other.items]
    if one != two:
        raise WorkbenchError(
            f"systems {first.name!r} and {other.name!r} must hold the same items in the same "
            f"order; they hold {len(one)} and {len(two)}, "
            f"{len(set(one) ^ set(two))} of them in only one of the two"
        )
