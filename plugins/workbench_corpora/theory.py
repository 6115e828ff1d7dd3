"""Keys, scales and the chord loops that pieces are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCALES: Mapping[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
"""Semitones above the tonic; minor is the natural one, whose dominant chord may be major."""

_THIRDS: Mapping[str, int] = {"major": 4, "minor": 3}


@dataclass(frozen=True)
class ChordShape:
    """A chord relative to a tonic: ``offset`` semitones above it, ``major`` or ``minor``."""

    offset: int
    quality: str
    seventh: bool = False
    """Whether a minor seventh is added: it tells a dominant from a tonic."""

    def pitch_classes(self, tonic: int) -> tuple[int, ...]:
        """Root, third and fifth, and the seventh if there is one, in the key of ``tonic``."""
        root = (tonic + self.offset) % 12
        triad = (root, (root + _THIRDS[self.quality]) % 12, (root + 7) % 12)
        return (*triad, (root + 10) % 12) if self.seventh else triad


@dataclass(frozen=True)
class Chord:
    """A chord of a piece: from ``start`` to ``end`` seconds, root pitch class and quality."""

    start: float
    end: float
    root: int
    quality: str


_NUMERALS: Mapping[str, Mapping[str, ChordShape]] = {
    "major": {
        "I": ChordShape(0, "major"),
        "ii": ChordShape(2, "minor"),
        "iii": ChordShape(4, "minor"),
        "IV": ChordShape(5, "major"),
        "V": ChordShape(7, "major", seventh=True),
        "vi": ChordShape(9, "minor"),
    },
    "minor": {
        "i": ChordShape(0, "minor"),
        "III": ChordShape(3, "major"),
        "iv": ChordShape(5, "minor"),
        "v": ChordShape(7, "minor"),
        "V": ChordShape(7, "major", seventh=True),
        "VI": ChordShape(8, "major"),
        "VII": ChordShape(10, "major"),
    },
}

# Every loop starts on the tonic and holds what tells its key from the neighbouring ones (mostly the
# dominant seventh), so that the key can be heard and not just read.
_LOOPS: Mapping[str, tuple[str, ...]] = {
    "major": (
        "I V",
        "I V vi IV",
        "I vi IV V",
        "I IV I V",
        "I IV V IV",
        "I ii IV V",
        "I iii IV V",
        "I V IV V",
        "I vi ii V",
        "I IV vi V",
        "I IV ii V",
        "I V I IV",
        "I IV V I",
        "I V ii V",
        "I ii V I",
    ),
    "minor": (
        "i V",
        "i VI iv V",
        "i iv i V",
        "i VII VI V",
        "i iv VI V",
        "i VI VII i",
        "i iv V i",
        "i VI i V",
        "i III iv V",
        "i VII i V",
        "i iv VII V",
        "i v iv V",
        "i V i iv",
        "i V VI iv",
        "i V iv V",
    ),
}


def loops(mode: str, length: int) -> tuple[tuple[ChordShape, ...], ...]:
    """All loops of ``length`` chords in a mode."""
    parsed = (tuple(_NUMERALS[mode][name] for name in loop.split()) for loop in _LOOPS[mode])
    return tuple(shapes for shapes in parsed if len(shapes) == length)
