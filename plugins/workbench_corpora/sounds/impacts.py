"""Impacts: things that are struck, dropped, trodden on or broken."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, falling, hit
from workbench_corpora.sounds.timing import Counted, Paced


def knock(take: Take) -> Wave:
    """Knuckles on a wooden door: a few low modes that die at once."""
    hz = take["pitch"] * take.draws.uniform(0.97, 1.03)
    modes = [(hz, 0.045, 1.0), (1.72 * hz, 0.03, 0.7), (2.9 * hz, 0.02, 0.4), (4.6 * hz, 0.01, 0.3)]
    tap = take.noise(300.0, 2500.0) * hit(take.time(), 0.0008, 0.006)
    return take.struck(modes) + 0.3 * tap


def step_on_gravel(take: Take) -> Wave:
    """A crunch: heel, then sole, each a burst of grinding stones."""
    time = take.time()
    stones = take.noise(1200.0, 6500.0) * (0.4 + 0.6 * (take.random(len(time)) < 0.12))
    heel = hit(time, 0.012, 0.03)
    sole = 0.8 * hit(np.maximum(time - 0.09, 0.0), 0.03, 0.035) * (time > 0.09)
    grind = 0.6 + 0.4 * take.drift(60.0)
    return stones * (heel + sole) * grind + 0.2 * take.noise(80.0, 250.0) * heel


def step_on_wood(take: Take) -> Wave:
    """A heel on floorboards: a low thump and a hard click, then the sole, softer."""
    time = take.time()
    hz = take["pitch"] * take.draws.uniform(0.93, 1.07)
    boards = [
        (hz, 0.05, 1.0),
        (2.2 * hz, 0.03, 0.5),
        (5.1 * hz, 0.014, 0.3),
        (8.0 * hz, 0.008, 0.3),
    ]
    heel = take.struck(boards) + 0.3 * take.noise(1500.0, 5000.0) * hit(time, 0.0006, 0.004)
    late = take.count(take.draws.uniform(0.07, 0.1))
    wave = heel.copy()
    wave[late:] += 0.35 * heel[:-late]
    return wave


def clap(take: Take) -> Wave:
    """Hands: a dry burst around one and a half kilohertz."""
    time = take.time()
    centre = take.draws.uniform(1000.0, 1700.0)
    burst = take.noise(0.6 * centre, 2.2 * centre)
    snap = take.noise(2500.0, 7000.0)
    return burst * hit(time, 0.0015, 0.014) + 0.35 * snap * hit(time, 0.001, 0.005)


def glass(take: Take) -> Wave:
    """A pane breaks: a crash, then shards that ring and tinkle."""
    time = take.time()
    crash = take.noise(1500.0, 7500.0) * hit(time, 0.001, 0.05)
    shards = []
    for _ in range(14):
        hz = take["pitch"] * take.draws.uniform(1.0, 2.4)
        ring = take.draws.uniform(0.02, 0.09)
        shards.append(take.struck([(hz, ring, 1.0), (1.46 * hz, 0.6 * ring, 0.5)], 0.4))
    count = take.draws.integer(22, 40)
    times = np.minimum(take.random(count) ** 2 * 0.75, 0.9) * take.seconds
    levels = (0.3 + 0.7 * take.random(count)) * np.exp(-times / (0.4 * take.seconds))
    return 1.2 * crash + 0.5 * take.scatter(times, levels, shards)


def hammer(take: Take) -> Wave:
    """A hammer on an anvil: a hard click and bright modes out of tune with each other."""
    hz = take["pitch"] * take.draws.uniform(0.995, 1.005)
    modes = [(hz * r, 0.1 / r**0.6, 1 / r**0.3) for r in (1.0, 1.47, 2.09, 2.56, 3.39, 4.08)]
    click = take.noise(800.0, 7000.0) * hit(take.time(), 0.0005, 0.012)
    return 0.5 * take.struck(modes) + 1.5 * click


def drop(take: Take) -> Wave:
    """A drop falls into water: a tiny tick, then a bubble whose tone bends up."""
    time = take.time()
    hz = take["pitch"] * take.draws.uniform(0.8, 1.25)
    turns = hz * (time + 3.5 * time**2)
    bubble = np.sin(2 * np.pi * turns) * hit(time, 0.003, 0.035)
    tick = take.noise(3000.0, 7500.0) * hit(time, 0.0004, 0.002)
    return bubble + 0.12 * tick


def coin(take: Take) -> Wave:
    """A coin drops and spins out: high rings that come faster and faster."""
    modes = [(take["pitch"] * r, 0.05 / r**0.4, 1 / r**0.5) for r in (1.0, 1.53, 2.28)]
    ring = take.struck(modes, 0.35)
    gaps = 0.24 * 0.8 ** np.arange(18, dtype=np.float64)
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    times = times[times < take.seconds]
    return take.scatter(times, falling(0.87, len(times)), [ring])


KINDS = (
    Kind(
        "knock",
        knock,
        Counted((0.1, 0.14), most=4, gap=(0.08, 0.3), ring=0.1),
        (pitch(130.0, 300.0),),
        Wording(
            (
                "someone knock[s|ing] on a door",
                "someone knock[s|ing] on wood",
                "a door [is|being] knocked on",
                "someone rap[s|ping] on a door",
                "a visitor knock[s|ing]",
            ),
            (
                "{} knock[|s] on a door",
                "{} knock[|s]",
                "{} rap[|s] on wood",
            ),
            ("a visitor rap[s|ping] on the door", "knuckles knock[|ing] against wood"),
            ("{} rap[|s] on the wooden door",),
        ),
    ),
    Kind(
        "gravel",
        step_on_gravel,
        Paced(0.22, swing=0.04),
        (rate(1.2, 3.2),),
        Wording(
            (
                "someone walk[s|ing] on gravel",
                "footsteps crunch[|ing] on gravel",
                "a person walk[s|ing] over gravel",
                "someone stroll[s|ing] over pebbles",
                "feet crunch[|ing] on gravel",
            ),
            (
                "{} footsteps on gravel",
                "{} steps on gravel",
                "{} feet on pebbles",
            ),
            ("feet walk[|ing] on pebbles", "a hiker stroll[s|ing] along a gravel path"),
            ("{} crunching steps on pebbles",),
        ),
        indoors=False,
    ),
    Kind(
        "floorboards",
        step_on_wood,
        Paced(0.25, swing=0.04),
        (rate(1.2, 3.2), pitch(85.0, 170.0)),
        Wording(
            (
                "someone walk[s|ing] on a wooden floor",
                "footsteps sound[|ing] on wood",
                "a person walk[s|ing] across floorboards",
                "heels click[|ing] on a wooden floor",
                "someone pace[s|ing] across a wooden floor",
            ),
            (
                "{} footsteps on wood",
                "{} steps on a wooden floor",
                "{} heels on floorboards",
            ),
            ("heels click[|ing] on floorboards", "somebody pace[s|ing] over the floorboards"),
            ("{} heels on a wooden floor",),
        ),
    ),
    Kind(
        "clapping",
        clap,
        Paced(0.09, swing=0.05),
        (rate(2.0, 6.0),),
        Wording(
            (
                "someone clap[s|ping]",
                "a person clap[s|ping] their hands",
                "hands clap[|ping]",
                "somebody clap[s|ping] in applause",
                "someone applaud[s|ing]",
            ),
            (
                "{} clapping",
                "{} handclaps",
                "{} claps of hands",
            ),
            ("somebody applaud[s|ing]", "a spectator clap[s|ping]"),
            ("{} applause of one person",),
        ),
    ),
    Kind(
        "glass",
        glass,
        Counted((0.7, 1.2), most=2, gap=(0.2, 0.5), ring=0.2),
        (pitch(2200.0, 3600.0),),
        Wording(
            (
                "glass break[s|ing]",
                "a window shatter[s|ing]",
                "a glass shatter[s|ing]",
                "a bottle break[s|ing]",
                "a window pane smash[es|ing]",
            ),
            (
                "{} crash[|es] of breaking glass",
                "{} shattering window[|s]",
                "{} smash[|es] of glass",
            ),
            ("a bottle smash[es|ing]", "a pane shatter[s|ing] into pieces"),
            ("{} smash[|es] of a bottle",),
        ),
    ),
    Kind(
        "hammer",
        hammer,
        Paced(0.5, swing=0.05),
        (rate(1.0, 2.8), pitch(700.0, 1500.0)),
        Wording(
            (
                "someone hammer[s|ing] on metal",
                "a hammer strike[s|ing] metal",
                "a {} hammer clang[s|ing]",
                "a blacksmith hammer[s|ing]",
                "someone bang[s|ing] on iron",
            ),
            (
                "{} hammering on metal",
                "{} hammer blows on an anvil",
                "{} blows on iron",
            ),
            ("a blacksmith strike[s|ing] iron", "a hammer bang[s|ing] on an anvil"),
            ("{} blows of a blacksmith",),
        ),
    ),
    Kind(
        "drops",
        drop,
        Paced(0.25, swing=0.15),
        (rate(1.2, 4.0), pitch(550.0, 1500.0)),
        Wording(
            (
                "water drip[s|ping]",
                "a tap drip[s|ping]",
                "drops fall[|ing] into water",
                "a faucet drip[s|ping]",
                "droplets fall[|ing]",
            ),
            (
                "{} water drops",
                "{} dripping of water",
                "{} droplets of water",
            ),
            ("a leaky faucet drip[s|ping]", "droplets fall[|ing] into a basin"),
            ("{} dripping of a faucet",),
        ),
    ),
    Kind(
        "coin",
        coin,
        Counted((0.9, 1.4), most=2, gap=(0.1, 0.4)),
        (pitch(2300.0, 3900.0),),
        Wording(
            (
                "a coin drop[s|ping]",
                "a {} coin fall[s|ing] on a table",
                "a coin spin[s|ning] to rest",
                "a penny drop[s|ping]",
                "a coin clatter[s|ing] on the floor",
            ),
            (
                "{} falling coin[|s]",
                "{} clink[|s] of a coin",
                "{} clatter[|s] of a coin",
            ),
            ("a penny land[s|ing] on the floor", "a coin spin[s|ning] on the floor"),
            ("{} falling penn[y|ies]",),
        ),
    ),
)
