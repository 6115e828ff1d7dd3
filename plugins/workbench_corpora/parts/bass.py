"""The bass: mostly roots, on a pattern that repeats with the chord loop."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_corpora.draws import Draws
from workbench_corpora.parts.note import Note

LOWEST = 33

# Two beats in eighths: onset and what sounds (root, fifth or octave above the root).
_PATTERNS = (
    ((0, "root"), (2, "root")),
    ((0, "root"), (3, "root")),
    ((0, "root"), (1, "root"), (2, "root"), (3, "root")),
    ((0, "root"), (2, "fifth")),
    ((0, "root"), (1, "octave"), (2, "root"), (3, "octave")),
    ((0, "root"), (2, "octave"), (3, "fifth")),
    ((0, "root"),),
)


def write(
    draws: Draws,
    roots: Sequence[int],
    chords: Sequence[tuple[int, ...]],
    beats_per_chord: int,
) -> list[Note]:
    """The bass over ``roots`` and ``chords`` (those of each beat)."""
    pattern = draws.pick(_PATTERNS)
    length = draws.uniform(0.7, 0.98)
    notes = []
    # A pattern lasts two beats, or one where the chord changes on each.
    stride = min(2, beats_per_chord)
    for beat in range(0, len(roots), stride):
        heard = [(eighth, what) for eighth, what in pattern if eighth < 2 * stride]
        ends = (*(eighth for eighth, _ in heard[1:]), 2 * stride)
        for (eighth, what), end in zip(heard, ends, strict=True):
            root = LOWEST + (roots[beat] - LOWEST) % 12
            fifth = root + (chords[beat][2] - roots[beat]) % 12
            pitch = {"root": root, "fifth": fifth, "octave": root + 12}[what]
            notes.append(
                Note(
                    onset=beat + eighth / 2,
                    duration=(end - eighth) / 2 * length,
                    pitch=pitch,
                    role="bass",
                    velocity=1.0 if eighth == 0 else 0.85,
                )
            )
    return notes
