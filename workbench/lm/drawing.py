"""Training sequences of a task, drawn from tokenised examples: alone, or in pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Items
from typing import TYPE_CHECKING

from workbench.api.errors import WorkbenchError
from workbench.api.protocols import PairingTask
from workbench.api.types import Sequence, TokenizedExample

if TYPE_CHECKING:
    import numpy as np

    from workbench.api.protocols import Task

MAX_DRAWS = 100
"""Draws of an example in a row that may be of no use before the corpus counts as unusable."""


class SequenceDrawer:
    """Draws one role's training sequences; what is drawn depends on the generator given alone."""

    def __init__(self, task: Task, role: str, items: Items[TokenizedExample]) -> None:
        if not items:
            raise WorkbenchError("there are no tokenised examples to train a language model on")
        self.task = task
        self.role = role
        self.items = items
        self.groups = _groups(task, items) if isinstance(task, PairingTask) else {}

    def of(self, index: int, rng: np.random.Generator) -> Sequence | None:
        """A sequence of item ``index``, with a partner where the task wants one and there is one.

        None where the task has no use for the item, or for the partner that was drawn.
        """
        task, item = self.task, self.items[index]
        others = [other for other in self.groups.get(index, ()) if other != index]
        if isinstance(task, PairingTask) and others:
            partner = self.items[others[int(rng.integers(len(others)))]]
            return task.paired_sequence(self.role, item, partner, rng)
        return task.training_sequence(self.role, item, rng)

    def of_any(self, index: int, rng: np.random.Generator) -> Sequence:
        """A sequence of item ``index``, or of a random one where the task has no use for that."""
        for _ in range(MAX_DRAWS):
            sequence = self.of(index, rng)
            if sequence is not None:
                return sequence
            index = int(rng.integers(len(self.items)))
        raise WorkbenchError(
            f"{MAX_DRAWS} examples in a row were too short to train the model {self.role!r} on, "
            "or lacked what its task needs; shorten what the task asks for, or give it longer "
            "recordings"
        )


def _groups(task: PairingTask, items: Items[TokenizedExample]) -> dict[int, list[int]]:
    """The items that may be each one's partner, itself included; none where it has no group."""
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    names = [task.pairing(item.example) for item in items]
    for index, name in enumerate(names):
        if name is not None:
            by_name[name].append(index)
    return {index: by_name[name] for index, name in enumerate(names) if name is not None}
