"""Signals that people make machines give: sirens, alarms, bells, whistles."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Wording, pitch, rate
from workbench_corpora.sounds.take import Take, Wave, arch, falling, hit, resonant
from workbench_corpora.sounds.timing import Counted, Lasting, Paced


def siren(take: Take) -> Wave:
    """A wail: a horn whose pitch goes up and down without a break."""
    turns = take.time() * take["rate"] + take.draws.uniform(0, 1)
    hz = take["pitch"] * 2 ** (0.55 * np.sin(2 * np.pi * turns))
    wail = take.tone(hz, falling(0.7, 16))
    return resonant(wail, take.sample_rate, ((1100.0, 900.0, 0.8), (2600.0, 900.0, 0.4)), 0.3)


def alarm(take: Take) -> Wave:
    """An electronic beep: an even, hollow tone switched on and off."""
    levels = np.zeros(9)
    levels[::2] = 1 / np.arange(1, 10, 2)
    wave = take.tone(take["pitch"], levels)
    return wave * arch(len(wave), 0.03, 0.03)


def phone(take: Take) -> Wave:
    """An old telephone's ring: a clapper between two small bells, twenty times a second."""
    strikes = np.arange(0, take.seconds - 0.02, 1 / take.draws.uniform(38, 46))
    bells = []
    for ratio in (1.0, 1.19):
        hz = take["pitch"] * ratio
        modes = [(hz, 0.16, 1.0), (2.71 * hz, 0.09, 0.8), (4.9 * hz, 0.05, 0.4)]
        bells.append(take.struck(modes, 0.5))
    levels = 0.8 + 0.4 * take.random(len(strikes))
    wave = take.scatter(strikes, levels, bells)
    return wave * arch(len(wave), 0.02, 0.3)


def whistle(take: Take) -> Wave:
    """A referee's whistle: a high tone that the pea inside makes flutter, and breath."""
    time = take.time()
    flutter = np.sin(2 * np.pi * take.draws.uniform(28.0, 40.0) * time)
    tone = take.tone(take["pitch"] * (1 + 0.02 * flutter), (1.0, 0.15, 0.05))
    breath = take.noise(2000.0, 7000.0)
    return (tone * (0.7 + 0.3 * flutter) + 0.12 * breath) * arch(len(time), 0.05, 0.08)


def bell(take: Take) -> Wave:
    """A church bell: the partials of a bell, the hum an octave below the strike note."""
    hz = take["pitch"]
    partials = ((0.5, 1.6, 0.5), (1.0, 1.2, 0.8), (1.19, 1.0, 0.9), (1.5, 0.6, 0.4),
                (2.0, 0.7, 1.0), (2.51, 0.35, 0.4), (3.01, 0.3, 0.4), (4.17, 0.18, 0.3),
                (5.43, 0.1, 0.2))  # fmt: skip
    modes = [(hz * ratio, decay, level) for ratio, decay, level in partials]
    clapper = 0.15 * take.noise(1000.0, 6000.0, seconds=0.03) * hit(take.time(0.03), 0.001, 0.006)
    wave = take.struck(modes)
    wave[: len(clapper)] += clapper[: len(wave)]
    return wave


def doorbell(take: Take) -> Wave:
    """Ding-dong: two chime bars, the second a third lower."""
    wave = np.zeros(take.count(take.seconds))
    for start, ratio in ((0.0, 1.0), (0.38, 0.794)):
        hz = take["pitch"] * ratio
        bar = take.struck([(hz, 0.4, 1.0), (2.76 * hz, 0.15, 0.25), (5.4 * hz, 0.05, 0.1)])
        first = take.count(start)
        wave[first:] += bar[: len(wave) - first]
    return wave


def chime(take: Take) -> Wave:
    """A wind chime: small tubes of a pentatonic set, struck at random."""
    hz = take["pitch"]
    tubes = [
        take.struck([(hz * r, 0.5, 1.0), (2.76 * hz * r, 0.25, 0.4), (5.4 * hz * r, 0.1, 0.1)], 2.0)
        for r in (1.0, 1.125, 1.25, 1.5, 1.667)
    ]
    times = take.times(take["rate"])
    return take.scatter(times, 0.3 + take.random(len(times)), tubes)


KINDS = (
    Kind(
        "siren",
        siren,
        Lasting(),
        (rate(0.35, 1.6), pitch(600.0, 1150.0)),
        Wording(
            (
                "a {} siren wail[s|ing]",
                "a {} siren sound[s|ing]",
                "an ambulance siren wail[s|ing]",
                "a {} police siren wail[s|ing]",
                "a fire truck pass[es|ing] with its siren on",
            ),
            (
                "a {} siren",
                "the {} wailing of a siren",
                "the {} siren of an ambulance",
            ),
            ("a fire truck wail[s|ing]", "a police car sound[s|ing] its siren"),
            ("the {} wailing of an ambulance",),
        ),
        indoors=False,
    ),
    Kind(
        "alarm",
        alarm,
        Paced(0.12, swing=0.0),
        (rate(2.0, 5.5), pitch(900.0, 2600.0)),
        Wording(
            (
                "an alarm beep[s|ing]",
                "an {} alarm go[es|ing] off",
                "a {} alarm clock beep[s|ing]",
                "a smoke detector beep[s|ing]",
                "an electronic {} alarm sound[s|ing]",
            ),
            (
                "an {} alarm",
                "the {} beeping of an alarm",
                "{} electronic beeps",
            ),
            ("an electronic device beep[s|ing]", "a smoke detector go[es|ing] off"),
            ("the {} beeps of a smoke detector",),
        ),
    ),
    Kind(
        "phone",
        phone,
        Counted((0.7, 1.2), most=3, gap=(0.25, 0.5), ring=0.2),
        (pitch(900.0, 1500.0),),
        Wording(
            (
                "a {} telephone ring[s|ing]",
                "a phone ring[s|ing]",
                "an old {} phone ring[s|ing]",
                "a landline ring[s|ing]",
                "a telephone jangle[s|ing]",
            ),
            (
                "{} ring[|s] of a telephone",
                "{} phone ring[|s]",
                "{} ring[|s] of an old telephone",
            ),
            ("a landline telephone jangle[s|ing]", "an old {} telephone ring[s|ing] on a desk"),
            ("{} ring[|s] of a landline",),
        ),
    ),
    Kind(
        "whistle",
        whistle,
        Counted((0.3, 0.9), most=3, gap=(0.1, 0.35)),
        (pitch(2200.0, 3800.0),),
        Wording(
            (
                "a {} whistle blow[s|ing]",
                "a referee whistle[s|ing]",
                "someone blow[s|ing] a whistle",
                "an umpire blow[s|ing] a whistle",
                "a coach whistle[s|ing]",
            ),
            (
                "{} whistle blast[|s]",
                "{} blast[|s] of a whistle",
                "{} whistle[|s] of a referee",
            ),
            ("an umpire whistle[s|ing]", "a coach signal[s|ling] with a whistle"),
            ("{} blast[|s] of a referee's whistle",),
        ),
    ),
    Kind(
        "bell",
        bell,
        Counted((0.5, 1.1), most=4, gap=(0.1, 0.4), ring=1.5),
        (pitch(260.0, 800.0),),
        Wording(
            (
                "a {} bell ring[s|ing]",
                "a {} bell toll[s|ing]",
                "a {} church bell ring[s|ing]",
                "a {} bell chime[s|ing]",
                "a {} bell in a tower ring[s|ing]",
            ),
            (
                "{} stroke[|s] of a bell",
                "{} bell toll[|s]",
                "{} ring[|s] of a church bell",
            ),
            ("a {} church bell chime[s|ing]", "a {} bell clang[s|ing] in the tower"),
            ("{} stroke[|s] of a church bell",),
        ),
    ),
    Kind(
        "doorbell",
        doorbell,
        Counted((0.9, 1.2), most=2, gap=(0.1, 0.4), ring=0.4),
        (pitch(520.0, 900.0),),
        Wording(
            (
                "a {} doorbell ring[s|ing]",
                "a doorbell sound[s|ing]",
                "a {} doorbell chime[s|ing]",
                "someone ring[s|ing] the doorbell",
                "a {} door chime sound[s|ing]",
            ),
            (
                "{} ring[|s] of a doorbell",
                "{} ding-dong[|s]",
                "{} chime[|s] of a doorbell",
            ),
            ("a visitor ring[s|ing] the doorbell", "a front door chime ring[s|ing]"),
            ("{} chime[|s] at the front door",),
        ),
    ),
    Kind(
        "chime",
        chime,
        Lasting(),
        (rate(2.0, 7.0), pitch(900.0, 1700.0)),
        Wording(
            (
                "wind chimes tinkle[|ing]",
                "{} chimes jingle[|ing]",
                "{} wind chimes ring[|ing]",
                "small tubes of metal tinkle[|ing]",
                "wind chimes jangle[|ing]",
            ),
            (
                "{} wind chimes",
                "the tinkling of {} chimes",
                "the {} jingle of wind chimes",
            ),
            ("metal tubes tinkle[|ing] in the wind", "{} metal tubes jangle[|ing]"),
            ("the jingle of {} metal tubes",),
        ),
    ),
)
