"""Weather, water and fire: sounds of noise and of many small grains."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, Words, pitch, rate, strength
from workbench_corpora.sounds.take import Take, Wave, arch, filtered, hit
from workbench_corpora.sounds.timing import Counted, Lasting


def rain(take: Take) -> Wave:
    """A bright hiss with drops on it; the heavier, the darker and the more even."""
    heavy = take["rate"]
    hiss = take.noise(900.0, 7000.0, slope=2.0 * heavy) * (1 + 0.1 * take.drift(2.0))
    time = take.time(0.02)
    drops = [
        np.sin(2 * np.pi * hz * time) * hit(time, 0.0005, 0.003)
        for hz in (take.draws.uniform(2000, 6000) for _ in range(6))
    ]
    times = take.times(60.0 * heavy)
    levels = 0.4 / (0.08 + take.random(len(times)))
    return (0.3 + 0.5 * heavy) * hiss + take.scatter(times, levels, drops)


def wind(take: Take) -> Wave:
    """Gusts: a low rush, and a howl whose pitch rises with them."""
    gust = 0.5 + 0.5 * take.drift(0.8 * take["rate"])
    rush = take.noise(60.0, 350.0, slope=4.0)
    howl = take.wandering(take["pitch"] * (0.75 + 0.6 * gust), 70.0)
    return rush * (0.3 + gust) + 1.3 * howl * gust**2


def thunder(take: Take) -> Wave:
    """A crack, then claps that roll away, lower and lower."""
    time = take.time()
    wave = 0.5 * take.noise(150.0, 3000.0, slope=3.0) * hit(time, 0.004, 0.12)
    for _ in range(5):
        start = take.draws.uniform(0.0, 0.5 * take.seconds)
        later = np.maximum(time - start, 0.0)
        roll = hit(later, 0.06, take.draws.uniform(0.25, 0.6)) * (time >= start)
        rumble = take.noise(40.0, take["pitch"] * take.draws.uniform(0.6, 1.8), slope=2.0)
        wave += rumble * roll * take.draws.uniform(0.5, 1.2)
    return wave


def stream(take: Take) -> Wave:
    """Bubbles, each a short tone that rises, over a soft rush."""
    time = take.time(0.05)
    bubbles = []
    for _ in range(24):
        hz = 350 * 6 ** take.draws.uniform(0, 1)
        decay = take.draws.uniform(0.006, 0.016)
        turns = hz * (time + 4.0 * time**2)
        bubbles.append(np.sin(2 * np.pi * turns) * hit(time, 0.002, decay))
    times = take.times(90.0 * take["rate"])
    wave = take.scatter(times, 0.2 + take.random(len(times)), bubbles)
    return wave + 0.12 * take.noise(300.0, 2500.0, slope=2.0) * (1 + 0.3 * take.drift(3.0))


def waves(take: Take) -> Wave:
    """Waves that swell, break in a wide hiss, and draw back."""
    turns = take.time() * take["rate"] + take.draws.uniform(0.0, 0.4)
    place = turns % 1.0
    swell = np.where(place < 0.45, (place / 0.45) ** 2, np.exp(-(place - 0.45) / 0.17))
    hiss = np.where(place < 0.4, 0.0, np.minimum((place - 0.4) / 0.08, 1.0))
    hiss = hiss * np.exp(-np.maximum(place - 0.48, 0.0) / 0.25)
    low = take.noise(80.0, 700.0, slope=3.0)
    high = take.noise(1200.0, 6000.0, slope=1.0)
    return low * (0.1 + swell) + 0.7 * high * (0.03 + hiss)


def fire(take: Take) -> Wave:
    """Crackles of all sizes over a low flutter."""
    times = take.times(22.0 * take["rate"])
    levels = np.minimum(0.25 / (0.03 + take.random(len(times))), 5.0)
    time = take.time(0.02)
    crackles = [
        filtered(take.white(0.02), take.sample_rate, take.draws.uniform(500, 2500), 7000.0)
        * hit(time, 0.0004, take.draws.uniform(0.001, 0.004))
        for _ in range(8)
    ]
    flutter = take.noise(40.0, 250.0, slope=3.0) * (0.6 + 0.4 * take.drift(9.0))
    return take.scatter(times, levels, crackles) + 0.25 * flutter


def bubbling(take: Take) -> Wave:
    """Boiling water: low bubbles that come one upon the other, and the pot's murmur."""
    time = take.time(0.12)
    bubbles = []
    for _ in range(16):
        hz = take["pitch"] * take.draws.uniform(0.7, 1.5)
        turns = hz * (time + 3.0 * time**2)
        bubbles.append(np.sin(2 * np.pi * turns) * arch(len(time), 0.15, 0.6))
    times = take.times(16.0 * take["rate"])
    wave = take.scatter(times, 0.3 + take.random(len(times)), bubbles)
    return wave + 0.1 * take.noise(60.0, 300.0)


KINDS = (
    Kind(
        "rain",
        rain,
        Lasting(),
        (
            strength(
                0.3,
                2.0,
                Words(("light", "gentle"), ("lightly", "gently")),
                Words(("heavy", "hard"), ("heavily", "hard")),
            ),
        ),
        Wording(
            (
                "{} rain fall[s|ing]",
                "{} rain patter[s|ing] down",
                "[it rains|rain coming down]",
                "drops of {} rain fall[|ing]",
                "a {} shower pass[es|ing] over",
            ),
            (
                "{} rainfall",
                "the patter of {} rain",
                "a {} rain shower",
            ),
            ("{} rain pour[s|ing] from the sky", "drops of {} rain drum[|ming] on the ground"),
            ("a {} shower of rain",),
        ),
        indoors=False,
    ),
    Kind(
        "wind",
        wind,
        Lasting(),
        (
            strength(
                0.6,
                1.8,
                Words(("gentle", "light"), ("gently",)),
                Words(("strong", "fierce"), ("strongly", "fiercely")),
            ),
            pitch(280.0, 750.0),
        ),
        Wording(
            (
                "{} wind blow[s|ing]",
                "a {} wind howl[s|ing]",
                "the wind whistl[es|ing]",
                "{} gusts of wind blow[|ing]",
                "a {} breeze blow[s|ing]",
            ),
            (
                "{} wind",
                "howling {} wind",
                "a {} breeze",
            ),
            ("a {} breeze whistle[s|ing] past", "{} gusts howl[|ing]"),
            ("{} gusts of wind",),
        ),
        indoors=False,
    ),
    Kind(
        "thunder",
        thunder,
        Counted((1.3, 2.6), most=2, gap=(0.1, 0.3), ring=0.4),
        (pitch(130.0, 400.0),),
        Wording(
            (
                "thunder rumbl[es|ing]",
                "{} thunder roll[s|ing]",
                "thunder crash[es|ing]",
                "a {} thunderstorm rumble[s|ing]",
                "it thunder[s|ing]",
            ),
            (
                "{} clap[|s] of thunder",
                "{} roll[|s] of thunder",
                "{} crash[|es] of thunder",
            ),
            ("the sky rumble[s|ing] with thunder", "a {} thunderstorm crash[es|ing]"),
            ("{} peal[|s] of thunder",),
        ),
        indoors=False,
    ),
    Kind(
        "stream",
        stream,
        Lasting(),
        (rate(0.5, 1.8),),
        Wording(
            (
                "a {} stream flow[s|ing]",
                "a {} brook babbl[es|ing]",
                "water trickl[es|ing]",
                "a {} creek run[s|ning] over stones",
                "{} water splash[es|ing] along",
            ),
            (
                "the gurgling of a {} stream",
                "{} running water",
                "a {} creek",
            ),
            ("a {} creek gurgl[es|ing]", "a {} brook splash[es|ing] over stones"),
            ("the murmur of a {} creek",),
        ),
        indoors=False,
    ),
    Kind(
        "waves",
        waves,
        Lasting(),
        (rate(0.35, 0.8),),
        Wording(
            (
                "{} waves break[|ing] on a beach",
                "{} waves roll[|ing] in",
                "the sea surg[es|ing]",
                "{} waves crash[|ing] on the shore",
                "the {} surf roll[s|ing] in",
            ),
            (
                "{} ocean waves",
                "{} waves on a shore",
                "the {} surf of the sea",
            ),
            ("{} surf wash[es|ing] over the sand", "{} waves crash[|ing] ashore"),
            ("{} surf at the seaside",),
        ),
        indoors=False,
    ),
    Kind(
        "fire",
        fire,
        Lasting(),
        (
            strength(
                0.5,
                1.8,
                Words(("small", "low"), ("gently", "softly")),
                Words(("big", "roaring"), ("fiercely", "wildly")),
            ),
        ),
        Wording(
            (
                "a {} fire crackl[es|ing]",
                "a {} fire burn[s|ing]",
                "wood crackl[es|ing] in a fire",
                "{} flames crackle[|ing]",
                "a {} campfire burn[s|ing]",
            ),
            (
                "a {} crackling fire",
                "the crackle of a {} fire",
                "{} crackling flames",
            ),
            ("{} flames snap[|ping] and pop[|ping]", "a {} campfire blaz[es|ing]"),
            ("a {} burning bonfire",),
        ),
    ),
    Kind(
        "boiling",
        bubbling,
        Lasting(),
        (
            strength(
                0.6,
                1.6,
                Words(("gentle", "slow"), ("gently", "slowly")),
                Words(("vigorous", "lively"), ("vigorously", "hard")),
            ),
            pitch(160.0, 420.0),
        ),
        Wording(
            (
                "water boil[s|ing]",
                "water bubbl[es|ing] in a pot",
                "a pot bubbl[es|ing]",
                "a stew simmer[s|ing]",
                "a kettle boil[s|ing]",
            ),
            (
                "boiling water",
                "the {} bubbling of a pot",
                "the {} boil of a kettle",
            ),
            ("a kettle simmer[s|ing]", "a stew seeth[es|ing] on the stove"),
            ("the {} simmering of a stew",),
        ),
    ),
)
