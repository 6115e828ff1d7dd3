"""A note, and the metre that all parts share."""

from __future__ import annotations

from dataclasses import dataclass

BEATS_PER_BAR = 4


@dataclass(frozen=True)
class Note:
    """One note; times are in beats while parts are written, in seconds within a score."""

    onset: float
    duration: float
    pitch: int
    """MIDI number; for drums General MIDI's percussion number."""
    role: str
    velocity: float = 1.0
    """Amplitude, 1 for a plain note."""
