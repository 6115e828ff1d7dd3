"""When the single sounds of an event come: one that lasts, a counted few, or a steady beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from workbench_corpora.draws import Draws


@dataclass(frozen=True)
class Moment:
    """One single sound of an event: when it begins, and how long it is. Seconds."""

    onset: float
    seconds: float


class Timing(Protocol):
    """How an event fills the seconds that it is given."""

    lasts: bool
    """Whether it goes on for as long as it is given, and so may be what another is heard over."""
    counted: bool
    """Whether a listener counts its sounds."""

    def moments(
        self, draws: Draws, seconds: float, traits: Mapping[str, float]
    ) -> tuple[Moment, ...]:
        """The single sounds within ``seconds``, in order; the first begins at about 0."""
        ...


@dataclass(frozen=True)
class Lasting:
    """One sound that lasts: rain, an engine."""

    lasts = True
    counted = False

    def moments(
        self,
        draws: Draws,  # noqa: ARG002 - nothing is left to chance
        seconds: float,
        traits: Mapping[str, float],  # noqa: ARG002
    ) -> tuple[Moment, ...]:
        """One sound that fills the time."""
        return (Moment(0.0, seconds),)


@dataclass(frozen=True)
class Counted:
    """A few sounds that a listener counts: barks, strokes of a bell."""

    seconds: tuple[float, float]
    """Shortest and longest single sound."""
    most: int = 3
    """Most sounds in an event."""
    gap: tuple[float, float] = (0.1, 0.4)
    """Shortest and longest silence between two."""
    ring: float = 0.0
    """Seconds that a sound rings on, while the next may come."""
    lasts = False
    counted = True

    def moments(
        self,
        draws: Draws,
        seconds: float,
        traits: Mapping[str, float],  # noqa: ARG002 - the pace is in the gap
    ) -> tuple[Moment, ...]:
        """One to ``most`` sounds, as many as there is time for."""
        length = draws.uniform(*self.seconds)
        gap = draws.uniform(*self.gap)
        step = length + gap
        fitting = max(1, int((seconds + gap) / step))
        count = min(draws.integer(1, self.most), fitting)
        onsets = [k * step * draws.uniform(0.97, 1.03) for k in range(count)]
        return tuple(Moment(onset, length + self.ring) for onset in onsets)


@dataclass(frozen=True)
class Paced:
    """Sounds that follow each other at the trait ``rate``: steps, ticks."""

    seconds: float
    """Length of a single sound; the next may come before it ends."""
    swing: float = 0.05
    """How uneven the pace is, as a share of the time between two sounds."""
    lasts = True
    counted = False

    def moments(
        self, draws: Draws, seconds: float, traits: Mapping[str, float]
    ) -> tuple[Moment, ...]:
        """As many sounds as there is time for; two even where there is less."""
        step = 1 / traits["rate"]
        count = max(2, int((seconds - 0.5 * self.seconds) / step) + 1)
        return tuple(
            Moment(max(0.0, step * (k + draws.uniform(-self.swing, self.swing))), self.seconds)
            for k in range(count)
        )
