"""Trains a MERT on music: masked prediction with an acoustic and a musical teacher.

As the paper (arXiv 2306.00107): the acoustic teacher's units are clusters of log-mel and of chroma
frames (its k-means variant), the musical teacher is a constant-Q spectrum. A second round, as in
HuBERT, may take clusters of the model's own features in place of the log-mel ones.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from workbench import (
    AudioDataset,
    FrameGrid,
    HiddenStateFeatures,
    LogMelFrames,
    Masking,
    RecipeError,
    SpectrumTeacher,
    TrainingSession,
    UnitTeacher,
    WaveformEncoder,
    train_round,
    vary_by,
)
from workbench_mert.spectra import Chroma, ConstantQ

if TYPE_CHECKING:
    from workbench_mert.plugin import MertPretraining

Teachers = dict[str, tuple[UnitTeacher | SpectrumTeacher, float]]


def pretrain(
    encoder: WaveformEncoder,
    data: AudioDataset,
    session: TrainingSession,
    options: MertPretraining,
) -> None:
    """Train ``encoder`` in place for the session's steps, and leave it in eval mode."""
    masking = Masking(options.mask_span, options.mask_probability, options.unmasked_weight)
    vary = vary_by(options.variety, encoder.sample_rate)
    teachers = spectral_teachers(encoder, options)
    second = round(session.settings.steps * options.second_round)
    if second and options.second_round_layer > encoder.depth:
        problem = f"second_round_layer = {options.second_round_layer}: must be 0 to {encoder.depth}"
        raise RecipeError([problem], "encoder options")
    first = session.settings.steps - second
    train_round(encoder, data, session, teachers, masking, vary, first, "first")
    if second:
        teacher = HiddenStateFeatures(copy.deepcopy(encoder), options.second_round_layer)
        teachers["units"] = (UnitTeacher(teacher, encoder.dim, options.clusters), 1.0)
        train_round(encoder, data, session, teachers, masking, vary, second, "second")


def spectral_teachers(encoder: WaveformEncoder, options: MertPretraining) -> Teachers:
    """The first round's teachers with the weights of their losses."""
    grid = FrameGrid(encoder.sample_rate, encoder.hop, encoder.receptive_field)
    mel, spectrum = LogMelFrames(grid), ConstantQ(grid)
    teachers: Teachers = {"units": (UnitTeacher(mel, mel.dim, options.clusters), 1.0)}
    if options.chroma_clusters:
        chroma = Chroma(spectrum)
        teachers["chroma"] = (UnitTeacher(chroma, chroma.dim, options.chroma_clusters), 1.0)
    if options.spectrum_weight > 0:
        teacher = SpectrumTeacher(spectrum, spectrum.dim)
        teachers["spectrum"] = (teacher, options.spectrum_weight)
    return teachers
