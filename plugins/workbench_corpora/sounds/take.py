"""What the sound of an event is made from: time, noise, sweeps, resonances.

All is float64; the scene is rounded to 16-bit steps at the end. Everything here is continuous in
its inputs, so the last bits of a sine, which differ between processors, don't reach the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from workbench_corpora.draws import Draws

Wave = NDArray[np.float64]

_TABLE = 2048
"""Entries of a wavetable, read with linear interpolation."""


class Take:
    """One sound to be made: its traits and length, and random material of its own."""

    def __init__(
        self,
        traits: Mapping[str, float],
        seconds: float,
        sample_rate: int,
        name: str,
        number: int = 0,
    ) -> None:
        self.seconds = seconds
        self.sample_rate = sample_rate
        self.number = number
        """Which of the event's sounds it is, from 0: the second step, the third bark."""
        self.draws = Draws("take", name, number)
        self._traits = traits
        self._random = np.random.Generator(np.random.PCG64(self.draws.integer(0, 2**31)))

    def __getitem__(self, trait: str) -> float:
        """The value of a trait."""
        return self._traits[trait]

    def count(self, seconds: float) -> int:
        """Samples in ``seconds``, at least one."""
        return max(1, round(seconds * self.sample_rate))

    def time(self, seconds: float | None = None) -> Wave:
        """The seconds of each sample ``[T]``, from 0 on."""
        length = self.seconds if seconds is None else seconds
        return np.arange(self.count(length), dtype=np.float64) / self.sample_rate

    def random(self, count: int) -> Wave:
        """Numbers in ``[0, 1)``."""
        return self._random.random(count)

    def white(self, seconds: float | None = None) -> Wave:
        """White noise of unit power."""
        length = self.seconds if seconds is None else seconds
        return (self.random(self.count(length)) * 2 - 1) * math.sqrt(3)

    def noise(
        self, low: float, high: float, slope: float = 0.0, seconds: float | None = None
    ) -> Wave:
        """Noise of unit power from ``low`` to ``high`` Hz, falling by ``slope`` dB an octave."""
        wave = filtered(self.white(seconds), self.sample_rate, low, high, slope)
        return wave / max(math.sqrt(float(np.mean(wave**2))), 1e-12)

    def drift(self, hz: float, seconds: float | None = None) -> Wave:
        """A smooth random curve in [-1, 1] that turns about ``hz`` times a second."""
        place = self.time(seconds) * hz + self.draws.uniform(0, 1)
        points = self.random(int(place[-1]) + 2) * 2 - 1
        index = place.astype(np.int64)
        share = place - index
        share = share * share * (3 - 2 * share)
        return points[index] * (1 - share) + points[index + 1] * share

    def times(self, rate: float, seconds: float | None = None) -> Wave:
        """Random moments, ``rate`` of them a second on average, within the sound; at least one."""
        length = self.seconds if seconds is None else seconds
        return np.sort(self.random(max(1, round(rate * length)))) * length

    def tone(self, hz: Wave | float, levels: Sequence[float] | Wave) -> Wave:
        """Harmonics of a pitch that may move, ``[T]``; ``levels`` holds their amplitudes.

        Harmonics that would pass 0.45 of the sample rate are left out.
        """
        curve = np.full(self.count(self.seconds), hz) if isinstance(hz, float) else hz
        most = int(0.45 * self.sample_rate / float(np.max(curve)))
        kept = np.asarray(levels, dtype=np.float64)[: max(1, most)]
        spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
        signs = np.where(np.arange(1, len(kept) + 1) % 4 < 2, 1.0, -1.0)
        spectrum[1 : len(kept) + 1] = -0.5j * _TABLE * kept * signs
        table = np.fft.irfft(spectrum)
        place = np.cumsum(curve) * (_TABLE / self.sample_rate)
        index = place.astype(np.int64)
        share = place - index
        index &= _TABLE - 1
        following = (index + 1) & (_TABLE - 1)
        wave: Wave = table[index] * (1 - share) + table[following] * share
        return wave

    def wandering(self, centre: Wave, bandwidth: float) -> Wave:
        """Noise of about unit power, ``bandwidth`` Hz wide, around a moving ``centre``."""
        seconds = len(centre) / self.sample_rate
        turns = np.cumsum(centre) * (2 * math.pi / self.sample_rate)
        cosine = self.noise(0.0, bandwidth / 2, seconds=seconds)[: len(centre)]
        sine = self.noise(0.0, bandwidth / 2, seconds=seconds)[: len(centre)]
        return cosine * np.cos(turns) + sine * np.sin(turns)

    def struck(
        self, modes: Sequence[tuple[float, float, float]], seconds: float | None = None
    ) -> Wave:
        """A struck body: damped sines, each (Hz, decay in seconds, level)."""
        time = self.time(seconds)
        wave = np.zeros(len(time))
        for hz, decay, level in modes:
            if hz < 0.45 * self.sample_rate:
                lasting = time[: self.count(7 * decay)]
                wave[: len(lasting)] += (
                    level * np.exp(-lasting / decay) * np.sin(2 * math.pi * hz * lasting)
                )
        return wave

    def scatter(self, times: Wave, levels: Wave, grains: Sequence[Wave]) -> Wave:
        """Grains added at ``times`` with ``levels``, each picked at random."""
        wave = np.zeros(self.count(self.seconds))
        starts = (times * self.sample_rate).astype(np.int64)
        picks = (self.random(len(times)) * len(grains)).astype(np.int64)
        for start, level, pick in zip(starts, levels, picks, strict=True):
            grain = grains[pick][: len(wave) - start]
            wave[start : start + len(grain)] += level * grain
        return wave


def filtered(wave: Wave, sample_rate: int, low: float, high: float, slope: float = 0.0) -> Wave:
    """``wave`` from ``low`` to ``high`` Hz (12 dB an octave beyond), tilted by ``slope`` dB."""
    size, hz = _bins(len(wave), sample_rate)
    gain = 1 / np.sqrt(1 + (hz / high) ** 4) * (hz**2 / np.sqrt(hz**4 + low**4 + 1e-9))
    if slope:
        gain *= np.maximum(hz / 1000, 0.02) ** (-slope / 6.02)
    return np.fft.irfft(np.fft.rfft(wave, size) * gain, size)[: len(wave)]


def resonant(
    wave: Wave, sample_rate: int, peaks: Sequence[tuple[float, float, float]], floor: float = 0.02
) -> Wave:
    """``wave`` through resonances, each (Hz, bandwidth, level), over a flat ``floor``."""
    size, hz = _bins(len(wave), sample_rate)
    gain = np.full(len(hz), floor)
    for centre, bandwidth, level in peaks:
        gain += level / np.sqrt(1 + ((hz - centre) / (bandwidth / 2)) ** 2)
    return np.fft.irfft(np.fft.rfft(wave, size) * gain, size)[: len(wave)]


def falling(ratio: float, count: int) -> Wave:
    """Levels of ``count`` harmonics, each ``ratio`` times the one below it."""
    return np.asarray(ratio ** np.arange(count), dtype=np.float64)


def hit(time: Wave, attack: float, decay: float) -> Wave:
    """An envelope that rises within ``attack`` seconds and decays with ``decay``; peak near 1."""
    rise: Wave = np.minimum(time / attack, 1.0)
    return rise * np.exp(-np.maximum(time - attack, 0.0) / decay)


def arch(count: int, rise: float, fall: float) -> Wave:
    """An envelope of ``count`` samples whose first and last shares are smooth fades."""
    place = (np.arange(count) + 0.5) / count
    edge = np.minimum(np.minimum(place / rise, (1 - place) / fall), 1.0)
    return np.sin(0.5 * math.pi * edge) ** 2


def glide(count: int, *points: float) -> Wave:
    """A smooth curve through equally spaced ``points``."""
    place = np.linspace(0, len(points) - 1, count)
    index = np.minimum(place.astype(np.int64), len(points) - 2)
    share = place - index
    share = share * share * (3 - 2 * share)
    values = np.asarray(points, dtype=np.float64)
    curve: Wave = values[index] * (1 - share) + values[index + 1] * share
    return curve


def _bins(samples: int, sample_rate: int) -> tuple[int, Wave]:
    """A quick transform size for ``samples``, and the Hz of its bins."""
    size = int(next_fast_len(samples, real=True))
    return size, np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)
