"""What is heard in a few seconds of music: its key, its tempo, its chords.

Plain signal processing, made for short excerpts: chroma from a spectrum in semitones, matched with
profiles of keys and chords; tempo from the autocorrelation of an onset curve. A440 tuning, 4/4 or
any other metre. ``benchmarks/music_analysis.py`` measures all of it against known scores and made
the profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench import Audio, convert
from workbench_metrics.music_profiles import CHORD_PROFILES, KEY_PROFILES, Profiles

Array = NDArray[np.float64]

RATE = 16000
"""Rate in Hz that audio is analysed at."""

_LOWEST, _MIDDLE, _HIGHEST = 33, 52, 96
"""MIDI pitches: bass chroma from A1 to below E3, treble chroma from there to B6."""
_WINDOW, HOP = 8192, 1024
_SEMITONE_WIDTH = 0.3
"""Standard deviation, in semitones, of the band around each pitch."""
_SILENCE = 1e-4
"""Root mean square level (-80 dB) below which nothing is heard."""
_LEVEL = 0.1
"""Level that audio is brought to, so that loudness doesn't matter."""

_ONSET_WINDOW, _ONSET_RATE = 1024, 100
SLOWEST, FASTEST = 70.0, 180.0
"""Beats a minute among which the tempo is sought."""


@dataclass(frozen=True)
class Triad:
    """A key or a chord: ``root`` pitch class (0 is C) and ``quality``, ``major`` or ``minor``."""

    root: int
    quality: str


def estimate_key(audio: Audio) -> Triad | None:
    """The key of a whole excerpt; None where it is silent."""
    wave = prepared(audio)
    if wave is None:
        return None
    return best_match(chroma(wave).mean(axis=0, keepdims=True), KEY_PROFILES)[0]


def recognise_chords(audio: Audio, segments: Sequence[tuple[float, float]]) -> list[Triad | None]:
    """The chord heard during each segment ``(start, end)`` in seconds.

    None where the excerpt is silent there or has ended.
    """
    wave = prepared(audio)
    if wave is None:
        return [None] * len(segments)
    frames = chroma(wave)
    times = np.arange(len(frames)) * HOP / RATE
    chords: list[Triad | None] = []
    for start, end in segments:
        part = wave[int(start * RATE) : int(end * RATE)]
        if len(part) < 0.5 * (end - start) * RATE or not _audible(part):
            chords.append(None)
            continue
        # Frames see a quarter of a second around them: those in the middle hear least of others.
        weight = np.clip(np.minimum(times - start, end - times), 0.0, None)
        nearest = np.abs(times - (start + end) / 2).argmin()
        weight = weight if weight.any() else (np.arange(len(times)) == nearest).astype(float)
        chords.append(best_match((weight @ frames / weight.sum())[None], CHORD_PROFILES)[0])
    return chords


def chroma(wave: Array) -> Array:
    """Loudness of the pitch classes ``[frames, 24]`` at RATE / 1024 frames a second.

    First the bass' 12 (A1 to D#3), then those above. ``wave`` is ``[T]`` at RATE.
    """
    padded = np.pad(wave, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames.astype(np.float32) * window)) * (2 / window.sum())
    pitches = np.log1p(200 * (spectrum @ _pitch_bands()))
    result = np.zeros((len(pitches), 24))
    for column, pitch in enumerate(range(_LOWEST, _HIGHEST)):
        result[:, pitch % 12 + (0 if pitch < _MIDDLE else 12)] += pitches[:, column]
    return result


@lru_cache(maxsize=1)
def _pitch_bands() -> NDArray[np.float32]:
    """Weights ``[bins, pitches]`` of the spectrum's bins in each semitone."""
    hz = np.maximum(np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW, 1e-3)
    midi = 69 + 12 * np.log2(hz / 440)
    distance = midi[:, None] - np.arange(_LOWEST, _HIGHEST)
    return np.exp(-0.5 * (distance / _SEMITONE_WIDTH) ** 2).astype(np.float32)


def normalised(features: Array) -> Array:
    """Chroma ``[N, 24]`` with zero mean and unit deviation within the bass and above it."""
    halves = features.reshape(-1, 2, 12)
    halves = halves - halves.mean(axis=2, keepdims=True)
    halves /= halves.std(axis=2, keepdims=True) + 1e-6
    result: Array = halves.reshape(-1, 24)
    return result


def rotations(features: Array) -> Array:
    """``[N, 12, 24]``: chroma as seen from each of the twelve roots."""
    halves = features.reshape(-1, 2, 12)
    turned = [np.roll(halves, -root, axis=2) for root in range(12)]
    return np.stack(turned, axis=1).reshape(-1, 12, 24)


def best_match(features: Array, profiles: Profiles) -> list[Triad]:
    """The best matching profile and root for each row of chroma ``[N, 24]``."""
    seen = rotations(normalised(features))
    scores = np.stack(
        [seen @ np.asarray(profiles.major), seen @ np.asarray(profiles.minor) + profiles.bias]
    )
    best = scores.transpose(1, 0, 2).reshape(len(features), 24).argmax(axis=1)
    return [Triad(int(index) % 12, "major" if index < 12 else "minor") for index in best]


def estimate_tempo(audio: Audio) -> float | None:
    """Beats a minute, from 70 to 180; None where there are no onsets.

    Halves, doubles and thirds of the true tempo are the usual errors.
    """
    wave = prepared(audio)
    if wave is None:
        return None
    onsets = _onset_curve(wave)
    if not onsets.any():
        return None
    size = 1 << (2 * len(onsets) - 1).bit_length()
    power = np.abs(np.fft.rfft(onsets, size)) ** 2
    overlap = np.maximum(len(onsets) - np.arange(len(onsets)), len(onsets) / 4)
    correlation = np.fft.irfft(power)[: len(onsets)] / overlap
    tempi = np.arange(SLOWEST, FASTEST, 0.5)
    score = np.zeros(len(tempi))
    for beats, weight in ((1, 1.0), (2, 1.0), (4, 1.0), (0.5, 0.5), (0.25, 0.25)):
        lag = beats * 60 / tempi * _ONSET_RATE
        found = np.interp(lag, np.arange(len(onsets)), correlation)
        score += np.where(lag < 0.8 * len(onsets), weight * found, 0.0)
    # People hear moderate tempi first: a broad prior around 115 decides between octaves.
    score *= np.exp(-0.5 * (np.log2(tempi / 115) / 0.9) ** 2)
    return float(tempi[score.argmax()])


def _onset_curve(wave: Array) -> Array:
    """How much the loudness of quarter-octave bands rises, 100 times a second."""
    hop = RATE // _ONSET_RATE
    padded = np.pad(wave, _ONSET_WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _ONSET_WINDOW)[::hop]
    window = np.hanning(_ONSET_WINDOW).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames.astype(np.float32) * window))
    bands = np.log1p(30 * (spectrum @ _onset_bands()))
    rise = np.maximum(bands[2:] - bands[:-2], 0).sum(axis=1).astype(np.float64)
    if len(rise) < _ONSET_RATE:
        return np.zeros(1)
    around = np.convolve(rise, np.full(50, 1 / 50), "same")
    curve: Array = np.maximum(rise - around, 0)
    return curve


@lru_cache(maxsize=1)
def _onset_bands() -> NDArray[np.float32]:
    """Bins ``[bins, bands]`` of each quarter octave from 40 Hz up, at least one bin wide."""
    width = RATE / _ONSET_WINDOW
    hz = np.arange(_ONSET_WINDOW // 2 + 1) * width
    edges = 40 * 2 ** (np.arange(31) / 4)
    upper = np.maximum(edges[1:], edges[:-1] + width)
    return ((hz[:, None] >= edges[:-1]) & (hz[:, None] < upper)).astype(np.float32)


def prepared(audio: Audio) -> Array | None:
    """Mono samples ``[T]`` at RATE and a fixed level; None where the excerpt is silent."""
    wave: Array = convert(audio, RATE, 1).samples[0].numpy().astype(np.float64)
    if not len(wave) or not _audible(wave):
        return None
    levelled: Array = wave * (_LEVEL / np.sqrt(np.mean(wave**2)))
    return levelled


def _audible(wave: Array) -> bool:
    return bool(np.sqrt(np.mean(wave**2)) > _SILENCE)
