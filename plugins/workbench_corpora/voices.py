"""Single notes and drum hits as waveforms.

Speed and exactness rule here. Sines and exponentials are computed in float64 and then rounded to
float32; all else is addition, multiplication and table look-up, which every machine does alike. So
the 16-bit result is the same wherever it is made.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench_corpora.parts.drums import CLOSED_HAT, KICK, OPEN_HAT, SNARE
from workbench_corpora.timbres import Kit, Timbre

Wave = NDArray[np.float32]

_TABLE = 8192
"""Entries of a wavetable: a power of two, large enough to look up without interpolation."""
_MAX_HARMONICS = 48
_VIBRATO_HZ = 5.5


@lru_cache(maxsize=1)
def _sine_table() -> Wave:
    return np.sin(2 * np.pi * np.arange(_TABLE) / _TABLE).astype(np.float32)


def frequency(pitch: int) -> float:
    """Hz of a MIDI pitch."""
    return 440.0 * math.pow(2.0, (pitch - 69) / 12)


def _cycle(timbre: Timbre, exponent: float, harmonics: int) -> Wave:
    """One period with the given fall of its harmonics, at unit power."""
    n = np.arange(1, harmonics + 1)
    level = n**-exponent
    level[1::2] *= timbre.even
    body = np.asarray(timbre.colour[:harmonics])
    level[: len(body)] *= body
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    # Alternating signs keep the crest factor low.
    spectrum[1 : harmonics + 1] = -0.5j * _TABLE * level * np.where(n % 4 < 2, 1.0, -1.0)
    wave = np.fft.irfft(spectrum)
    return (wave / math.sqrt(0.5 * float(np.sum(level**2)))).astype(np.float32)


class PitchedVoice:
    """Notes of one timbre; equal notes are made once."""

    def __init__(self, timbre: Timbre, sample_rate: int) -> None:
        self._timbre = timbre
        self._sample_rate = sample_rate
        self._notes: dict[tuple[int, int], Wave] = {}
        self._tables: dict[int, tuple[Wave, Wave]] = {}

    def note(self, pitch: int, duration: float) -> Wave:
        """Float32 ``[T]`` at about unit power; T covers ``duration`` seconds and the release."""
        samples = round((duration + self._timbre.release) * self._sample_rate)
        key = (pitch, samples)
        if key not in self._notes:
            self._notes[key] = self._make(pitch, duration, samples)
        return self._notes[key]

    def _make(self, pitch: int, duration: float, samples: int) -> Wave:
        timbre = self._timbre
        time = np.arange(samples) / self._sample_rate
        step = frequency(pitch) * _TABLE / self._sample_rate
        half = math.pow(2.0, timbre.detune / 2400)
        voices = (step * half, step / half) if timbre.detune else (step,)
        morph = np.exp(-time / timbre.morph)
        bend = self._bend(pitch, time, morph)
        change = morph.astype(np.float32)
        bright, dark = self._spectra(pitch)
        wave: Wave = np.zeros(samples, dtype=np.float32)
        for voice in voices:
            phase = np.arange(samples) * voice
            if bend is not None:
                phase += bend
            index = phase.astype(np.int64) & (_TABLE - 1)
            low = dark[index]
            wave += low + change * (bright[index] - low)
        wave *= self._envelope(duration, time)
        return wave

    def _bend(
        self, pitch: int, time: NDArray[np.float64], morph: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Phase offset in table entries from vibrato and FM; None where the timbre has neither."""
        timbre = self._timbre
        if not timbre.vibrato and not timbre.fm_index:
            return None
        bend = np.zeros(len(time))
        if timbre.vibrato:
            depth = timbre.vibrato / 1200 * math.log(2) * frequency(pitch) / _VIBRATO_HZ
            bend += depth * _TABLE / (2 * math.pi) * _sine(time * _VIBRATO_HZ)
        if timbre.fm_index:
            modulator = _sine(time * (frequency(pitch) * timbre.fm_ratio))
            bend += (timbre.fm_index * _TABLE / (2 * math.pi)) * morph * modulator
        return bend

    def _spectra(self, pitch: int) -> tuple[Wave, Wave]:
        """Wavetables at the onset and later, without harmonics above 0.45 of the sample rate."""
        if pitch not in self._tables:
            highest = int(0.45 * self._sample_rate / frequency(pitch))
            harmonics = max(1, min(highest, _MAX_HARMONICS))
            self._tables[pitch] = (
                _cycle(self._timbre, self._timbre.bright, harmonics),
                _cycle(self._timbre, self._timbre.dark, harmonics),
            )
        return self._tables[pitch]

    def _envelope(self, duration: float, time: NDArray[np.float64]) -> Wave:
        """Linear attack, exponential decay to the sustained level, smooth release."""
        timbre = self._timbre
        level = timbre.sustain + (1 - timbre.sustain) * np.exp(-time / timbre.decay)
        attack = min(len(time), math.ceil(timbre.attack * self._sample_rate))
        level[:attack] *= time[:attack] / timbre.attack
        released = int(duration * self._sample_rate)
        fade = np.clip(1 - (time[released:] - duration) / timbre.release, 0.0, 1.0)
        level[released:] *= fade * fade
        return level.astype(np.float32)


def _sine(turns: NDArray[np.float64]) -> Wave:
    """Sine of phases given in turns, all positive."""
    wave: Wave = _sine_table()[(turns * _TABLE).astype(np.int64) & (_TABLE - 1)]
    return wave


class DrumVoice:
    """The hits of one kit; each is made once."""

    def __init__(self, kit: Kit, sample_rate: int, noise_seed: int) -> None:
        self._kit = kit
        self._sample_rate = sample_rate
        noise = np.random.Generator(np.random.PCG64(noise_seed)).random(sample_rate // 2)
        self._noise = 2 * noise - 1
        self._hits = {
            KICK: self._kick(),
            SNARE: self._snare(),
            CLOSED_HAT: self._hat(kit.hat_decay),
            OPEN_HAT: self._hat(kit.hat_decay * 5),
        }

    def note(self, pitch: int, duration: float) -> Wave:  # noqa: ARG002 - a hit rings as it will
        """Float32 ``[T]``, the hit of a percussion number."""
        return self._hits[pitch]

    def _time(self, seconds: float) -> NDArray[np.float64]:
        return np.arange(int(min(seconds, 0.5) * self._sample_rate)) / self._sample_rate

    def _kick(self) -> Wave:
        kit = self._kit
        time = self._time(6 * kit.kick_decay)
        swept = kit.kick_sweep * 0.03 * (1 - np.exp(-time / 0.03))
        tone = np.sin(2 * np.pi * kit.kick_pitch * (time + swept)) * np.exp(-time / kit.kick_decay)
        click = self._noise[: len(time)] * np.exp(-time / 0.003)
        return (1.4 * tone + 0.25 * click).astype(np.float32)

    def _snare(self) -> Wave:
        kit = self._kit
        time = self._time(6 * kit.snare_decay)
        tone = np.sin(2 * np.pi * kit.snare_pitch * time) * np.exp(-time / (0.6 * kit.snare_decay))
        noise = self._highpass(self._noise[: len(time)], 500.0) * np.exp(-time / kit.snare_decay)
        return ((1 - kit.snare_noise) * tone + kit.snare_noise * noise).astype(np.float32)

    def _hat(self, decay: float) -> Wave:
        time = self._time(6 * decay)
        noise = self._highpass(self._noise[: len(time)], self._kit.hat_low)
        return (1.6 * noise * np.exp(-time / decay)).astype(np.float32)

    def _highpass(self, noise: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
        """Noise without what lies below ``cutoff`` Hz (or half the band, at low rates)."""
        spectrum = np.fft.rfft(noise)
        bins = np.arange(len(spectrum)) * self._sample_rate / len(noise)
        cutoff = min(cutoff, 0.25 * self._sample_rate)
        return np.fft.irfft(spectrum * (bins / (bins + cutoff)) ** 4, len(noise))
