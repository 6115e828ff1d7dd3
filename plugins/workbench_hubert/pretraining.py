"""Trains a HuBERT or WavLM on speech: clusters of mel cepstra first, then of its own features."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench import (
    AudioDataset,
    FrameGrid,
    HiddenStateFeatures,
    LogMelFrames,
    Masking,
    MfccFrames,
    RecipeError,
    SpectrumTeacher,
    TrainingSession,
    UnitTeacher,
    WaveformEncoder,
    overlap_by,
    reverberate_by,
    train_round,
    vary_by,
)

if TYPE_CHECKING:
    from torch import Tensor

    from workbench_hubert.plugin import SpeechPretraining

Teachers = dict[str, tuple[UnitTeacher | SpectrumTeacher, float]]


def pretrain(
    encoder: WaveformEncoder,
    data: AudioDataset,
    session: TrainingSession,
    options: SpeechPretraining,
) -> None:
    """Train ``encoder`` in place for the session's steps, and leave it in eval mode."""
    masking = Masking(options.mask_span, options.mask_probability, options.unmasked_weight)
    vary = distortion(options, encoder.sample_rate)
    second = round(session.settings.steps * options.second_round)
    if second and options.second_round_layer > encoder.depth:
        problem = f"second_round_layer = {options.second_round_layer}: must be 0 to {encoder.depth}"
        raise RecipeError([problem], "encoder options")
    first = session.settings.steps - second
    grid = FrameGrid(encoder.sample_rate, encoder.hop, encoder.receptive_field)
    cepstra = MfccFrames(grid)
    teachers: Teachers = {"units": (UnitTeacher(cepstra, cepstra.dim, options.clusters), 1.0)}
    if options.spectrum_weight > 0:
        mel = LogMelFrames(grid)
        teachers["spectrum"] = (SpectrumTeacher(mel, mel.dim), options.spectrum_weight)
    train_round(encoder, data, session, teachers, masking, vary, first, "first")
    if second:
        own = HiddenStateFeatures(copy.deepcopy(encoder), options.second_round_layer)
        teachers = {"units": (UnitTeacher(own, encoder.dim, options.clusters), 1.0)}
        train_round(encoder, data, session, teachers, masking, vary, second, "second")


def distortion(options: SpeechPretraining, sample_rate: int) -> Callable[[Tensor], Tensor] | None:
    """What happens to the audio ``[B, T]`` that the encoder hears, where anything does."""
    parts = [
        overlap_by(options.overlap),
        reverberate_by(options.reverberation, sample_rate),
        vary_by(options.variety, sample_rate),
    ]
    chosen = [part for part in parts if part is not None]
    if not chosen:
        return None

    def distort(wav: Tensor) -> Tensor:
        for part in chosen:
            wav = part(wav)
        return wav

    return distort
