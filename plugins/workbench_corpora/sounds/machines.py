"""Machines: motors, rotors, wheels and tools."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, arch, falling, glide, hit, resonant
from workbench_corpora.sounds.timing import Counted, Lasting


def engine(take: Take) -> Wave:
    """Firing pulses through a pipe, a little uneven, with the cylinders not quite alike."""
    hz = take["rate"] * (1 + 0.05 * take.drift(1.5))
    levels = falling(0.9, 60)
    levels[1::2] *= 0.7
    fire = take.tone(hz, levels)
    pipe = ((90.0, 80.0, 1.0), (230.0, 120.0, 0.6), (520.0, 250.0, 0.25))
    rattle = take.noise(300.0, 2500.0, slope=4.0) * (0.4 + np.abs(fire) / np.max(np.abs(fire)))
    wave = resonant(fire, take.sample_rate, pipe, floor=0.03)
    wave /= float(np.std(wave))
    wave += 0.25 * rattle
    return wave


def helicopter(take: Take) -> Wave:
    """Blades that chop the air, and a turbine's faint whine."""
    place = (take.time() * take["rate"] * (1 + 0.01 * take.drift(1.0))) % 1.0
    chop: Wave = np.exp(-place / 0.16) * np.minimum(place / 0.03, 1.0)
    thump = take.noise(40.0, 220.0, slope=2.0)
    swish = take.noise(400.0, 2500.0, slope=2.0)
    whine = take.tone(take.draws.uniform(1100.0, 1800.0), (1.0, 0.3))
    return 1.6 * thump * chop + 0.35 * swish * (0.1 + chop) + 0.02 * whine


def train(take: Take) -> Wave:
    """Wheels over rail joints, two knocks and a pause, on a heavy rumble."""
    rumble = take.noise(35.0, 400.0, slope=3.0) * (0.8 + 0.2 * take.drift(2.0))
    pair = 1 / take["rate"]
    starts = np.arange(0.1 * pair, take.seconds, pair)
    times = np.sort(np.concatenate([starts, starts + 0.28 * pair]))
    times = times[times < take.seconds - 0.01]
    body = [(190.0, 0.03, 1.0), (480.0, 0.025, 0.7), (1150.0, 0.02, 0.5), (2400.0, 0.012, 0.3)]
    knock = take.struck(body, 0.15)
    knock += 0.4 * take.white(0.15) * hit(take.time(0.15), 0.001, 0.012)
    levels = 1.0 + 0.3 * take.random(len(times))
    return 0.35 * rumble + 1.5 * take.scatter(times, levels, [knock])


def drill(take: Take) -> Wave:
    """An electric drill: a whine that runs up, bites, and runs down."""
    count = take.count(take.seconds)
    speed = glide(count, 0.55, 1.0, 1.02, 0.93, 0.97, 0.95, 0.98, 0.6)
    whine = take.tone(take["pitch"] * speed, falling(0.93, 40))
    gear = resonant(whine, take.sample_rate, ((2300.0, 1500.0, 1.0), (4200.0, 1500.0, 0.6)), 0.25)
    bite = take.noise(1500.0, 7000.0) * (0.6 + 0.4 * take.drift(25.0))
    return (gear + 0.25 * bite) * arch(count, 0.06, 0.1)


def saw(take: Take) -> Wave:
    """A hand saw: strokes to and fro, each a run of teeth, the way back lighter."""
    turns = take.time() * take["rate"]
    place = (2 * turns) % 1.0
    back = np.floor(2 * turns) % 2
    stroke = np.sin(np.pi * place) ** 0.7 * (1 - 0.45 * back)
    rasp = take.tone(120.0 + 260.0 * np.sin(np.pi * place), falling(0.97, 40))
    wood = ((620.0, 250.0, 0.7), (1500.0, 500.0, 1.0), (3400.0, 1200.0, 0.7))
    bite = resonant(rasp, take.sample_rate, wood, floor=0.05)
    grit = np.where(back > 0, take.noise(1500.0, 7000.0), take.noise(700.0, 4500.0))
    return (bite / float(np.std(bite)) + 0.7 * grit) * stroke


def vacuum(take: Take) -> Wave:
    """A vacuum cleaner: a steady motor tone within a steady rush of air."""
    motor = take.tone(take["pitch"] * (1 + 0.004 * take.drift(4.0)), falling(0.7, 12))
    air = take.noise(250.0, 5000.0, slope=2.5)
    return 0.8 * motor + air


def horn(take: Take) -> Wave:
    """A car horn: two reedy tones, a third apart."""
    reed = falling(0.86, 30)
    wave = take.tone(take["pitch"], reed) + take.tone(take["pitch"] * 1.26, reed)
    formed = resonant(wave, take.sample_rate, ((1400.0, 1200.0, 0.8), (2900.0, 1200.0, 0.5)), 0.3)
    return formed * arch(len(wave), 0.04, 0.08)


def steam(take: Take) -> Wave:
    """A steam train's puffs: broad noise, four to a turn of the wheels, the first the strongest."""
    turns = take.time() * take["rate"]
    place = turns % 1.0
    accent = np.where(np.floor(turns) % 4 == 0, 1.0, 0.7)
    steam = take.noise(300.0, 4500.0, slope=2.5)
    return steam * accent * np.minimum(place / 0.08, 1.0) * np.exp(-place / 0.3)


KINDS = (
    Kind(
        "engine",
        engine,
        Lasting(),
        (rate(24.0, 85.0),),
        Wording(
            (
                "an engine run[s|ning]",
                "a car engine hum[s|ming]",
                "a motor rev[s|ving]",
                "a truck motor run[s|ning]",
                "an automobile engine idle[s|ing]",
            ),
            (
                "a {} running engine",
                "the {} hum of a motor",
                "an {} engine",
            ),
            ("a truck motor idle[s|ing]", "an automobile motor rev[s|ving]"),
            ("a {} truck motor",),
        ),
        indoors=False,
    ),
    Kind(
        "helicopter",
        helicopter,
        Lasting(),
        (rate(8.0, 17.0),),
        Wording(
            (
                "a helicopter hover[s|ing]",
                "a helicopter fl[ies|ying] over",
                "rotor blades chop[|ping]",
                "a chopper fl[ies|ying]",
                "a helicopter pass[es|ing] above",
            ),
            (
                "the {} beat of a helicopter",
                "{} rotor blades",
                "a {} chopper",
            ),
            ("a chopper pass[es|ing] overhead", "a helicopter circl[es|ing] above"),
            ("the {} blades of a chopper",),
        ),
        indoors=False,
    ),
    Kind(
        "train",
        train,
        Lasting(),
        (rate(1.0, 2.6),),
        Wording(
            (
                "a {} train pass[es|ing]",
                "a {} train clatter[s|ing] by",
                "a train rattle[s|ing]",
                "a {} locomotive pass[es|ing] by",
                "railway cars roll[|ing] by",
            ),
            (
                "a {} train on rails",
                "the clatter of a {} train",
                "a {} railway train",
            ),
            ("railway cars rattle[|ing] along the tracks", "a {} locomotive roll[s|ing] past"),
            ("a {} railway carriage",),
        ),
        indoors=False,
    ),
    Kind(
        "drill",
        drill,
        Counted((0.7, 1.5), most=3, gap=(0.15, 0.4)),
        (pitch(140.0, 330.0),),
        Wording(
            (
                "a {} drill whirr[s|ing]",
                "someone drill[s|ing]",
                "a {} power drill run[s|ning]",
                "a {} electric drill run[s|ning]",
                "someone drill[s|ing] a hole",
            ),
            (
                "{} burst[|s] of a drill",
                "{} whirr[|s] of a power drill",
                "{} whirr[|s] of an electric drill",
            ),
            ("an electric drill make[s|ing] a hole", "a worker drill[s|ing] a hole"),
            ("{} burst[|s] of an electric drill",),
        ),
    ),
    Kind(
        "saw",
        saw,
        Lasting(),
        (rate(0.8, 2.0),),
        Wording(
            (
                "someone saw[s|ing] wood",
                "a {} saw cut[s|ting] wood",
                "a hand saw rasp[s|ing]",
                "a carpenter saw[s|ing]",
                "someone cut[s|ting] a plank with a saw",
            ),
            (
                "{} sawing of wood",
                "{} strokes of a saw",
                "{} strokes of a handsaw",
            ),
            ("a carpenter saw[s|ing] a plank", "a {} handsaw cut[s|ting] through a plank"),
            ("{} sawing of a plank",),
        ),
    ),
    Kind(
        "vacuum",
        vacuum,
        Lasting(),
        (pitch(180.0, 420.0),),
        Wording(
            (
                "a {} vacuum cleaner run[s|ning]",
                "someone vacuum[s|ing]",
                "a {} vacuum hum[s|ming]",
                "a {} hoover run[s|ning]",
                "someone vacuum[s|ing] the carpet",
            ),
            (
                "a {} vacuum cleaner",
                "the {} roar of a vacuum cleaner",
                "a {} hoover",
            ),
            ("a {} hoover hum[s|ming]", "a {} vacuum cleaner clean[s|ing] the carpet"),
            ("the {} roar of a hoover",),
        ),
    ),
    Kind(
        "steam",
        steam,
        Lasting(),
        (rate(2.2, 6.0),),
        Wording(
            (
                "a {} steam engine puff[s|ing]",
                "a steam train chug[s|ging]",
                "a {} steam engine chug[s|ging]",
                "a {} steam locomotive puff[s|ing]",
                "an old locomotive chug[s|ging]",
            ),
            (
                "the {} puffing of a steam engine",
                "a {} chugging steam train",
                "a {} steam locomotive",
            ),
            ("an old locomotive puff[s|ing]", "a {} steam locomotive huff[s|ing] and puff[s|ing]"),
            ("the {} chugging of an old locomotive",),
        ),
        indoors=False,
    ),
    Kind(
        "horn",
        horn,
        Counted((0.35, 0.9), most=3, gap=(0.1, 0.35)),
        (pitch(280.0, 520.0),),
        Wording(
            (
                "a car horn honk[s|ing]",
                "a {} horn blow[s|ing]",
                "a car honk[s|ing]",
                "a vehicle honk[s|ing]",
                "a driver sound[s|ing] the horn",
            ),
            (
                "{} honk[|s] of a car",
                "{} car horn[|s]",
                "{} honk[|s] of a horn",
            ),
            ("a vehicle sound[s|ing] its horn", "an angry driver honk[s|ing]"),
            ("{} honk[|s] of a vehicle",),
        ),
        indoors=False,
    ),
)
