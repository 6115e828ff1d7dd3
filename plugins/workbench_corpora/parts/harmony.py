"""The harmony: the chords in close position with little movement, in one of several textures."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_corpora.draws import Draws
from workbench_corpora.parts.note import Note

CENTRE = 60
SUSTAINED = ("organ", "strings", "soft saw", "choir")

# Onsets in eighths within two beats, and whether single notes (arpeggio) or the whole chord.
_PATTERNS = (
    ("chord", (0, 2)),
    ("chord", (1, 3)),
    ("chord", (0, 3)),
    ("chord", (0, 1, 2, 3)),
    ("arpeggio", (0, 1, 2, 3)),
    ("arpeggio", (0, 2, 3)),
)
_ARPEGGIOS = ((0, 1, 2, 1), (0, 2, 1, 2), (2, 1, 0, 1), (0, 1, 2, 0))


def voicing(chord: Sequence[int], centre: float) -> list[int]:
    """The chord's inversion in close position whose mean lies nearest to ``centre``."""
    inversions = []
    for lowest in chord:
        for octave in range(3, 7):
            bottom = lowest + 12 * octave
            inversions.append(sorted(bottom + (pc - lowest) % 12 for pc in chord))
    return min(inversions, key=lambda pitches: abs(sum(pitches) / len(pitches) - centre))


def write(
    draws: Draws,
    chords: Sequence[tuple[int, ...]],
    beats_per_chord: int,
    instrument: str,
) -> list[Note]:
    """The harmony over ``chords`` (the chord of each beat); a sustained instrument may hold."""
    centre = CENTRE + draws.uniform(-4.0, 4.0)
    if instrument in SUSTAINED and draws.chance(0.7):
        return [
            Note(float(beat), float(beats_per_chord), pitch, "harmony")
            for beat in range(0, len(chords), beats_per_chord)
            for pitch in voicing(chords[beat], centre)
        ]
    texture, onsets = draws.pick(_PATTERNS)
    if texture == "arpeggio":
        return _arpeggio(chords, onsets, draws.pick(_ARPEGGIOS), centre)
    length = draws.uniform(0.4, 0.9)
    gaps = [end - start for start, end in zip(onsets, (*onsets[1:], 4), strict=True)]
    return [
        Note(beat + eighth / 2, gap / 2 * length, pitch, "harmony", 1.0 if eighth == 0 else 0.8)
        for beat in range(0, len(chords), 2)
        for eighth, gap in zip(onsets, gaps, strict=True)
        if beat + eighth // 2 < len(chords)
        for pitch in voicing(chords[beat + eighth // 2], centre)
    ]


def _arpeggio(
    chords: Sequence[tuple[int, ...]],
    onsets: Sequence[int],
    order: Sequence[int],
    centre: float,
) -> list[Note]:
    """Broken chords: one note at each onset, each sounding for a beat."""
    return [
        Note(
            beat + eighth / 2,
            1.0,
            voicing(chords[beat + eighth // 2], centre)[order[position % len(order)]],
            "harmony",
            1.0 if eighth == 0 else 0.85,
        )
        for beat in range(0, len(chords), 2)
        for position, eighth in enumerate(onsets)
        if beat + eighth // 2 < len(chords)
    ]
