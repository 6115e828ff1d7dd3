"""Animals: pitched cries through the resonances of a throat, chirps and pulses."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate, size
from workbench_corpora.sounds.take import Take, Wave, arch, falling, glide, hit, resonant
from workbench_corpora.sounds.timing import Counted, Lasting, Paced

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


def bird(take: Take) -> Wave:
    """A chirp: a clear tone that sweeps up, down or both, each bird with its own figure."""
    count = take.count(take.seconds)
    figure = ((0.8, 1.25), (1.3, 0.85), (0.85, 1.3, 0.9), (1.2, 0.85, 1.15))
    points = take.draws.pick(figure)
    hz = take["pitch"] * take.draws.uniform(0.95, 1.05) * glide(count, *points)
    return take.tone(hz, (1.0, 0.12, 0.03)) * arch(count, 0.3, 0.4)


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


def owl(take: Take) -> Wave:
    """A hoot: a soft low tone, nearly without overtones, that swells and sinks."""
    count = take.count(take.seconds)
    hz = take["pitch"] * glide(count, 0.92, 1.03, 1.0, 0.94)
    breath = 0.04 * take.noise(200.0, 1200.0)
    return (take.tone(hz, (1.0, 0.08, 0.03)) + breath) * arch(count, 0.3, 0.4)


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


def rooster(take: Take) -> Wave:
    """A crow: cock-a-doodle-doo in four raw syllables, the third the highest, the last long."""
    time = take.time()
    count = len(time)
    hz = take["pitch"] * glide(count, 0.7, 0.8, 0.75, 1.0, 1.25, 1.2, 1.1, 0.8)
    cry = take.tone(hz, _FLAT) * (1 + 0.3 * take.noise(100.0, 2000.0))
    place = time / take.seconds
    gates = sum(
        np.clip(12 * np.minimum(place - start, end - place) / (end - start), 0.0, 1.0)
        for start, end in ((0.0, 0.14), (0.17, 0.27), (0.30, 0.48), (0.50, 1.0))
    )
    mouth = ((1200.0, 400.0, 1.0), (2200.0, 500.0, 0.7), (3300.0, 600.0, 0.3))
    return resonant(cry, take.sample_rate, mouth) * gates * hit(time, 0.01, 3.0)


KINDS = (
    Kind(
        "dog",
        dog,
        Counted((0.14, 0.26), most=4, gap=(0.1, 0.4)),
        (size(220.0, 620.0),),
        Wording(
            ("a {} dog bark[s|ing]", "a {} dog yap[s|ping]", "a {} hound bark[s|ing]"),
            ("{} dog bark[|s]", "{} bark[|s] of a dog"),
            ("a {} puppy woof[s|ing]", "a {} mutt bay[s|ing]"),
            ("{} woof[|s]",),
        ),
    ),
    Kind(
        "cat",
        cat,
        Counted((0.5, 0.9), most=3, gap=(0.2, 0.5)),
        (size(380.0, 720.0),),
        Wording(
            ("a {} cat meow[s|ing]", "a {} cat mew[s|ing]", "a {} cat cr[ies|ying]"),
            ("{} meow[|s]", "{} meow[|s] of a cat"),
            ("a {} kitten miaow[s|ing]", "a {} tomcat yowl[s|ing]"),
            ("{} miaow[|s]",),
        ),
    ),
    Kind(
        "bird",
        bird,
        Paced(0.13, swing=0.12),
        (rate(2.5, 6.0), pitch(2200.0, 5000.0)),
        Wording(
            ("a bird chirp[s|ing]", "a {} bird sing[s|ing]", "a bird tweet[s|ing]"),
            ("{} birdsong", "the {} chirping of a bird"),
            ("a sparrow twitter[s|ing]", "a songbird warble[s|ing]"),
            ("the {} twitter of a songbird",),
        ),
        indoors=False,
    ),
    Kind(
        "frog",
        frog,
        Counted((0.28, 0.5), most=4, gap=(0.12, 0.4)),
        (size(240.0, 620.0),),
        Wording(
            ("a {} frog croak[s|ing]", "a {} frog call[s|ing]", "a {} toad croak[s|ing]"),
            ("{} croak[|s] of a frog", "{} frog call[|s]"),
            ("a {} bullfrog ribbit[s|ing]", "a {} toad rasp[s|ing] by the pond"),
            ("{} ribbit[|s]",),
        ),
        indoors=False,
    ),
    Kind(
        "crickets",
        crickets,
        Lasting(),
        (rate(1.2, 3.5), pitch(3800.0, 5600.0)),
        Wording(
            ("crickets chirp[|ing]", "{} crickets trill[|ing]", "insects chirp[|ing] at night"),
            ("the {} chirping of crickets", "{} crickets"),
            ("cicadas stridulate[|ing]", "grasshoppers shrill[|ing] in the grass"),
            ("a {} chorus of crickets",),
        ),
        indoors=False,
    ),
    Kind(
        "owl",
        owl,
        Counted((0.35, 0.7), most=3, gap=(0.15, 0.4)),
        (pitch(260.0, 520.0),),
        Wording(
            ("an {} owl hoot[s|ing]", "an owl call[s|ing]", "an {} owl cr[ies|ying] softly"),
            ("{} hoot[|s] of an owl", "{} owl call[|s]"),
            ("an {} owl screech[es|ing] in the night", "a barn owl too-whoo[s|ing]"),
            ("{} too-whoo[|s] of an owl",),
        ),
        indoors=False,
    ),
    Kind(
        "cow",
        cow,
        Counted((0.9, 1.6), most=2, gap=(0.2, 0.5)),
        (size(95.0, 190.0),),
        Wording(
            ("a {} cow moo[s|ing]", "a {} cow low[s|ing]", "{} cattle moo[|ing]"),
            ("{} moo[|s] of a cow", "{} moo[|s]"),
            ("a {} calf bellow[s|ing]", "a {} heifer moo[s|ing] in the meadow"),
            ("{} bellow[|s] of a calf",),
        ),
        indoors=False,
    ),
    Kind(
        "bee",
        bee,
        Lasting(),
        (pitch(130.0, 320.0),),
        Wording(
            ("a {} bee buzz[es|ing]", "a {} fly buzz[es|ing] around", "an {} insect hum[s|ming]"),
            ("the {} buzzing of a bee", "{} buzzing of an insect"),
            ("a {} bumblebee drone[s|ing]", "a {} wasp whirr[s|ing] about"),
            ("the {} drone of a wasp",),
        ),
    ),
    Kind(
        "rooster",
        rooster,
        Counted((1.2, 1.8), most=2, gap=(0.2, 0.5)),
        (pitch(420.0, 760.0),),
        Wording(
            ("a {} rooster crow[s|ing]", "a {} cock crow[s|ing]", "a {} rooster call[s|ing]"),
            ("{} crow[|s] of a rooster", "{} rooster call[|s]"),
            ("a cockerel crow[s|ing] at dawn", "a {} rooster cock-a-doodle-doo[s|ing]"),
            ("{} cock-a-doodle-doo[|s]",),
        ),
        indoors=False,
    ),
)
