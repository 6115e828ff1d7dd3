"""Animals but birds: cries through the resonances of a throat, pulses, buzzing."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate, size
from workbench_corpora.sounds.take import Take, Wave, arch, falling, glide, resonant
from workbench_corpora.sounds.timing import Counted, Lasting

_FLAT = falling(0.8, 40)
"""A rich source: harmonics that fall slowly."""


def _between(one: Wave, other: Wave, share: Wave) -> Wave:
    """``one`` where ``share`` is 0, ``other`` where it is 1."""
    return one + (other - one) * share


def dog(take: Take) -> Wave:
    """A bark: a short cry that jumps up and falls, half of it breath."""
    count = take.count(take.seconds)
    base = take["pitch"] * take.draws.uniform(0.96, 1.04)
    cry = take.tone(base * glide(count, 0.75, 1.25, 1.1, 0.7), _FLAT)
    breath = take.noise(400.0, 4000.0) * 0.5
    body = 1.6 * base
    mouth = ((body, 250.0, 1.0), (2.3 * body, 400.0, 0.8), (2600.0, 700.0, 0.3))
    return resonant(cry + breath, take.sample_rate, mouth) * arch(count, 0.12, 0.6)


def cat(take: Take) -> Wave:
    """A meow: the mouth opens and closes while the pitch rises and falls."""
    count = take.count(take.seconds)
    cry = take.tone(take["pitch"] * glide(count, 0.85, 1.15, 1.1, 0.95, 0.75), _FLAT)
    cry += 0.1 * take.noise(1000.0, 6000.0)
    rate_ = take.sample_rate
    closed = resonant(cry, rate_, ((500.0, 200.0, 1.0), (2600.0, 300.0, 0.35)))
    opened = resonant(cry, rate_, ((1100.0, 300.0, 1.0), (1900.0, 300.0, 0.8)))
    return _between(closed, opened, glide(count, 0.0, 0.9, 1.0, 0.4, 0.0)) * arch(count, 0.15, 0.4)


def frog(take: Take) -> Wave:
    """A croak: quick pulses, each a knock on a hollow body."""
    time = take.time()
    pulses = take.draws.uniform(34.0, 46.0)
    place = (time * pulses * (1 - 0.15 * time / take.seconds)) % 1.0
    body = take.tone(take["pitch"], (1.0, 0.9, 0.5, 0.25, 0.1))
    return body * np.exp(-place / 0.22) * arch(len(time), 0.2, 0.15)


def crickets(take: Take) -> Wave:
    """A few crickets, each a very high tone in short trills."""
    time = take.time()
    wave = np.zeros(len(time))
    for level in (1.0, 0.5, 0.3):
        hz = take["pitch"] * take.draws.uniform(0.95, 1.05)
        turns = time * take["rate"] * take.draws.uniform(0.9, 1.1) + take.draws.uniform(0, 1)
        chirp = np.clip(1.6 * np.sin(np.pi * np.minimum((turns % 1.0) / 0.6, 1.0)), 0.0, 1.0)
        trill = np.sin(np.pi * ((time * 32.0) % 1.0)) ** 2
        wave += level * take.tone(hz, (1.0, 0.05)) * chirp * trill
    return wave


def cow(take: Take) -> Wave:
    """A moo: a long low cry from closed lips to an open mouth."""
    count = take.count(take.seconds)
    cry = take.tone(take["pitch"] * glide(count, 0.85, 1.05, 1.0, 0.95, 0.8), _FLAT)
    rate_ = take.sample_rate
    closed = resonant(cry, rate_, ((230.0, 120.0, 1.0), (900.0, 200.0, 0.1)), floor=0.005)
    opened = resonant(cry, rate_, ((480.0, 160.0, 1.0), (950.0, 220.0, 0.5), (2300.0, 400.0, 0.1)))
    return _between(closed, opened, glide(count, 0.0, 0.3, 1.0, 0.9, 0.5)) * arch(count, 0.15, 0.25)


def bee(take: Take) -> Wave:
    """A buzz: a reedy tone that wavers and swells as the insect circles."""
    hz = take["pitch"] * (1 + 0.06 * take.drift(3.0) + 0.02 * take.drift(11.0))
    buzz = take.tone(hz, falling(0.88, 30))
    wave = resonant(buzz, take.sample_rate, ((900.0, 900.0, 0.6), (2500.0, 1200.0, 0.5)), 0.25)
    return wave * (0.65 + 0.35 * take.drift(1.2))


KINDS = (
    Kind(
        "dog",
        dog,
        Counted((0.14, 0.26), most=4, gap=(0.1, 0.4)),
        (size(220.0, 620.0),),
        Wording(
            (
                "a {} dog bark[s|ing]",
                "a {} dog yap[s|ping]",
                "a {} hound bark[s|ing]",
                "a {} puppy yelp[s|ing]",
                "a {} dog woof[s|ing]",
            ),
            (
                "{} dog bark[|s]",
                "{} bark[|s] of a dog",
                "{} yap[|s] of a puppy",
            ),
            ("a {} puppy woof[s|ing]", "a {} puppy bark[s|ing]"),
            ("{} woof[|s] of a hound",),
        ),
    ),
    Kind(
        "cat",
        cat,
        Counted((0.5, 0.9), most=3, gap=(0.2, 0.5)),
        (size(380.0, 720.0),),
        Wording(
            (
                "a {} cat meow[s|ing]",
                "a {} cat mew[s|ing]",
                "a {} cat cr[ies|ying]",
                "a {} kitten mew[s|ing]",
                "a {} cat miaow[s|ing]",
            ),
            (
                "{} meow[|s]",
                "{} meow[|s] of a cat",
                "{} cr[y|ies] of a kitten",
            ),
            ("a {} kitten miaow[s|ing]", "a {} kitten cr[ies|ying]"),
            ("{} miaow[|s] of a kitten",),
        ),
    ),
    Kind(
        "frog",
        frog,
        Counted((0.28, 0.5), most=4, gap=(0.12, 0.4)),
        (size(240.0, 620.0),),
        Wording(
            (
                "a {} frog croak[s|ing]",
                "a {} frog call[s|ing]",
                "a {} toad croak[s|ing]",
                "a {} bullfrog croak[s|ing]",
                "a {} frog ribbit[s|ing]",
            ),
            (
                "{} croak[|s] of a frog",
                "{} frog call[|s]",
                "{} croak[|s] from a pond",
            ),
            ("a {} bullfrog ribbit[s|ing]", "a {} toad ribbit[s|ing] by the pond"),
            ("{} ribbit[|s] of a toad",),
        ),
        indoors=False,
    ),
    Kind(
        "crickets",
        crickets,
        Lasting(),
        (rate(1.2, 3.5), pitch(3800.0, 5600.0)),
        Wording(
            (
                "crickets chirp[|ing]",
                "{} crickets trill[|ing]",
                "insects chirp[|ing] at night",
                "cicadas chirp[|ing]",
                "{} grasshoppers sing[|ing]",
            ),
            (
                "the {} chirping of crickets",
                "{} crickets",
                "the {} song of cicadas",
            ),
            ("cicadas trill[|ing]", "grasshoppers chirp[|ing] in the night"),
            ("a {} chorus of crickets",),
        ),
        indoors=False,
    ),
    Kind(
        "cow",
        cow,
        Counted((0.9, 1.6), most=2, gap=(0.2, 0.5)),
        (size(95.0, 190.0),),
        Wording(
            (
                "a {} cow moo[s|ing]",
                "a {} cow low[s|ing]",
                "{} cattle moo[|ing]",
                "a {} calf moo[s|ing]",
                "a {} cow bellow[s|ing]",
            ),
            (
                "{} moo[|s] of a cow",
                "{} moo[|s]",
                "{} moo[|s] of cattle",
            ),
            ("a {} calf bellow[s|ing]", "a {} heifer moo[s|ing] in the meadow"),
            ("{} bellow[|s] of cattle",),
        ),
        indoors=False,
    ),
    Kind(
        "bee",
        bee,
        Lasting(),
        (pitch(130.0, 320.0),),
        Wording(
            (
                "a {} bee buzz[es|ing]",
                "a {} fly buzz[es|ing] around",
                "an {} insect hum[s|ming]",
                "a {} wasp buzz[es|ing]",
                "a {} bumblebee hum[s|ming]",
            ),
            (
                "the {} buzzing of a bee",
                "{} buzzing of an insect",
                "the {} hum of a bee",
            ),
            ("a {} bumblebee buzz[es|ing]", "a {} wasp hum[s|ming] about"),
            ("the {} buzz of a wasp",),
        ),
    ),
)
