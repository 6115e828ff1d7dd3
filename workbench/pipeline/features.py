"""Feature stage: what the codec's frozen teachers say of the training audio, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.api.protocols import TaughtCodec, TrainableCodec
from workbench.api.settings import TrainingSettings
from workbench.audio.dataset import AudioDataset
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.store import StageFolder, weights_key
from workbench.training.session import TrainingSession

if TYPE_CHECKING:
    from workbench.pipeline.models import Teacher

Fit = Callable[[TrainingSession], None]
"""Trains a codec within a session."""


def teacher_inputs(teachers: tuple[Teacher, ...]) -> list[dict[str, Any]]:
    """What a stage's key holds of the teachers: where their weights lie does not count."""
    return [
        {
            "name": teacher.slot.name,
            "options": {k: v for k, v in teacher.slot.options.items() if k != "weights"},
            "weights": weights_key(teacher.encoder),
        }
        for teacher in teachers
    ]


def prepare_fit(
    experiment: Experiment,
    codec: TrainableCodec,
    settings: TrainingSettings,
    data: AudioDataset,
    heard: Mapping[str, Any],
) -> Fit:
    """How ``codec`` is trained on ``data``: with stored teacher features where its options say so.

    These are a stage of their own, whose key is made of ``heard`` (teachers and corpus) and of what
    the codec states.
    """
    wanted = codec.feature_inputs(settings) if isinstance(codec, TaughtCodec) else {}
    if not isinstance(codec, TaughtCodec) or not wanted:
        return lambda session: codec.fit(data, session)
    taught: TaughtCodec = codec

    def build(folder: StageFolder) -> Mapping[str, Any]:
        return taught.write_features(data, settings, folder.path)

    stage = experiment.stage("features", {**heard, "codec": wanted}, build)
    return lambda session: taught.fit(data, session, stage.path)
