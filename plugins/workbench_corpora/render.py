"""Turns a score into sound: voices, levels, room, equalisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench_corpora.draws import Draws
from workbench_corpora.score import ROLES, Score
from workbench_corpora.timbres import draw_kit, draw_timbre
from workbench_corpora.voices import DrumVoice, PitchedVoice, Wave

# Level of each role in dB, lowest and highest.
_LEVELS: Mapping[str, tuple[float, float]] = {
    "melody": (-3.0, 0.0),
    "harmony": (-6.0, -3.0),
    "bass": (-4.0, -1.0),
    "drums": (-7.0, -3.0),
}
_PEAK = 0.9
"""Largest sample of any piece."""


@dataclass(frozen=True)
class Room:
    """Reverberation and tone of a recording."""

    decay: float
    """Time constant in seconds."""
    wet: float
    """Level of the reverberation relative to the direct sound."""
    low: float
    """Gain in dB below 200 Hz."""
    high: float
    """Gain in dB above 2.5 kHz."""
    loudness: float
    """Root mean square level of the recording in dB of full scale."""


def render(
    score: Score, name: str, seconds: float, sample_rate: int, roles: Collection[str] = ROLES
) -> Wave:
    """The sound of a score, float32 ``[T]`` on the grid of 16-bit samples.

    ``name`` seeds timbres, mix and room. ``roles`` leaves out the others, for analysis.
    """
    samples = round(seconds * sample_rate)
    direct = np.zeros(samples)
    reverberant = np.zeros(samples)
    for role in ROLES:
        draws = Draws("timbre", name, role)
        level = 10 ** (draws.uniform(*_LEVELS[role]) / 20)
        if role not in roles:
            continue
        bus = _play(score, role, draws, samples, sample_rate)
        power = float(np.mean(bus**2))
        if power > 0:
            bus *= level / np.sqrt(power)
        direct += bus
        # A dry bass and soft drums keep the low end clear.
        reverberant += bus * {"bass": 0.0, "drums": 0.4}.get(role, 1.0)
    room = _draw_room(Draws("room", name))
    return _finish(direct, reverberant, room, Draws("noise", name), sample_rate)


def _play(
    score: Score, role: str, draws: Draws, samples: int, sample_rate: int
) -> NDArray[np.float64]:
    """All notes of one role, float64 ``[T]``."""
    instrument = score.instruments[role]
    voice: PitchedVoice | DrumVoice
    if role == "drums":
        seed = draws.integer(0, 2**31)
        voice = DrumVoice(draw_kit(draws, instrument), sample_rate, seed)
    else:
        voice = PitchedVoice(draw_timbre(draws, instrument), sample_rate)
    bus = np.zeros(samples, dtype=np.float32)
    for note in score.notes:
        if note.role != role:
            continue
        start = round(note.onset * sample_rate)
        wave = voice.note(note.pitch, note.duration)[: samples - start]
        bus[start : start + len(wave)] += wave * np.float32(note.velocity)
    return bus.astype(np.float64)


def _draw_room(draws: Draws) -> Room:
    return Room(
        decay=draws.uniform(0.08, 0.3),
        wet=draws.uniform(0.05, 0.35),
        low=draws.uniform(-3.0, 3.0),
        high=draws.uniform(-2.0, 7.0),
        loudness=draws.uniform(-23.0, -17.0),
    )


def _finish(
    direct: NDArray[np.float64],
    reverberant: NDArray[np.float64],
    room: Room,
    draws: Draws,
    sample_rate: int,
) -> Wave:
    """Direct sound and its reverberation, equalised, at the room's loudness, in 16-bit steps."""
    samples = len(direct)
    tail = int(4 * room.decay * sample_rate)
    noise = np.random.Generator(np.random.PCG64(draws.integer(0, 2**31))).random(tail) * 2 - 1
    response = noise * np.exp(-np.arange(tail) / (room.decay * sample_rate))
    # Early sound arrives directly: the room answers after 10 ms.
    response[: sample_rate // 100] = 0.0
    response *= room.wet / np.sqrt(float(np.sum(response**2)))
    size = _fast_size(samples + tail)
    spectrum = np.fft.rfft(direct, size)
    spectrum += np.fft.rfft(reverberant, size) * np.fft.rfft(response, size)
    hz = np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)
    spectrum *= _equaliser(room, hz)
    wave = np.fft.irfft(spectrum, size)[:samples]
    level = 10 ** (room.loudness / 20) / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
    level = min(level, _PEAK / max(float(np.max(np.abs(wave))), 1e-9))
    return (np.round(wave * (level * 32768)) / 32768).astype(np.float32)


def _equaliser(room: Room, hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain, of zero phase, at each frequency: two shelves, and nothing below 25 Hz."""
    low = 1 / (1 + (hz / 200.0) ** 2)
    high = hz**2 / (hz**2 + 2500.0**2)
    rumble = hz**4 / (hz**4 + 25.0**4)
    gain: NDArray[np.float64] = 10 ** ((room.low * low + room.high * high) / 20) * rumble
    return gain


def _fast_size(least: int) -> int:
    """The smallest size from ``least`` on that is 2^a, 3*2^a or 5*2^a: quick to transform."""
    power = 1 << (least - 1).bit_length()
    return min(size for size in (power, power * 3 // 4, power * 5 // 8) if size >= least)
