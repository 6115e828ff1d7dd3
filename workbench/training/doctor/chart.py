"""A training's scalars as the checks see them: the recent ones in full, the rest in summary."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from itertools import islice

KEPT = 512
"""Recent points of each scalar that are kept; no check looks back farther."""
MARK = "doctor/"
"""What the doctor measures itself is logged under names that begin so."""
VARYING = (MARK, "perplexity_", "validation_")
"""Names that come and go from step to step without the training having changed."""


class Curve:
    """One scalar over the steps at which it was logged."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.points: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.count = 0
        self.low = self.high = 0.0
        self.first: float | None = None
        self.restart()

    def restart(self) -> None:
        """Forget what is usual: from here on, the training is another one."""
        self.opening: list[float] = []
        self.best: float | None = None

    def add(self, step: int, value: float) -> None:
        """Take in a point."""
        self.points.append((step, value))
        self.low = value if self.count == 0 else min(self.low, value)
        self.high = value if self.count == 0 else max(self.high, value)
        self.first = value if self.first is None else self.first
        self.count += 1
        if len(self.opening) < self.window:
            self.opening.append(value)
        else:
            now = self.level
            self.best = now if self.best is None else min(self.best, now)

    @property
    def last(self) -> float:
        """The latest value."""
        return self.points[-1][1]

    @property
    def level(self) -> float:
        """Median of the latest window of points."""
        return statistics.median(self.recent(self.window))

    @property
    def start(self) -> float | None:
        """Median of the first window of points; None until there is one."""
        return statistics.median(self.opening) if len(self.opening) == self.window else None

    def recent(self, count: int) -> list[float]:
        """The latest values, at most ``count`` and ``KEPT``, oldest first."""
        return [value for _, value in islice(reversed(self.points), count)][::-1]

    def over(self, steps: int) -> list[float]:
        """The latest values, from ``steps`` before the last on; empty where there is no older."""
        begin = self.points[-1][0] - steps
        if self.points[0][0] > begin:
            return []
        return [value for step, value in self.points if step >= begin]

    def span(self, count: int) -> int:
        """Steps from the first to the last of the latest ``count`` points."""
        count = min(count, len(self.points))
        return self.points[-1][0] - self.points[-count][0] if count else 0


class Chart:
    """All curves of one phase of a training."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.curves: dict[str, Curve] = {}
        self.final: set[str] = set()
        self.points = 0
        self.last_step = 0

    def add(self, step: int, scalars: Mapping[str, float], final: bool = False) -> None:
        """Take in what was logged at a step; ``final`` values describe the end of the training.

        A loss that was never logged before (an adversary that joins in) changes what is usual.
        """
        lasting = [name for name in scalars if not name.startswith(VARYING)]
        if self.points and any(name not in self.curves for name in lasting):
            for curve in self.curves.values():
                curve.restart()
        for name, value in scalars.items():
            self.curves.setdefault(name, Curve(self.window)).add(step, float(value))
        self.final |= set(scalars) if final else set()
        self.last_step = step
        self.points += not final

    def get(self, name: str) -> Curve | None:
        """A curve by its name."""
        return self.curves.get(name)

    def below(self, prefix: str) -> dict[str, Curve]:
        """Curves whose names begin with ``prefix``, by the rest of their names."""
        return {
            name.removeprefix(prefix): curve
            for name, curve in self.curves.items()
            if name.startswith(prefix)
        }

    def source(self, name: str) -> str:
        """What is to be added to a figure that the history does not hold."""
        return " (from the checkpoint)" if name in self.final else ""

    def lasting(self, name: str, count: int, steps: int = 0) -> list[float]:
        """The latest ``count`` values; empty while there are fewer, or on fewer ``steps``.

        A value that describes the end of the training needs no others.
        """
        curve = self.curves[name]
        if name in self.final:
            return [curve.last]
        values = curve.recent(count)
        return values if len(values) == count and curve.span(count) >= steps else []
