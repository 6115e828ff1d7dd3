"""Turns a scene into sound: each event at its level and distance, in the scene's space."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from workbench_corpora.draws import Draws
from workbench_corpora.sounds.scene import Event, Scene, Space
from workbench_corpora.sounds.take import Take, Wave

_LEVEL = 10 ** (-15 / 20)
"""Root mean square of an event's loudest 100 ms, at a loudness of 1 and a metre away."""
_BACKGROUND = 10 ** (-6 / 20)
"""Level of a background relative to other events."""
_FLOOR = 10 ** (-58 / 20)
"""Root mean square of the noise under every recording."""
_PEAK = 0.9
"""Largest sample of any recording."""
# Level of the reverberation relative to the direct sound, at a distance of ten metres.
_WET: Mapping[Space, float] = {"open": 0.08, "room": 0.6, "hall": 1.3}


def render(scene: Scene, name: str, sample_rate: int) -> NDArray[np.float32]:
    """The sound of a scene, float32 ``[T]`` on the grid of 16-bit samples.

    ``name`` seeds the single sounds, the space and the noise floor.
    """
    samples = round(scene.seconds * sample_rate)
    response = _response(scene, Draws("space", name), sample_rate)
    size = int(next_fast_len(samples + len(response), real=True))
    hz = np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)
    echo = np.fft.rfft(response, size)
    spectrum = np.zeros(len(hz), dtype=np.complex128)
    for number, event in enumerate(scene.events):
        distance = event.traits["distance"]
        dry = np.fft.rfft(_play(event, f"{name}/{number}", samples, sample_rate), size)
        dry *= _air(distance, hz)
        spectrum += dry * (1 + _WET[scene.space] * min(0.3 + 0.07 * distance, 1.2) * echo)
    wave = np.fft.irfft(spectrum, size)[:samples]
    hiss = Take({}, scene.seconds, sample_rate, f"{name}/floor").noise(30.0, 4000.0, slope=3.0)
    wave += _FLOOR * hiss[:samples]
    wave *= min(1.0, _PEAK / float(np.max(np.abs(wave))))
    return (np.round(wave * 32768) / 32768).astype(np.float32)


def _play(event: Event, name: str, samples: int, sample_rate: int) -> Wave:
    """All sounds of an event ``[T]``, at its level."""
    bus = np.zeros(samples)
    draws = Draws("levels", name)
    for number, moment in enumerate(event.moments):
        take = Take(event.traits, moment.seconds, sample_rate, name, number)
        wave = event.kind.render(take)
        if event.kind.timing.lasts and len(event.moments) == 1:
            wave = _faded(wave, sample_rate)
        start = round(moment.onset * sample_rate)
        wave = wave[: max(0, samples - start)]
        bus[start : start + len(wave)] += wave * draws.uniform(0.85, 1.0)
    loudest = _loudest(bus, sample_rate)
    level = _LEVEL * event.traits["loudness"] * math.pow(event.traits["distance"], -0.3)
    return bus * (level * (_BACKGROUND if event.background else 1.0) / loudest)


def _faded(wave: Wave, sample_rate: int) -> Wave:
    """A sound that lasts, faded in and out."""
    time = (np.arange(len(wave)) + 0.5) / sample_rate
    edges = np.minimum(np.minimum(time / 0.08, time[::-1] / 0.15), 1.0)
    return wave * edges


def _loudest(wave: Wave, sample_rate: int) -> float:
    """Root mean square of the loudest 100 ms."""
    frame = sample_rate // 10
    frames = -(-len(wave) // frame)
    power = np.zeros(frames * frame)
    power[: len(wave)] = wave**2
    return max(math.sqrt(float(np.max(power.reshape(frames, frame).mean(axis=1)))), 1e-9)


def _air(distance: float, hz: Wave) -> Wave:
    """Gain at each frequency: what comes from far has lost its highs."""
    cutoff = 16000.0 / (1 + distance / 6)
    gain: Wave = 1 / np.sqrt(1 + (hz / cutoff) ** 2)
    return gain


def _response(scene: Scene, draws: Draws, sample_rate: int) -> Wave:
    """What the space answers to a click: decaying noise of unit power, duller as it dies away."""
    tail = Take({}, 1.1 * scene.reverberance, sample_rate, f"{draws.integer(0, 2**31)}")
    time = tail.time()
    bright = tail.noise(200.0, 6000.0) * np.exp(-6.9 * time / (0.6 * scene.reverberance))
    dull = tail.noise(100.0, 1500.0) * np.exp(-6.9 * time / scene.reverberance)
    response = bright + dull
    # Early sound arrives directly: the space answers after some milliseconds.
    response[: sample_rate * {"open": 20, "room": 6, "hall": 25}[scene.space] // 1000] = 0.0
    return response / math.sqrt(float(np.sum(response**2)))
