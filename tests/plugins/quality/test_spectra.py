"""Distances of spectra are what their definitions say on signals whose spectra are known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from workbench_quality.plugin import CepstralOptions, LogSpectralOptions, StftOptions
from workbench_quality.spectra import (
    LogSpectralDistance,
    MelCepstralDistortion,
    StftDistance,
    magnitudes,
)

from workbench import Audio, WorkbenchError


def noise(samples=8000, seed=0):
    return 0.3 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def test_a_gain_is_its_decibels(scored):
    truth = noise()
    stft = scored(StftDistance([256, 512]), (0.1 * truth, truth))
    assert stft["stft-distance"].value == pytest.approx(1, abs=1e-4)
    assert stft["spectral-convergence"].value == pytest.approx(0.9, abs=1e-4)
    lsd = scored(LogSpectralDistance(512, 128), (0.1 * truth, truth))["log-spectral-distance"]
    assert lsd.value == pytest.approx(20, abs=0.01)
    assert lsd.unit == "dB"


def test_a_gain_is_no_mel_cepstral_distortion_but_a_filter_is(scored):
    truth = noise()
    metric = MelCepstralDistortion(13, 40, 512, 128)
    (figure,) = scored(metric, (0.1 * truth, truth)).values()
    assert figure.value == pytest.approx(0, abs=1e-3)
    dull = (truth + truth.roll(1)) / 2
    (figure,) = scored(MelCepstralDistortion(13, 40, 512, 128), (dull, truth)).values()
    assert figure.value > 1


def test_mel_cepstral_distortion_has_kubicheks_scale(scored, monkeypatch):
    """One coefficient that is off by d in every frame makes 10 / ln 10 * sqrt 2 * d."""
    metric = MelCepstralDistortion(2, 8, 64, 16)
    tracks = iter([np.zeros((2, 5)), np.array([[0.5] * 5, [0.0] * 5])])
    monkeypatch.setattr(metric, "_cepstra", lambda wav, rate: next(tracks))
    (figure,) = scored(metric, (noise(100), noise(100))).values()
    assert figure.value == pytest.approx(10 / math.log(10) * math.sqrt(2) * 0.5)


def test_log_spectral_distance_squares_over_frequency_and_averages_over_frames(scored):
    """Silence in half of the frames: there the distance is the truth's level above the floor."""
    truth = noise(16_000)
    half = truth.clone()
    half[8000:] = 0
    whole = scored(LogSpectralDistance(256, 64), (torch.zeros(16_000), truth))
    part = scored(LogSpectralDistance(256, 64), (half, truth))
    name = "log-spectral-distance"
    assert part[name].value == pytest.approx(whole[name].value / 2, rel=0.02)


@pytest.mark.parametrize(
    "metric",
    [StftDistance([256]), LogSpectralDistance(256, 64), MelCepstralDistortion(13, 40, 256, 64)],
)
def test_the_truth_scores_0_and_ending_early_costs(scored, metric):
    truth = noise()
    for figure in scored(metric, (truth, truth), (truth[:6000], truth)).values():
        same, shorter = figure.per_item.values()
        assert same == 0
        assert shorter > 0


def test_a_sine_at_full_scale_has_half_of_1_in_its_bin():
    time = torch.arange(4096, dtype=torch.float64)
    frames = magnitudes(torch.sin(2 * math.pi * 32 / 512 * time).numpy(), 512, 128)
    assert frames.shape == (257, 4096 // 128 + 1)
    assert frames[32, 10] == pytest.approx(0.5, abs=1e-6)


def test_a_silent_truth_has_no_spectral_convergence(scored):
    found = scored(StftDistance([256]), (noise(), noise()), (noise(), torch.zeros(8000)))
    assert found["spectral-convergence"].n == 1
    assert found["stft-distance"].n == 2


def test_rates_must_agree(item):
    wrong = item(noise(), noise())
    wrong = dataclasses.replace(wrong, generated=Audio(noise()[None], 8000))
    with pytest.raises(WorkbenchError, match="sample rate is 8000, its truth's is 16000"):
        LogSpectralDistance(256, 64).update(wrong)


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        (StftOptions, {"fft_sizes": []}, "fft_sizes = "),
        (LogSpectralOptions, {"hop": 4096}, "hop = 4096"),
        (CepstralOptions, {"n_fft": 2}, "n_fft = 2"),
        (CepstralOptions, {"mels": 13}, "coefficients = 13"),
    ],
)
def test_options_that_can_not_be_are_refused_by_name(options, given, said):
    with pytest.raises(ValueError, match=said):
        options(**given)
