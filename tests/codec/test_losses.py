from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.codec.codec_parts import SMALL_DISCRIMINATOR, tones
from workbench.codec.config import DiscriminatorConfig
from workbench.codec.discriminator import Discriminators
from workbench.codec.losses import (
    PQMF,
    QUIET,
    MelDistance,
    STFTDistance,
    SubbandDistance,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    magnitudes,
    spectral_convergence,
)

DISTANCES = {
    "mel": MelDistance(8000, [256, 512], [20, 40]),
    "stft": STFTDistance([256, 512], [60, 120]),
    "pqmf": SubbandDistance(4, [256, 512], [60, 120]),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_is_zero_at_home_and_grows_with_noise(name: str) -> None:
    distance, wav = DISTANCES[name], tones(2, 4000)
    noise = torch.randn(wav.shape, generator=torch.Generator().manual_seed(5))
    values = [float(distance(wav + scale * noise, wav)) for scale in (0.0, 0.01, 0.1)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients_are_finite_even_for_silence(name: str) -> None:
    silence = torch.zeros(1, 1, 2000, requires_grad=True)
    DISTANCES[name](silence, tones(1, 2000)).backward()
    assert silence.grad is not None
    assert bool(silence.grad.isfinite().all())


def test_mel_distance_of_a_gain_is_its_logarithm() -> None:
    wav = tones(1, 4000)
    loud = MelDistance(8000, [256], [10])
    assert float(loud(10 * wav, wav)) == pytest.approx(1.0, abs=0.02)


def test_log_magnitude_part_counts_a_gain_in_nepers() -> None:
    wav = tones(1, 4000)
    value = float(STFTDistance([256], [64])(2 * wav, wav))
    assert value == pytest.approx(1.0 + math.log(2), abs=0.02)  # convergence 1, log 2


@pytest.mark.parametrize("bands", [2, 4, 6])
def test_the_filter_bank_is_nearly_perfect(bands: int) -> None:
    """The bands' energies sum to the signal's, at any frequency."""
    filters = PQMF(bands).filters[:, 0].numpy()
    response = np.abs(np.fft.rfft(filters, 4096, axis=1)) ** 2
    total = response.sum(axis=0)
    assert 10 * np.log10(total.max() / total.min()) < 0.1
    assert total.mean() == pytest.approx(1.0, abs=0.02)


def test_a_tone_lands_in_its_band() -> None:
    time = torch.arange(8000) / 8000
    wav = torch.sin(2 * math.pi * 2500 * time)[None, None]  # bands of 1000 Hz: the third
    energy = PQMF(4)(wav).square().sum(dim=-1)[0]
    assert float(energy[2] / energy.sum()) > 0.99


def test_least_squares_losses_by_hand() -> None:
    real = ([torch.tensor([1.0, 3.0])], [[torch.tensor([1.0, 2.0])]])
    fake = ([torch.tensor([0.0, 2.0])], [[torch.tensor([2.0, 4.0])]])
    assert float(discriminator_loss(real, fake)) == pytest.approx(2.0 + 2.0)
    assert float(adversarial_loss(fake)) == pytest.approx(1.0)
    assert float(feature_matching_loss(real, fake)) == pytest.approx(1.5)


@pytest.mark.parametrize("channels", [1, 2])
def test_every_discriminator_asked_for_judges(channels: int) -> None:
    judge = Discriminators(SMALL_DISCRIMINATOR, channels)
    scores, features = judge(tones(2, 1001, channels))
    assert len(scores) == len(features) == 3
    assert all(score.shape[0] == 2 for score in scores)
    loss = sum(score.square().mean() for score in scores)
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_discriminators_learn_to_tell_two_sounds_apart() -> None:
    torch.manual_seed(0)
    judge = Discriminators(SMALL_DISCRIMINATOR, 1)
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
    real, fake = tones(4, 800), torch.randn(4, 1, 800) * 0.3
    losses = []
    for _ in range(25):
        loss = discriminator_loss(judge(real), judge(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_no_discriminator_at_all_is_an_error() -> None:
    nothing = DiscriminatorConfig(frequency_hops=[], periods=[], stft_windows=[])
    with pytest.raises(ValueError, match="adversarial"):
        Discriminators(nothing, 1)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_batchs_distance_is_the_mean_of_its_parts(name: str) -> None:
    """So that processes and accumulation rounds, each with a part, take the joint batch's step."""
    distance, real = DISTANCES[name], tones(4, 2000) * torch.tensor([0.1, 1, 2, 3])[:, None, None]
    fake = real + tones(4, 2000, seed=1)
    halves = [float(distance(fake[rows], real[rows])) for rows in (slice(2), slice(2, 4))]
    assert float(distance(fake, real)) == pytest.approx(sum(halves) / 2, rel=1e-5)


def test_silence_counts_as_a_very_quiet_clip() -> None:
    window = torch.hann_window(256)
    silence = magnitudes(torch.zeros(1, 1, 8000), 256, 64, window)
    noise = torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(0))
    for level in (QUIET, 10 * QUIET):
        fake = magnitudes(level * noise, 256, 64, window)
        ratio = float(spectral_convergence(fake, silence, 1, window))
        assert ratio == pytest.approx(level / QUIET, rel=0.05)
