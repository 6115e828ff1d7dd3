"""Speakers: a timbre, a pitch, a pace and a length of the throat, drawn once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench_corpora.draws import Draws

Pool = Literal["a", "b"]
NATIVE = "native"

# espeak-ng's variants by pool, those of the training voices and those kept for testing: no two
# lists share one. Robots, whispers, children and the slowest are left out, as are near copies.
_VARIANTS: Mapping[tuple[Pool, bool], str] = {
    ("a", False): "f1 m1 m3 f2 Andy m5 f3 adam Gene Alicia m7 ed Andrea Mario boris linda ian Reed "
    "max michel pablo Alex",
    ("a", True): "f4 m2 belinda antonio rob steph Michael klatt4",
    ("b", False): "f5 m4 m6 Annie Denis gustave anika Lee david aunty m8 Mike edward Nguyen "
    "benjamin miguel norbert paul sandro",
    ("b", True): "grandma Storm quincy shelby pedro robert travis victor",
}


@dataclass(frozen=True)
class Speaker:
    """Somebody with a voice, who speaks every language, and English maybe with an accent."""

    name: str
    variant: str
    """espeak-ng's variant, which gives the timbre."""
    pitch: int
    pitch_range: int
    words_per_minute: int
    formants: float
    """Factor by which resampling moves all frequencies up."""
    accent: str
    """Voice of the language whose sounds English is spoken with, or ``native``."""


def speakers(
    pool: Pool, held_out: bool, count: int, accents: Sequence[str], accented: float
) -> list[Speaker]:
    """The first ``count`` voices of a pool, ``accented`` of them with the accents in turn.

    They do not depend on a corpus' seed: a name is always the same voice.
    """
    found = []
    for index in range(count):
        accent = NATIVE
        before, after = int(index * accented + 1e-9), int((index + 1) * accented + 1e-9)
        if accents and after > before:
            accent = accents[before % len(accents)]
        found.append(_draw(pool, held_out, index, accent))
    return found


def _draw(pool: Pool, held_out: bool, index: int, accent: str) -> Speaker:
    variants = _VARIANTS[pool, held_out].split()
    name = f"{pool}-{'test' if held_out else 'train'}-{index:02d}"
    draws = Draws("speaker", name)
    return Speaker(
        name=name,
        variant=variants[index % len(variants)],
        pitch=draws.integer(35, 65),
        pitch_range=draws.integer(30, 70),
        words_per_minute=draws.integer(165, 205),
        formants=draws.uniform(0.9, 1.1),
        accent=accent,
    )
