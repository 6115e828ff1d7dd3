"""The melody: a motif of one bar, repeated with small changes, that follows the chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench_corpora.draws import Draws
from workbench_corpora.parts.note import BEATS_PER_BAR, Note

LOWEST, HIGHEST = 64, 87

# Onsets in eighths of a bar; each note lasts until the next.
_RHYTHMS = (
    (0, 2, 4, 6),
    (0, 2, 3, 4, 6),
    (0, 1, 2, 4, 6, 7),
    (0, 3, 4, 6),
    (0, 3, 6),
    (0, 2, 4, 5, 6, 7),
    (0, 1, 2, 3, 4, 6),
    (0, 4, 6, 7),
    (0, 1, 3, 4, 5, 7),
    (0, 3, 4, 7),
)


@dataclass(frozen=True)
class Motif:
    """A bar of melody by its name: a rhythm's number, then a letter for each of its notes.

    A digit is a rung of the ladder of chord tones around the middle of the register; ``u`` and
    ``d`` are the scale step above and below the note before.
    """

    name: str

    @property
    def onsets(self) -> tuple[int, ...]:
        """Onsets in eighths."""
        return _RHYTHMS[int(self.name.split(":")[0])]

    @property
    def steps(self) -> str:
        """One letter a note."""
        return self.name.split(":")[1]


def draw_motif(draws: Draws) -> Motif:
    """A random motif: chord tones on the beats, some neighbour notes between them."""
    number = draws.integer(0, len(_RHYTHMS) - 1)
    rung = draws.integer(1, 4)
    steps: list[str] = []
    for eighth in _RHYTHMS[number]:
        if eighth % 2 and steps and draws.chance(0.6):
            steps.append(draws.pick("ud"))
        else:
            steps.append(str(rung))
            rung = min(max(rung + draws.pick((-2, -1, -1, 0, 1, 1, 2)), 0), 5)
    return Motif(f"{number}:{''.join(steps)}")


def write(
    draws: Draws,
    motif: Motif,
    chords: Sequence[tuple[int, ...]],
    scale: Sequence[int],
) -> list[Note]:
    """The melody over ``chords`` (the chord of each beat), in the order motif, motif, answer."""
    answer = _answer(draws, motif)
    form = draws.pick(((motif, motif), (motif, answer), (motif, motif, motif, answer)))
    articulation = draws.uniform(0.75, 1.0)
    notes: list[Note] = []
    for bar in range(0, len(chords), BEATS_PER_BAR):
        current = form[(bar // BEATS_PER_BAR) % len(form)]
        notes += _write_bar(current, bar, chords, scale, articulation)
    return notes


def _answer(draws: Draws, motif: Motif) -> Motif:
    """The motif with a new ending: same rhythm, last chord tones elsewhere."""
    keep = max(len(motif.steps) - 2, 1)
    ending = [str(draws.integer(0, 5)) for _ in motif.steps[keep:]]
    return Motif(f"{motif.name.split(':')[0]}:{motif.steps[:keep]}{''.join(ending)}")


def _write_bar(
    motif: Motif,
    bar: int,
    chords: Sequence[tuple[int, ...]],
    scale: Sequence[int],
    articulation: float,
) -> list[Note]:
    """One bar from beat ``bar`` on."""
    notes: list[Note] = []
    ends = (*motif.onsets[1:], 2 * BEATS_PER_BAR)
    pitch = LOWEST
    for eighth, end, step in zip(motif.onsets, ends, motif.steps, strict=True):
        beat = bar + eighth // 2
        if beat >= len(chords):
            break
        if step.isdigit():
            ladder = [p for p in range(LOWEST, HIGHEST + 1) if p % 12 in chords[beat][:3]]
            pitch = ladder[int(step)]
        else:
            pitch = _neighbour(pitch, 1 if step == "u" else -1, (*scale, *chords[beat]))
        notes.append(
            Note(
                onset=bar + eighth / 2,
                duration=(end - eighth) / 2 * articulation,
                pitch=pitch,
                role="melody",
                velocity=1.0 if eighth % 4 == 0 else 0.85,
            )
        )
    return notes


def _neighbour(pitch: int, direction: int, allowed: Sequence[int]) -> int:
    """The next pitch up or down whose pitch class is allowed."""
    pitch += direction
    while pitch % 12 not in allowed:
        pitch += direction
    return pitch
