"""Random draws that are the same on every machine and under every version of the libraries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of random values, a pure function of the parts that name it.

    Only ``random.Random.random`` is used: its sequence for a string seed is guaranteed by Python,
    whereas those of ``choice`` or of NumPy's distributions may change from release to release.
    """

    def __init__(self, *name: object) -> None:
        self._random = random.Random("/".join(str(part) for part in name))

    def uniform(self, low: float, high: float) -> float:
        """A number in ``[low, high)``."""
        return low + (high - low) * self._random.random()

    def integer(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self._random.random() * len(items))]
