"""The drums: one of several grooves, the same bar throughout."""

from __future__ import annotations

from dataclasses import dataclass

from workbench_corpora.draws import Draws
from workbench_corpora.parts.note import BEATS_PER_BAR, Note

KICK, SNARE, CLOSED_HAT, OPEN_HAT = 36, 38, 42, 46


@dataclass(frozen=True)
class Groove:
    """Hits in sixteenths of a bar."""

    kick: tuple[int, ...]
    snare: tuple[int, ...]


_GROOVES = (
    Groove((0, 8), (4, 12)),
    Groove((0, 6, 8), (4, 12)),
    Groove((0, 4, 8, 12), (4, 12)),
    Groove((0, 8, 10), (4, 12)),
    Groove((0, 7, 10), (4, 12)),
    Groove((0, 10), (8,)),
    Groove((0, 4, 8, 12), ()),
)
_HATS = (
    tuple(range(0, 16, 2)),
    tuple(range(0, 16, 4)),
    tuple(range(16)),
    (2, 6, 10, 14),
)


def write(draws: Draws, beats: int) -> list[Note]:
    """The drums of ``beats`` beats; the same bar throughout."""
    groove = draws.pick(_GROOVES)
    hats = draws.pick(_HATS)
    open_hat = draws.pick((None, None, 14, 6))
    bar = [(step, KICK, 1.0) for step in groove.kick]
    bar += [(step, SNARE, 0.9) for step in groove.snare]
    for step in hats:
        pitch = OPEN_HAT if step == open_hat else CLOSED_HAT
        bar.append((step, pitch, 0.7 if step % 4 == 0 else 0.5))
    return [
        Note(start + step / 4, 0.25, pitch, "drums", velocity)
        for start in range(0, beats, BEATS_PER_BAR)
        for step, pitch, velocity in sorted(bar)
        if start + step / 4 < beats
    ]
