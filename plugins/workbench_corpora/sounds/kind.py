"""What a kind of sound event is: how it is made, what varies in it, and the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from workbench_corpora.draws import Draws
from workbench_corpora.sounds.take import Take, Wave
from workbench_corpora.sounds.timing import Timing

Level = Literal["low", "middle", "high"]


@dataclass(frozen=True)
class Words:
    """Ways to say the same thing, before a noun and after a verb."""

    adjectives: tuple[str, ...]
    adverbs: tuple[str, ...]


@dataclass(frozen=True)
class Trait:
    """A property that varies continuously, and the words for its extremes."""

    name: str
    low: float
    high: float
    less: Words
    """Said of the lower third of the range."""
    more: Words
    """Said of the upper third."""

    def draw(self, draws: Draws) -> float:
        """A value, spread evenly over the range in proportions (as pitches and rates are)."""
        return float(self.low * (self.high / self.low) ** draws.uniform(0, 1))

    def level(self, value: float) -> Level:
        """Which third of the range the value lies in."""
        ratio = self.high / self.low
        if value < self.low * ratio ** (1 / 3):
            return "low"
        return "high" if value > self.low * ratio ** (2 / 3) else "middle"

    def words(self, level: Level) -> Words | None:
        """What to say of a level; nothing of the middle one."""
        return {"low": self.less, "high": self.more}.get(level)


def pitch(low: float, high: float) -> Trait:
    """A pitch in Hz."""
    return Trait(
        "pitch",
        low,
        high,
        Words(("low-pitched", "deep"), ("at a low pitch", "in a low tone")),
        Words(("high-pitched", "shrill"), ("at a high pitch", "in a high tone")),
    )


def size(low: float, high: float) -> Trait:
    """A pitch in Hz that tells how big its source is."""
    return Trait(
        "pitch",
        low,
        high,
        Words(("big", "large"), ("in a deep voice", "at a low pitch")),
        Words(("small", "little"), ("in a high voice", "at a high pitch")),
    )


def rate(low: float, high: float) -> Trait:
    """How often a second."""
    return Trait(
        "rate",
        low,
        high,
        Words(("slow",), ("slowly", "at a slow pace")),
        Words(("fast", "rapid", "quick"), ("quickly", "rapidly", "at a fast pace")),
    )


def strength(low: float, high: float, less: Words, more: Words) -> Trait:
    """How dense or strong weather, water and fire are, relative to usual."""
    return Trait("rate", low, high, less, more)


@dataclass(frozen=True)
class Wording:
    """Phrases for an event.

    ``clauses`` are sentences such as ``a {} dog bark[s|ing]``: the brackets hold the verb's endings
    in "barks" and "barking", the braces take an adjective. ``nouns`` are things such as
    ``{} dog bark[|s]``, one or several, without an article where sounds are counted. The ``unseen``
    ones are kept for captions that are to differ from all training captions.
    """

    clauses: tuple[str, ...]
    nouns: tuple[str, ...]
    unseen_clauses: tuple[str, ...]
    unseen_nouns: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of sound event."""

    name: str
    render: Callable[[Take], Wave]
    """Makes a single sound of the kind, at any level."""
    timing: Timing
    traits: tuple[Trait, ...]
    wording: Wording
    indoors: bool = True
    """Whether it may be heard in a room or a hall."""

    def trait(self, name: str) -> Trait:
        """The trait of that name."""
        return next(trait for trait in self.traits if trait.name == name)
