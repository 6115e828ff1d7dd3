"""Birds: chirps, hoots and crowing."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, arch, falling, glide, hit, resonant
from workbench_corpora.sounds.timing import Counted, Paced


def bird(take: Take) -> Wave:
    """A chirp: a clear tone that sweeps up, down or both, each bird with its own figure."""
    count = take.count(take.seconds)
    figure = ((0.8, 1.25), (1.3, 0.85), (0.85, 1.3, 0.9), (1.2, 0.85, 1.15))
    points = take.draws.pick(figure)
    hz = take["pitch"] * take.draws.uniform(0.95, 1.05) * glide(count, *points)
    return take.tone(hz, (1.0, 0.12, 0.03)) * arch(count, 0.3, 0.4)


def owl(take: Take) -> Wave:
    """A hoot: a soft low tone, nearly without overtones, that swells and sinks."""
    count = take.count(take.seconds)
    hz = take["pitch"] * glide(count, 0.92, 1.03, 1.0, 0.94)
    breath = 0.04 * take.noise(200.0, 1200.0)
    return (take.tone(hz, (1.0, 0.08, 0.03)) + breath) * arch(count, 0.3, 0.4)


def rooster(take: Take) -> Wave:
    """A crow: cock-a-doodle-doo in four raw syllables, the third the highest, the last long."""
    time = take.time()
    count = len(time)
    hz = take["pitch"] * glide(count, 0.7, 0.8, 0.75, 1.0, 1.25, 1.2, 1.1, 0.8)
    cry = take.tone(hz, falling(0.8, 40)) * (1 + 0.3 * take.noise(100.0, 2000.0))
    place = time / take.seconds
    gates = sum(
        np.clip(12 * np.minimum(place - start, end - place) / (end - start), 0.0, 1.0)
        for start, end in ((0.0, 0.14), (0.17, 0.27), (0.30, 0.48), (0.50, 1.0))
    )
    mouth = ((1200.0, 400.0, 1.0), (2200.0, 500.0, 0.7), (3300.0, 600.0, 0.3))
    return resonant(cry, take.sample_rate, mouth) * gates * hit(time, 0.01, 3.0)


KINDS = (
    Kind(
        "bird",
        bird,
        Paced(0.13, swing=0.12),
        (rate(2.5, 6.0), pitch(2200.0, 5000.0)),
        Wording(
            (
                "a bird chirp[s|ing]",
                "a {} bird sing[s|ing]",
                "a bird tweet[s|ing]",
                "a sparrow chirp[s|ing]",
                "a songbird sing[s|ing]",
            ),
            (
                "{} birdsong",
                "the {} chirping of a bird",
                "the {} tweets of a bird",
            ),
            ("a sparrow sing[s|ing] its song", "a songbird tweet[s|ing]"),
            ("the {} tweets of a songbird",),
        ),
        indoors=False,
    ),
    Kind(
        "owl",
        owl,
        Counted((0.35, 0.7), most=3, gap=(0.15, 0.4)),
        (pitch(260.0, 520.0),),
        Wording(
            (
                "an {} owl hoot[s|ing]",
                "an owl call[s|ing]",
                "an {} owl cr[ies|ying]",
                "a {} barn owl hoot[s|ing]",
                "an {} owl hoot[s|ing] in the night",
            ),
            (
                "{} hoot[|s] of an owl",
                "{} owl call[|s]",
                "{} cr[y|ies] of an owl",
            ),
            ("an {} owl call[s|ing] from a tree", "a {} night owl hoot[s|ing]"),
            ("{} hoot[|s] in the night",),
        ),
        indoors=False,
    ),
    Kind(
        "rooster",
        rooster,
        Counted((1.2, 1.8), most=2, gap=(0.2, 0.5)),
        (pitch(420.0, 760.0),),
        Wording(
            (
                "a {} rooster crow[s|ing]",
                "a {} cock crow[s|ing]",
                "a {} rooster call[s|ing]",
                "a {} cockerel crow[s|ing]",
                "a {} rooster crow[s|ing] in the morning",
            ),
            (
                "{} crow[|s] of a rooster",
                "{} rooster call[|s]",
                "{} cockcrow[|s]",
            ),
            ("a cockerel crow[s|ing] at dawn", "a {} cockerel call[s|ing] in the morning"),
            ("{} crow[|s] of a cockerel",),
        ),
        indoors=False,
    ),
)
