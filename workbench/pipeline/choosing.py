"""A task's answers, and, for tasks that choose, the best of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import replace
from typing import Any

from torch import Tensor

from workbench.api.errors import RecipeError
from workbench.api.protocols import ChoosingTask, Task
from workbench.api.settings import Slot
from workbench.api.types import Audio, EvaluationItem, Request
from workbench.host.fields import plain

Decode = Callable[[Request, Tensor], Audio]
"""Gives the audio of a request's generated codes ``[K, F]``."""


def answer(
    task: Task,
    generators: Mapping[str, Any],
    requests: Items[Request],
    seed: int,
    decode: Decode,
) -> list[Tensor]:
    """Codes ``[K, F]`` for each request: the best of ``candidates`` where the task chooses."""
    if not isinstance(task, ChoosingTask) or task.candidates == 1:
        return task.generate(generators, list(requests), seed)
    count = task.candidates
    repeated = [request for request in requests for _ in range(count)]
    codes = task.generate(generators, repeated, seed)
    # An empty result is none that a ranker could hear.
    rates = [
        task.rate(request, decode(request, each)) if each.shape[-1] else float("-inf")
        for request, each in zip(repeated, codes, strict=True)
    ]
    best = [
        max(range(first, first + count), key=rates.__getitem__)
        for first in range(0, len(codes), count)
    ]
    return [codes[number] for number in best]


def answered_items(
    task: Task,
    generators: Mapping[str, Any],
    requests: Items[Request],
    like: Items[EvaluationItem],
    seed: int,
    decode: Decode,
) -> list[EvaluationItem]:
    """Items ``like`` those given, with what these generators answer in place of theirs."""
    codes = answer(task, generators, requests, seed, decode)
    return [
        replace(item, generated=decode(request, made), generated_codes=made)
        for item, request, made in zip(like, requests, codes, strict=True)
    ]


def refuse_own_judge(task: Task, metrics: Items[Slot]) -> None:
    """No metric may be judged by what chooses among the results: it would find its own choice."""
    if not isinstance(task, ChoosingTask) or task.candidates == 1:
        return
    ranker = _identity(task.ranker)
    problems = [
        f"metric {metric.name!r}: is judged by {task.ranker.name!r} with the options that the task "
        "chooses among its candidates with, which would be pleased with its own choice; name "
        "another judge, another ranker, or candidates = 1"
        for metric in metrics
        if any(_identity(judge) == ranker for judge in _slots(metric.options))
    ]
    if problems:
        raise RecipeError(problems, "evaluation.metrics")


def _slots(value: Any) -> Iterator[Slot]:
    """All components that options name, at any depth."""
    if isinstance(value, Mapping):
        if set(value) >= {"name", "options"}:
            yield Slot(str(value["name"]), dict(value["options"]))
        for inner in value.values():
            yield from _slots(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _slots(inner)


def _identity(slot: Slot) -> tuple[str, Any]:
    return slot.name, plain(slot.options)
