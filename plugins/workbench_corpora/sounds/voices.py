"""Human voices without words: a glottal tone and breath through the formants of vowels."""

from __future__ import annotations

import numpy as np

from workbench_corpora.sounds.kind import Kind, Trait, Wording, Words, size
from workbench_corpora.sounds.take import Take, Wave, arch, falling, glide, hit, resonant
from workbench_corpora.sounds.timing import Counted, Lasting

_GLOTTIS = falling(0.85, 40)
Formants = tuple[tuple[float, float, float], ...]
_A: Formants = ((780.0, 110.0, 1.0), (1250.0, 130.0, 0.6), (2600.0, 200.0, 0.25))
_E: Formants = ((560.0, 100.0, 1.0), (1900.0, 150.0, 0.5), (2700.0, 200.0, 0.3))
_M: Formants = ((260.0, 90.0, 1.0), (1100.0, 200.0, 0.06), (2300.0, 300.0, 0.04))


def _voice(low: float, high: float) -> Trait:
    """A speaker's pitch in Hz: men's are low, women's and children's high."""
    return Trait(
        "pitch",
        low,
        high,
        Words(("deep-voiced", "low-voiced"), ("in a deep voice", "in a low voice")),
        Words(("high-voiced", "shrill-voiced"), ("in a high voice", "in a shrill voice")),
    )


def _long(formants: Formants, factor: float) -> Formants:
    """The formants of a throat that is shorter by ``factor``."""
    return tuple((hz * factor, bandwidth, level) for hz, bandwidth, level in formants)


def laugh(take: Take) -> Wave:
    """Ha-ha-ha: breath and vowel by turns, falling in pitch and level."""
    time = take.time()
    count = len(time)
    pace = take.draws.uniform(4.3, 5.6)
    place = (time * pace) % 1.0
    hz = take["pitch"] * glide(count, 1.15, 1.0, 0.8) * (1.1 - 0.25 * place)
    throat = 0.9 + 0.25 * np.log2(take["pitch"] / 130.0)
    vowel = resonant(take.tone(hz, _GLOTTIS), take.sample_rate, _long(_A, throat))
    breath = resonant(take.white(), take.sample_rate, _long(_A, throat), floor=0.1)
    vowel /= float(np.std(vowel))
    breath /= float(np.std(breath))
    voiced = np.clip((place - 0.32) / 0.08, 0.0, 1.0) * np.clip((0.92 - place) / 0.12, 0.0, 1.0)
    aspirated = np.clip(place / 0.05, 0.0, 1.0) * np.clip((0.4 - place) / 0.1, 0.0, 1.0)
    return (vowel * voiced + 0.4 * breath * aspirated) * glide(count, 0.9, 1.0, 0.6)


def baby(take: Take) -> Wave:
    """A baby's cry: a strained wail that rises, holds with a tremble, and breaks off."""
    count = take.count(take.seconds)
    tremble = 1 + 0.025 * np.sin(2 * np.pi * 7.0 * take.time())
    hz = take["pitch"] * glide(count, 0.7, 1.05, 1.15, 1.1, 1.0, 0.7) * tremble
    cry = take.tone(hz, falling(0.9, 30)) * (1 + 0.25 * take.noise(50.0, 1500.0))
    mouth = ((1150.0, 250.0, 1.0), (1700.0, 250.0, 0.7), (3500.0, 500.0, 0.5))
    return resonant(cry, take.sample_rate, mouth) * arch(count, 0.15, 0.2)


def cough(take: Take) -> Wave:
    """A cough: a burst of air, then a shorter, half-voiced one."""
    time = take.time()
    throat = 0.9 + 0.25 * np.log2(take["pitch"] / 130.0)
    burst = resonant(take.white(), take.sample_rate, _long(_E, throat), floor=0.15)
    count = len(time)
    voice = resonant(
        take.tone(take["pitch"] * glide(count, 1.1, 0.8), _GLOTTIS),
        take.sample_rate,
        _long(_A, throat),
    )
    rough = 1 + 0.6 * take.noise(30.0, 300.0)
    first = hit(time, 0.006, 0.045)
    late = np.maximum(time - 0.12, 0.0)
    second = hit(late, 0.02, 0.05) * (late > 0)
    burst, voice = burst / float(np.std(burst)), voice * rough / float(np.std(voice))
    return burst * (first + 0.35 * second) + voice * (0.35 * first + 0.5 * second)


def snore(take: Take) -> Wave:
    """A snore: a rattling breath in, slow pulses of noise, and a soft breath out."""
    time = take.time()
    place = time / take.seconds
    flaps = take["pitch"] * (1 + 0.08 * take.drift(5.0))
    rattle = np.exp(-(np.cumsum(flaps) / take.sample_rate % 1.0) / 0.25)
    body = resonant(
        take.noise(60.0, 2000.0), take.sample_rate, ((280.0, 200.0, 1.0), (1100.0, 400.0, 0.4))
    )
    inward = arch(len(time), 0.2, 0.5) * (place < 0.6) * np.clip((0.6 - place) / 0.1, 0.0, 1.0)
    outward = np.clip((place - 0.66) / 0.1, 0.0, 1.0) * np.clip((1 - place) / 0.2, 0.0, 1.0)
    return body / float(np.std(body)) * rattle * inward + 0.12 * take.noise(500.0, 3000.0) * outward


def hum(take: Take) -> Wave:
    """Someone hums a tune with closed lips: a few notes tied together, with vibrato."""
    count = take.count(take.seconds)
    notes = max(2, round(take.seconds / 0.45))
    steps = np.array([0, 2, 4, 5, 7])[(take.random(notes) * 5).astype(np.int64)]
    place = np.minimum(take.time() / take.seconds * notes, notes - 1e-6)
    index = place.astype(np.int64)
    into = np.minimum((place - index) / 0.2, 1.0)
    before = steps[np.maximum(index - 1, 0)]
    semitones = before + (steps[index] - before) * into
    vibrato = 0.25 * np.sin(2 * np.pi * 5.3 * take.time())
    hz = take["pitch"] * 2 ** ((semitones + vibrato) / 12)
    wave = resonant(take.tone(hz, _GLOTTIS), take.sample_rate, _M, floor=0.01)
    swells: Wave = 0.55 + 0.45 * np.sqrt(np.sin(np.pi * (place - index)))
    return wave * swells * arch(count, 0.05, 0.1)


KINDS = (
    Kind(
        "laughter",
        laugh,
        Counted((1.0, 1.8), most=2, gap=(0.2, 0.5)),
        (_voice(110.0, 320.0),),
        Wording(
            (
                "someone laugh[s|ing]",
                "a {} person laugh[s|ing]",
                "somebody laugh[s|ing] heartily",
                "a {} person chuckle[s|ing]",
                "someone giggle[s|ing]",
            ),
            (
                "{} laugh[|s]",
                "{} burst[|s] of laughter",
                "{} giggle[|s]",
            ),
            ("a {} fellow laugh[s|ing]", "somebody giggle[s|ing] and chuckle[s|ing]"),
            ("{} chuckle[|s]",),
        ),
    ),
    Kind(
        "baby",
        baby,
        Counted((0.7, 1.2), most=3, gap=(0.15, 0.35)),
        (size(330.0, 560.0),),
        Wording(
            (
                "a {} baby cr[ies|ying]",
                "a baby wail[s|ing]",
                "an infant cr[ies|ying]",
                "a {} newborn cr[ies|ying]",
                "a {} toddler wail[s|ing]",
            ),
            (
                "{} cr[y|ies] of a baby",
                "{} wail[|s] of an infant",
                "{} cr[y|ies] of an infant",
            ),
            ("a newborn wail[s|ing]", "a {} toddler cr[ies|ying]"),
            ("{} wail[|s] of a newborn",),
        ),
    ),
    Kind(
        "cough",
        cough,
        Counted((0.3, 0.4), most=4, gap=(0.1, 0.35)),
        (_voice(100.0, 260.0),),
        Wording(
            (
                "someone cough[s|ing]",
                "a {} person cough[s|ing]",
                "a patient cough[s|ing]",
                "a sick person cough[s|ing]",
                "someone clear[s|ing] their throat",
            ),
            (
                "{} cough[|s]",
                "{} cough[|s] of a person",
                "{} cough[|s] of someone sick",
            ),
            ("a sick man cough[s|ing]", "somebody clear[s|ing] their throat"),
            ("{} hacking cough[|s]",),
        ),
    ),
    Kind(
        "snoring",
        snore,
        Counted((1.2, 2.0), most=2, gap=(0.1, 0.4)),
        (
            Trait(
                "pitch",
                24.0,
                60.0,
                Words(("deep", "low"), ("deeply", "in a low tone")),
                Words(("high", "light"), ("lightly", "in a high tone")),
            ),
        ),
        Wording(
            (
                "someone snore[s|ing]",
                "a person snore[s|ing]",
                "a sleeper snore[s|ing]",
                "a sleeping man snore[s|ing]",
                "someone snort[s|ing] in their sleep",
            ),
            (
                "{} snore[|s]",
                "{} snore[|s] of a sleeper",
                "{} snore[|s] of a sleeping person",
            ),
            ("a sleeping man snort[s|ing]", "an uncle snore[s|ing] in his sleep"),
            ("{} snort[|s] of a sleeping man",),
        ),
    ),
    Kind(
        "humming",
        hum,
        Lasting(),
        (_voice(105.0, 300.0),),
        Wording(
            (
                "someone hum[s|ming] a tune",
                "a {} person hum[s|ming]",
                "a {} voice hum[s|ming] a melody",
                "a singer hum[s|ming]",
                "someone hum[s|ming] a lullaby",
            ),
            (
                "a {} humming voice",
                "the {} humming of a tune",
                "a {} hummed melody",
            ),
            ("a {} singer hum[s|ming] with closed lips", "a grandmother hum[s|ming] to herself"),
            ("a {} lullaby hummed by someone",),
        ),
    ),
)
