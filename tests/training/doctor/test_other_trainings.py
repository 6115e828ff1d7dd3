"""The doctor at language models and encoders: healthy ones are left alone, one item is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.lm.models import TINY, sequence
from workbench import FrameGrid, LogMelFrames, Masking, SpectrumTeacher, TrainingSession
from workbench import TrainingSettings as Settings
from workbench.lm.collate import LMBatch, collate
from workbench.lm.storage import build_model
from workbench.lm.training import LMTrainee
from workbench.training.doctor.findings import Finding
from workbench.training.masked_prediction import (
    HiddenStateFeatures,
    MaskedPrediction,
    Teacher,
    UnitTeacher,
)
from workbench.training.session import Optimise, Trainee

SETTINGS = Settings(steps=12, learning_rate=1e-3, warmup_steps=4, log_every=4, health_every=4)


def trained(folder: Path, trainee: Trainee, batches: Any) -> tuple[list[str], dict[str, float]]:
    """Checks that found something, and the last look's scalars."""
    heard: list[Finding] = []
    looks: list[Mapping[str, float]] = []
    session = TrainingSession(
        SETTINGS,
        folder,
        listeners=[lambda _p, _s, scalars: looks.append(scalars)],
        alarms=[heard.append],
    )
    session.fit(trainee, batches)
    return [f.check for f in heard], dict([s for s in looks if "doctor/items_given" in s][-1])


def lm_batches(index: int) -> LMBatch:
    items = [sequence(20, seed=4 * index + number) for number in range(4)]
    return collate(TINY, items, torch.zeros(4, dtype=torch.bool))


class OneSequence(LMTrainee):
    """Learns from the first sequence of its batch."""

    def step(self, batch: LMBatch, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        length = batch.rows.shape[1]
        kept = [at < length for at in batch.positions]
        pick = [
            tuple(x[keep] for x, keep in zip(parts, kept, strict=True))
            for parts in (batch.positions, batch.targets)
        ]
        return super().step(replace(batch, positions=pick[0], targets=pick[1]), step, optimise)


@pytest.mark.parametrize(
    ("kind", "named", "heard"), [(LMTrainee, [], 4), (OneSequence, ["effective batch"], 1)]
)
def test_language_models(
    kind: type[LMTrainee], named: list[str], heard: int, tmp_path: Path
) -> None:
    found, look = trained(tmp_path, kind(build_model(TINY, 0), SETTINGS), lm_batches)
    assert found == named
    assert (look["doctor/items_given"], look["doctor/items_in_loss"]) == (4, heard)
    assert 0 < look["doctor/step_size/model"] < 0.05


class SmallEncoder(nn.Module):
    """What masked prediction needs of an encoder, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 8
        self.layers = nn.Sequential(nn.Linear(160, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 8))

    def frames(self, samples: int) -> int:
        return samples // 160

    def hidden_states(self, wav: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        x = wav.view(len(wav), -1, 160)
        return [self.layers(x if mask is None else x * ~mask[..., None])]


@pytest.mark.parametrize(("restless", "named"), [(False, []), (True, ["teacher mode"])])
def test_masked_prediction(restless: bool, named: list[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    mel = LogMelFrames(FrameGrid(8000, 160, 200))
    first = HiddenStateFeatures(SmallEncoder(), 0)  # type: ignore[arg-type]
    teachers: dict[str, tuple[Teacher, float]] = {
        "mel": (SpectrumTeacher(mel, mel.dim), 1.0),
        "units": (UnitTeacher(first, 8, 4), 1.0),
    }
    if restless:
        first.encoder.train()
    trainee = MaskedPrediction(
        SmallEncoder(),  # type: ignore[arg-type]
        teachers,
        Masking(span=2),
        SETTINGS,
    )

    def batches(index: int) -> Tensor:
        return torch.randn(3, 1600, generator=torch.Generator().manual_seed(index))

    found, look = trained(tmp_path, trainee, batches)
    assert found == named
    assert (look["doctor/items_given"], look["doctor/items_in_loss"]) == (3, 3)
    assert look["doctor/teacher_gradient/units"] == 0
    assert look["doctor/teacher_training/units"] == restless
    assert look["doctor/teacher_training/mel"] == 0
