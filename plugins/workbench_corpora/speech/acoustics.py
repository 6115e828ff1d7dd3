"""How a voice reaches the microphone: tone, room, noise and level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from workbench_corpora.draws import Draws

Wave = NDArray[np.float32]

_LEVEL = -23.0
"""Root mean square level of plain speech, in dB of full scale."""
_PEAK = 0.95
"""Largest sample of any recording."""
_BAND_HZ = (100.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 7000.0)
_BAND_DB = 8.0
_SNR_DB = (10.0, 30.0)
_GAIN_DB = (-8.0, 4.0)
_REVERBERANT = 0.5
"""Share of the recordings with reverberation, at full variety."""
_DECAY = (0.03, 0.12)
"""Time constant of a room's answer in seconds."""
_WET = (0.2, 0.7)
"""Level of a room's answer relative to the direct sound."""


def recorded(speech: Wave, sample_rate: int, draws: Draws, variety: float) -> Wave:
    """``speech`` [T] as it was recorded, on the grid of 16-bit samples.

    ``variety`` scales how far recordings differ: 0 is the plain voice at one level; 1 draws seven
    bands within 8 dB, a room for every second recording, noise of any colour at a signal-to-noise
    ratio of 10 to 30 dB, and the level from -31 to -19 dB.
    """
    wave = speech.astype(np.float64)
    level = _LEVEL
    if variety > 0:
        wave = _in_place(wave, sample_rate, draws, variety)
        wave += _noise(wave, sample_rate, draws, variety)
        level += variety * draws.uniform(*_GAIN_DB)
    gain = 10 ** (level / 20) / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
    gain = min(gain, _PEAK / max(float(np.max(np.abs(wave))), 1e-9))
    return (np.round(wave * gain * 32768) / 32768).astype(np.float32)


def _in_place(
    wave: NDArray[np.float64], sample_rate: int, draws: Draws, variety: float
) -> NDArray[np.float64]:
    """Bands raised and lowered, without a shift in time, and maybe a room's answer."""
    size = int(next_fast_len(len(wave) + int(4 * _DECAY[1] * sample_rate), real=True))
    gains = [variety * draws.uniform(-_BAND_DB, _BAND_DB) for _ in _BAND_HZ]
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    decibels = np.interp(np.log2(np.maximum(hz, 1.0)), np.log2(_BAND_HZ), gains)
    spectrum = np.fft.rfft(wave, size) * 10 ** (decibels / 20)
    if draws.chance(_REVERBERANT * variety):
        spectrum *= 1 + np.fft.rfft(_room(sample_rate, draws), size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(wave)], dtype=np.float64)


def _room(sample_rate: int, draws: Draws) -> NDArray[np.float64]:
    """What a room adds to a click: noise that dies away."""
    decay, wet = draws.uniform(*_DECAY), draws.uniform(*_WET)
    tail = int(4 * decay * sample_rate)
    response = _white(tail, draws) * np.exp(-np.arange(tail) / (decay * sample_rate))
    response[: sample_rate // 200] = 0.0  # the first 5 ms are the direct sound's alone
    return np.asarray(response * wet / np.sqrt(float(np.sum(response**2))), dtype=np.float64)


def _noise(
    wave: NDArray[np.float64], sample_rate: int, draws: Draws, variety: float
) -> NDArray[np.float64]:
    """Noise from white to brown; below full variety it is softer by 30 dB for each 1 missing."""
    slope, ratio = draws.uniform(0.0, 1.0), draws.uniform(*_SNR_DB) + 30.0 * (1 - variety)
    size = int(next_fast_len(len(wave), real=True))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), 50.0)
    spectrum = np.fft.rfft(_white(size, draws)) * hz**-slope
    coloured = np.fft.irfft(spectrum, size)[: len(wave)]
    share = np.sqrt(float(np.mean(wave**2)) / max(float(np.mean(coloured**2)), 1e-20))
    return np.asarray(coloured * share * 10 ** (-ratio / 20), dtype=np.float64)


def _white(count: int, draws: Draws) -> NDArray[np.float64]:
    return np.random.Generator(np.random.PCG64(draws.integer(0, 2**31))).random(count) * 2 - 1
