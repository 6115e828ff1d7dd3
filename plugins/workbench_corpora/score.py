"""Composes a short piece of music: key, tempo, chord loop, and the notes of each role.

Pieces are strongly structured on purpose. Harmony, bass and drums repeat with a loop of four or
eight beats (under five seconds in all but a few pieces), the melody repeats a motif of one bar
that follows the chords: whoever hears five seconds knows how the piece goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench import Split
from workbench_corpora.draws import Draws
from workbench_corpora.parts import BEATS_PER_BAR, Note, bass, drums, harmony, melody
from workbench_corpora.theory import SCALES, Chord, ChordShape, loops

ROLES = ("melody", "harmony", "bass", "drums")

INSTRUMENTS: Mapping[str, tuple[str, ...]] = {
    "melody": ("pluck", "bell", "e-piano", "saw lead", "square lead", "flute", "reed"),
    "harmony": ("pluck", "e-piano", "organ", "strings", "soft saw", "bell", "choir"),
    "bass": ("finger bass", "synth bass", "sub bass", "fm bass"),
    "drums": ("acoustic kit", "electronic kit", "brush kit"),
}
"""Names of the timbres that may take each role."""

# An eighth of all combinations belongs to each held-out split, the rest to training.
_SPLIT_OF_EIGHTH: Mapping[int, Split] = {0: "validation", 1: "test"}


@dataclass(frozen=True)
class Score:
    """A composed piece. Times are in seconds from the start of the recording."""

    tonic: int
    """Pitch class of the key, 0 for C to 11 for B."""
    mode: str
    """``major`` or ``minor``."""
    tempo: int
    """Beats a minute."""
    beat_offset: float
    """Time of the first beat, which is also the first of a bar and of the chord loop."""
    chords: tuple[Chord, ...]
    notes: tuple[Note, ...]
    instruments: Mapping[str, str]
    identity: str
    """Key, chord loop and motif in one string: no two splits share one."""

    def details(self) -> dict[str, Any]:
        """The score as plain JSON values; drum notes carry General MIDI's percussion numbers."""
        return {
            "key": {"tonic": self.tonic, "mode": self.mode},
            "tempo": self.tempo,
            "beat_offset": round(self.beat_offset, 4),
            "beats_per_bar": BEATS_PER_BAR,
            "chords": [
                {
                    "start": round(chord.start, 4),
                    "end": round(chord.end, 4),
                    "root": chord.root,
                    "quality": chord.quality,
                }
                for chord in self.chords
            ],
            "instruments": dict(self.instruments),
            "notes": [
                [round(note.onset, 4), round(note.duration, 4), note.pitch, note.role]
                for note in self.notes
            ],
        }


@dataclass(frozen=True)
class Plan:
    """What makes a piece that piece: drawn first, and what decides the split it belongs to."""

    tonic: int
    mode: str
    tempo: int
    loop: tuple[ChordShape, ...]
    beats_per_chord: int
    motif_name: str

    @property
    def identity(self) -> str:
        """Key, chord loop and motif, without the tempo (so near-equal tempi count as the same)."""
        chords = " ".join(f"{shape.offset}{shape.quality[:3]}" for shape in self.loop)
        return f"{self.tonic} {self.mode} | {chords} | {self.motif_name}"

    @property
    def split(self) -> Split:
        """The split that this identity belongs to, whatever the seed."""
        digest = hashlib.sha256(self.identity.encode()).digest()
        return _SPLIT_OF_EIGHTH.get(digest[0] % 8, "train")


def draw_plan(draws: Draws) -> Plan:
    """Key, tempo, chord loop and motif of a piece."""
    tempo = draws.integer(80, 160)
    mode = draws.pick(("major", "minor"))
    # Eight beats last more than 4.8 s below 100 beats a minute: loops of four beats there.
    loop_beats = 8 if tempo >= 100 else 4
    length = draws.pick((2, 4, 4, 4))
    return Plan(
        tonic=draws.integer(0, 11),
        mode=mode,
        tempo=tempo,
        loop=draws.pick(loops(mode, length)),
        beats_per_chord=loop_beats // length,
        motif_name=melody.draw_motif(draws).name,
    )


def compose(seed: int, split: Split, index: int, seconds: float) -> Score:
    """The piece number ``index`` of a split: a pure function of the arguments."""
    attempt = 0
    while True:
        draws = Draws("synthetic-music", seed, split, index, attempt)
        plan = draw_plan(draws)
        if plan.split == split:
            return _write_out(plan, draws, seconds)
        attempt += 1


def _write_out(plan: Plan, draws: Draws, seconds: float) -> Score:
    """The plan's notes from the first beat to the end of the recording."""
    beat = 60.0 / plan.tempo
    offset = draws.uniform(0.0, 0.25)
    beats = int((seconds - offset) / beat) + 1
    loop_beats = plan.beats_per_chord * len(plan.loop)
    shapes = [plan.loop[(b % loop_beats) // plan.beats_per_chord] for b in range(beats)]
    scale = tuple((plan.tonic + step) % 12 for step in SCALES[plan.mode])
    instruments = {role: draws.pick(INSTRUMENTS[role]) for role in ROLES}
    motif = melody.Motif(plan.motif_name)
    roots = [(plan.tonic + shape.offset) % 12 for shape in shapes]
    chord_tones = [shape.pitch_classes(plan.tonic) for shape in shapes]
    in_beats = [
        *melody.write(draws, motif, chord_tones, scale),
        *harmony.write(draws, chord_tones, plan.beats_per_chord, instruments["harmony"]),
        *bass.write(draws, roots, chord_tones, plan.beats_per_chord),
        *drums.write(draws, beats),
    ]
    notes = [
        Note(offset + n.onset * beat, n.duration * beat, n.pitch, n.role, n.velocity)
        for n in in_beats
    ]
    sounding = sorted(
        (n for n in notes if n.onset < seconds - 0.05), key=lambda n: (n.onset, n.role, n.pitch)
    )
    chords = [
        Chord(
            start=offset + b * beat,
            end=min(offset + (b + plan.beats_per_chord) * beat, seconds),
            root=roots[b],
            quality=shapes[b].quality,
        )
        for b in range(0, beats, plan.beats_per_chord)
        if offset + b * beat < seconds
    ]
    return Score(
        tonic=plan.tonic,
        mode=plan.mode,
        tempo=plan.tempo,
        beat_offset=offset,
        chords=tuple(chords),
        notes=tuple(sounding),
        instruments=instruments,
        identity=plan.identity,
    )
