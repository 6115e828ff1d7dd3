"""Sounds about the house: doors, clocks, keys, brooms."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, arch, hit
from workbench_corpora.sounds.timing import Counted, Lasting, Paced


def tick(take: Take) -> Wave:
    """A clock's tick, and its tock on every second: a tiny dry click in a wooden case."""
    hz = take["pitch"] * (1.0 if take.number % 2 == 0 else 0.82)
    modes = [(hz, 0.008, 1.0), (1.63 * hz, 0.005, 0.8), (0.31 * hz, 0.018, 0.35)]
    return take.struck(modes) + 0.2 * take.white() * hit(take.time(), 0.0003, 0.0012)


def key(take: Take) -> Wave:
    """A key of a keyboard: its click going down, a dull stop, and a softer click coming up."""
    time = take.time()
    level = take.draws.uniform(0.6, 1.2)
    stop = take.struck([(take.draws.uniform(230.0, 420.0), 0.012, 0.6)])
    down = take.noise(1800.0, 5500.0) * hit(time, 0.0005, 0.004)
    late = np.maximum(time - take.draws.uniform(0.05, 0.07), 0.0)
    up = take.noise(2500.0, 6500.0) * hit(late, 0.0005, 0.003) * (late > 0)
    return level * (down + 0.4 * stop + 0.35 * up)


def sweeping(take: Take) -> Wave:
    """A broom: soft strokes of bristles, each a brush of air that brightens."""
    turns = take.time() * take["rate"]
    place = turns % 1.0
    stroke = np.sin(np.pi * np.minimum(place / 0.7, 1.0)) ** 2
    low, high = take.noise(500.0, 2000.0, slope=2.0), take.noise(2500.0, 7000.0)
    return stroke * (low * (1 - place) + high * place)


def slam(take: Take) -> Wave:
    """A door slams: a broad boom with the frame's rattle and the latch's click."""
    time = take.time()
    hz = take["pitch"]
    boom = take.struck([(hz, 0.14, 1.0), (1.69 * hz, 0.11, 0.9), (2.76 * hz, 0.08, 0.7)])
    crack = take.noise(120.0, 1800.0, slope=3.0) * hit(time, 0.002, 0.05)
    latch = take.noise(1500.0, 6000.0) * hit(np.maximum(time - 0.03, 0.0), 0.001, 0.008)
    rattle = take.noise(200.0, 900.0) * arch(len(time), 0.2, 0.7) * (0.5 + 0.5 * take.drift(40.0))
    return boom + 0.8 * crack + 0.25 * latch * (time > 0.03) + 0.08 * rattle


KINDS = (
    Kind(
        "slam",
        slam,
        Counted((0.4, 0.6), most=2, gap=(0.2, 0.5), ring=0.3),
        (pitch(60.0, 110.0),),
        Wording(
            (
                "a door slam[s|ming]",
                "a {} door bang[s|ing] shut",
                "someone slam[s|ming] a door",
                "a gate slam[s|ming]",
                "somebody slam[s|ming] the door shut",
            ),
            (
                "{} door slam[|s]",
                "{} slam[|s] of a door",
                "{} bang[|s] of a door",
            ),
            ("a gate bang[s|ing] shut", "somebody bang[s|ing] the door"),
            ("{} bang[|s] of a closing door",),
        ),
    ),
    Kind(
        "clock",
        tick,
        Paced(0.08, swing=0.0),
        (rate(1.0, 3.0), pitch(1700.0, 3000.0)),
        Wording(
            (
                "a clock tick[s|ing]",
                "an old clock tick[s|ing]",
                "a clock tick[s|ing] and tock[s|ing]",
                "a grandfather clock tick[s|ing]",
                "a clock click[s|ing]",
            ),
            (
                "the {} ticking of a clock",
                "a {} ticking clock",
                "the {} ticktock of a clock",
            ),
            ("a grandfather clock tock[s|ing]", "the hands of a clock tick[|ing]"),
            ("the {} clicking of an old clock",),
        ),
    ),
    Kind(
        "keyboard",
        key,
        Paced(0.1, swing=0.35),
        (rate(5.0, 11.0),),
        Wording(
            (
                "someone type[s|ing] on a keyboard",
                "a keyboard clatter[s|ing]",
                "a person type[s|ing] on a computer",
                "fingers type[|ing] on keys",
                "someone write[s|ing] on a keyboard",
            ),
            (
                "{} typing on a keyboard",
                "the {} clatter of a keyboard",
                "{} taps on a keyboard",
            ),
            ("a secretary type[s|ing] on a laptop", "fingers tap[|ping] computer keys"),
            ("{} taps on computer keys",),
        ),
    ),
    Kind(
        "broom",
        sweeping,
        Lasting(),
        (rate(0.9, 2.2),),
        Wording(
            (
                "someone sweep[s|ing] the floor",
                "a broom sweep[s|ing]",
                "a {} broom brush[es|ing] the floor",
                "bristles brush[|ing] the floor",
                "a janitor sweep[s|ing]",
            ),
            (
                "{} sweeping with a broom",
                "{} strokes of a broom",
                "{} brushing of a broom",
            ),
            ("a janitor sweep[s|ing] the yard", "bristles sweep[|ing] over the floor"),
            ("{} brushing of bristles",),
        ),
    ),
)
