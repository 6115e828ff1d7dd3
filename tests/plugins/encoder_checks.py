"""What every semantic encoder must do, and small data to train one on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from workbench import (
    Audio,
    AudioDataset,
    Example,
    SemanticEncoder,
    TrainableEncoder,
    TrainingSession,
    TrainingSettings,
)
from workbench.audio.dataset import prepare


def noise(batch: int, samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed)) * 0.1


@torch.no_grad()
def check_encoder(
    encoder: SemanticEncoder, frames: Callable[[int], int], lengths: Iterable[int]
) -> None:
    """Shape, type and frame count at every length; an item's features are its own."""
    assert isinstance(encoder, SemanticEncoder)
    assert isinstance(encoder, nn.Module)
    assert not any(module.training for module in encoder.modules())
    for samples in lengths:
        wav = noise(2, samples)
        features = encoder(wav)
        assert features.shape == (2, encoder.dim, frames(samples)), samples
        assert features.dtype == torch.float32
        assert bool(features.isfinite().all()), samples
        assert torch.equal(features, encoder(wav)), f"two calls differ at {samples} samples"
        torch.testing.assert_close(encoder(wav[1:]), features[1:], rtol=1e-4, atol=1e-4)


def hubert_frames(samples: int) -> int:
    """Frames of HuBERT's convolutions: 400 samples, hop 320."""
    return max(0, samples - 400) // 320 + 1


HUBERT_LENGTHS = (1, 399, 400, 719, 720, 16_000, 24_001)


def prepare_tones(folder: Path, rate: int = 16_000, pieces: int = 4) -> AudioDataset:
    """Pieces of 3 s in which two tones take turns twice a second, each piece with its own pair."""
    time = torch.arange(3 * rate) / rate
    turn = (time * 2).floor() % 2

    def recordings() -> Iterable[tuple[Example, Audio]]:
        for index in range(pieces):
            low, high = 220.0 * 2 ** (index / 12), 660.0 * 2 ** (index / 12)
            phase = 2 * math.pi * torch.where(turn == 0, low, high) * time
            caption = f"tones of {low:.0f} and {high:.0f} Hz take turns"
            example = Example(f"{index}", "train", caption=caption)
            yield example, Audio(0.3 * torch.sin(phase)[None], rate)

    return prepare(folder, recordings(), rate, 1, "tones")


class Stop(Exception):
    """Stands for a kill in the middle of a training."""


def session(
    folder: Path, steps: int, stop_at: tuple[str, int] | None = None, batch_size: int = 2
) -> TrainingSession:
    """A session that saves after every step and may be stopped at one of them."""

    def listen(phase: str, step: int, _scalars: Any) -> None:
        if (phase, step) == stop_at:
            raise Stop

    settings = TrainingSettings(
        steps=steps,
        batch_size=batch_size,
        segment_seconds=0.5,
        learning_rate=3e-3,
        log_every=1,
        checkpoint_seconds=1e-9,
    )
    return TrainingSession(settings, folder, seed=3, listeners=[listen])


def check_resumed_training(
    build: Callable[[], TrainableEncoder],
    folder: Path,
    stops: Iterable[tuple[str, int]],
    steps: int,
) -> None:
    """A training stopped at each of ``stops`` and started again ends with the same weights."""
    data = prepare_tones(folder / "data")
    whole, before = build(), build()
    whole.pretrain(data, session(folder / "whole", steps))
    for stop_at in stops:
        with pytest.raises(Stop):
            build().pretrain(data, session(folder / "parts", steps, stop_at))
    resumed = build()
    resumed.pretrain(data, session(folder / "parts", steps))
    weights, again, untrained = (_state(encoder) for encoder in (whole, resumed, before))
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert any(not torch.equal(weights[name], untrained[name]) for name in weights)


def _state(encoder: TrainableEncoder) -> dict[str, torch.Tensor]:
    assert isinstance(encoder, nn.Module)
    assert not encoder.training
    return dict(encoder.state_dict())
