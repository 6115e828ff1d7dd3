"""Small sounds about the house: clocks, keys, brooms."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, hit
from workbench_corpora.sounds.timing import Lasting, Paced


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


KINDS = (
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
            ),
            ("the {} ticking of a clock", "a {} ticking clock"),
            ("a grandfather clock count[s|ing] the seconds", "a metronome click[s|ing]"),
            ("the {} clicking of a metronome",),
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
            ),
            ("{} typing on a keyboard", "the {} clatter of a keyboard"),
            ("a secretary write[s|ing] on a laptop", "fingers tap[|ping] computer keys"),
            ("{} keystrokes",),
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
            ),
            ("{} sweeping with a broom", "{} strokes of a broom"),
            ("a janitor sweep[s|ing] the yard", "bristles swish[|ing] over the floor"),
            ("{} swishing bristles",),
        ),
    ),
)
