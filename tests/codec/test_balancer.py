from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.codec.codec_parts import FULL, FakeTeacher, small_codec, tone_data
from workbench import TrainingSession, TrainingSettings
from workbench.codec.balancer import Balancer


def test_weights_are_shares_of_the_gradient_whatever_a_loss_is_scaled_by() -> None:
    torch.manual_seed(0)
    directions = torch.randn(2, 3, 1, 8)
    directions /= directions.flatten(2).norm(dim=2)[:, :, None, None]
    wav = torch.zeros(3, 1, 8, requires_grad=True)
    losses = {"mel": 1e4 * (wav * directions[0]).sum(), "stft": 1e-3 * (wav * directions[1]).sum()}
    balancer = Balancer({"mel": 3.0, "stft": 1.0, "pqmf": 0.0})
    (gradient,) = torch.autograd.grad(balancer(losses, wav), wav)
    expected = 0.75 * directions[0] + 0.25 * directions[1]
    assert torch.allclose(gradient, expected, atol=1e-5)


def test_norms_are_averaged_over_steps() -> None:
    wav = torch.zeros(1, 1, 1, requires_grad=True)
    balancer = Balancer({"mel": 1.0})
    gradients = []
    for scale in (1.0, 3.0):
        (gradient,) = torch.autograd.grad(balancer({"mel": scale * wav.sum()}, wav), wav)
        gradients.append(float(gradient))
    assert gradients[0] == pytest.approx(1.0)
    assert gradients[1] == pytest.approx(3.0 / ((0.999 * 1 + 3) / (0.999 + 1)))


def test_a_missing_loss_leaves_its_share_to_the_others() -> None:
    wav = torch.zeros(1, 1, 1, requires_grad=True)
    balancer = Balancer({"mel": 1.0, "adversarial": 1.0})
    (gradient,) = torch.autograd.grad(balancer({"mel": 5 * wav.sum()}, wav), wav)
    assert float(gradient) == pytest.approx(1.0)


def test_balanced_training_reaches_every_part(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    codec = small_codec(teachers=(FakeTeacher(),), losses=replace(FULL, balance=True))
    before = {name: p.detach().clone() for name, p in codec.named_parameters()}
    settings = TrainingSettings(steps=2, batch_size=2, segment_seconds=0.2)
    codec.fit(data, TrainingSession(settings, tmp_path, 0, "cpu"))
    assert [n for n, p in codec.named_parameters() if torch.equal(p, before[n])] == []
