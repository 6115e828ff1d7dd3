"""From a codec and a corpus to a trained codec: crops, teacher features, held-out figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench.api.errors import WorkbenchError
from workbench.api.settings import TrainingSettings
from workbench.api.types import Split
from workbench.audio.dataset import AudioDataset, Crops
from workbench.codec.acoustic import add_weight_norm, remove_weight_norm
from workbench.codec.features import (
    CropFeatures,
    FeatureSource,
    Hearing,
    RecordingFeatures,
    StoredFeatures,
    crop_frames,
)
from workbench.codec.quantizer import all_sum
from workbench.codec.training import CodecTrainee
from workbench.codec.validation import HeldOut
from workbench.codec.xcodec import XCodec
from workbench.training.session import TrainingSession

STATISTICS_BATCHES = 16


def fit_codec(
    codec: XCodec, data: AudioDataset, session: TrainingSession, features: Path | None = None
) -> None:
    """Train ``codec`` in place; it is left in eval mode, without weight normalisation.

    ``features`` is a folder of stored teacher features, where there is one.
    """
    settings = session.settings
    if (data.sample_rate, data.channels) != (codec.sample_rate, codec.channels):
        raise ValueError(
            f"the codec wants {codec.sample_rate} Hz and {codec.channels} channels; the data has "
            f"{data.sample_rate} Hz and {data.channels}"
        )
    codec.to(session.device)
    source = feature_source(codec, data, settings, features)
    batches = crops_of(codec, data, session)
    if codec.config.semantic.normalise:
        # Drawn from the beginning of the training batches, so every start finds the same numbers.
        measure_features(codec, (source(batches(step)) for step in range(STATISTICS_BATCHES)))
    trained_with_norm = convolutional_parts(codec) if codec.config.weight_norm else []
    for part in trained_with_norm:
        add_weight_norm(part)
    try:
        with torch.random.fork_rng(devices=[]):  # discriminators are drawn
            torch.manual_seed(session.seed)
            trainee = CodecTrainee(codec, settings, source)
        session.fit(trainee, batches, validate=held_out(codec, data, settings))
    finally:
        for part in trained_with_norm:
            remove_weight_norm(part)
        codec.eval()


def crops_of(codec: XCodec, data: AudioDataset, session: TrainingSession) -> Callable[[int], Crops]:
    """Training batches by number.

    Crops are whole frames, so that audio and features end together; where the teachers hear the
    recording, they start on frames too.
    """
    seconds = crop_frames(codec, session.settings) / codec.frame_rate
    grid = codec.config.hop if codec.config.teaching.hears == "recording" else 1
    return lambda index: session.crops(data, index, seconds, grid)


def feature_source(
    codec: XCodec,
    data: AudioDataset,
    settings: TrainingSettings,
    stored: Path | None = None,
    split: Split = "train",
) -> FeatureSource:
    """What the codec's options say that its teachers hear; nothing without a teacher."""
    if codec.config.teaching.hears == "crop" or not codec.config.teachers:
        return CropFeatures(codec)
    hearing = Hearing.of(codec, settings)
    if stored is not None:
        return StoredFeatures(codec, data, hearing, stored)
    if split == "train" and codec.config.teaching.store != "none":
        raise WorkbenchError(
            f"teaching.store = {codec.config.teaching.store!r}: fit needs the folder that "
            "write_features filled; set it to none to hear the teachers anew for each batch"
        )
    return RecordingFeatures(codec, data, hearing, split)


def held_out(codec: XCodec, data: AudioDataset, settings: TrainingSettings) -> HeldOut | None:
    """Scores on the validation split, where there is one and the settings ask for them."""
    if not settings.validate_every or not data.clips("validation"):
        return None
    source = feature_source(codec, data, settings, split="validation")
    return HeldOut(codec, data, crop_frames(codec, settings) * codec.config.hop, source)


def convolutional_parts(codec: XCodec) -> list[nn.Module]:
    """The acoustic halves made of convolutions at sample rate."""
    kinds = (
        (codec.acoustic_encoder, codec.config.encoder.kind),
        (codec.acoustic_decoder, codec.config.decoder.kind),
    )
    return [part for part, kind in kinds if kind == "dac"]


@torch.no_grad()
def measure_features(codec: XCodec, batches: Iterable[Sequence[Tensor]]) -> None:
    """Set each branch's feature statistics from the teachers' features of all processes.

    A batch holds ``[B, D, F']`` for each teacher.
    """
    device = codec.device
    dims = [len(branch.mean) for branch in codec.semantic_branches]
    sums = [torch.zeros(3, dim, dtype=torch.float64, device=device) for dim in dims]
    for batch in batches:
        for total, features in zip(sums, batch, strict=True):
            values = features.double()
            total[0] += values.shape[0] * values.shape[2]
            total[1] += values.sum(dim=(0, 2))
            total[2] += values.square().sum(dim=(0, 2))
    for branch, total in zip(codec.semantic_branches, sums, strict=True):
        count, first, second = all_sum(total)
        mean = first / count
        deviation = (second / count - mean.square()).clamp_min(0).sqrt()
        branch.set_statistics(mean.float(), deviation.float())
