"""What every trainable model must keep."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.api.settings import TrainingSettings
from workbench.api.types import Audio, Example
from workbench.audio.dataset import AudioDataset, prepare
from workbench.testing.probes import check_eval_mode, difference
from workbench.testing.subject import Subject, require
from workbench.training.session import TrainingSession

STEPS = 4
KILLED_AFTER = 2
TONE_NAMES = ("a", "b flat", "b", "c")
HALF_PRECISION = 2e-2
"""Saved weights may be rounded to float16, which changes the output by about this share."""

Train = Callable[[Any, AudioDataset, TrainingSession], None]


class _Killed(Exception):
    """Stands for a kill in the middle of a training."""


def check_training(
    subject: Subject,
    train: Train,
    output: Callable[[Any], Tensor],
    data_rate: int,
    channels: int = 1,
) -> None:
    """Train whole, train with a kill in between, save and load; ``output`` tells models apart."""
    untrained = output(subject.built)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = tones(folder / "data", data_rate, channels)
        whole = _trained(subject, train, data, folder / "whole")
        check_eval_mode(whole)
        trained = output(whole)
        require(bool(trained.isfinite().all()), "after training its output holds NaN or infinity")
        require(difference(untrained, trained) > 0, "training does not change it")
        resumed = _trained(subject, train, data, folder / "parts", kill=True)
        gap = difference(trained, output(resumed))
        require(
            gap == 0,
            f"a training that was killed and resumed ends {gap:.2g} away from one in one go: train "
            "through session.fit, and keep all state in modules and optimisers",
        )
        whole.save(folder / "weights")
        loaded = subject.build(options={"weights": str(folder / "weights")})
        gap = difference(trained, output(loaded))
        require(
            gap <= HALF_PRECISION,
            f"what save wrote, loaded through the option 'weights', differs by {gap:.2g} from what "
            "was saved",
        )


def tones(folder: Path, rate: int, channels: int = 1, pieces: int = 4) -> AudioDataset:
    """Prepared pieces of 2 s in which two tones take turns, each piece with its own pair.

    They carry text, speaker, caption and labels, since some models learn from those.
    """
    time = torch.arange(2 * rate) / rate
    turn = (time * 2).floor() % 2

    def recordings() -> Iterator[tuple[Example, Audio]]:
        for index in range(pieces):
            low, high = 220.0 * 2 ** (index / 12), 660.0 * 2 ** (index / 12)
            phase = 2 * math.pi * torch.where(turn == 0, low, high) * time
            wav = 0.3 * torch.sin(phase) + 0.01 * torch.sin(37 * phase)
            example = Example(
                f"tone{index}",
                "train",
                text=f"high {TONE_NAMES[index % 4]}",
                language="en",
                speaker=f"speaker{index % 2}",
                caption=f"the tone {TONE_NAMES[index % 4]} and a higher one take turns",
                details={"labels": [TONE_NAMES[index % 4]]},
            )
            yield example, Audio(wav.expand(channels, -1).clone(), rate)

    return prepare(folder, recordings(), rate, channels, "tones")


def _trained(
    subject: Subject, train: Train, data: AudioDataset, folder: Path, kill: bool = False
) -> Any:
    """The component after a short training; with ``kill``, in two goes."""
    if kill:
        try:
            train(subject.build(), data, _session(subject, folder, KILLED_AFTER))
        except _Killed:
            pass
        else:
            require(False, "training made no step through session.fit, so it can't be resumed")
    model = subject.build()
    train(model, data, _session(subject, folder))
    return model


def _session(subject: Subject, folder: Path, kill_after: int | None = None) -> TrainingSession:
    """A session that saves after every step and is killed after so many."""
    settings = TrainingSettings(
        steps=STEPS, batch_size=2, segment_seconds=0.5, log_every=1, checkpoint_seconds=1e-9
    )
    steps = 0

    def listen(_phase: str, _step: int, _scalars: Mapping[str, float]) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_after:
            raise _Killed

    return TrainingSession(settings, folder, 3, subject.device, [listen])
