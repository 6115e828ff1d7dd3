"""Trains a MERT on music: masked prediction with an acoustic and a musical teacher.

As the paper (arXiv 2306.00107): the acoustic teacher's units are clusters of log-mel and of chroma
frames (its k-means variant), the musical teacher is a constant-Q spectrum. A second round, as in
HuBERT, may take clusters of the model's own features in place of the log-mel ones.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from workbench import (
    AudioDataset,
    HiddenStateFeatures,
    MaskedPrediction,
    Masking,
    SpectrumTeacher,
    TrainingSession,
    UnitTeacher,
    WaveformEncoder,
    resample_in_graph,
)
from workbench_mert.spectra import Chroma, ConstantQ, FrameGrid, LogMelFrames

if TYPE_CHECKING:
    from workbench_mert.plugin import MertPretraining

CLUSTER_SECONDS = 240.0
"""Audio that clusters are found in."""
_CLUSTER_STEP = 2**31
"""Crops for the clusters are drawn under step numbers from here on, which no training reaches."""

Teachers = dict[str, tuple[UnitTeacher | SpectrumTeacher, float]]


def pretrain(
    encoder: WaveformEncoder,
    data: AudioDataset,
    session: TrainingSession,
    options: MertPretraining,
) -> None:
    """Train ``encoder`` in place for the session's steps, and leave it in eval mode."""
    encoder.to(session.device).train().requires_grad_(True)
    second = round(session.settings.steps * options.second_round)
    teachers = spectral_teachers(encoder, options)
    _run(encoder, data, session, options, teachers, session.settings.steps - second, "first")
    if second:
        teacher = HiddenStateFeatures(copy.deepcopy(encoder), options.second_round_layer)
        teachers["units"] = (UnitTeacher(teacher, encoder.dim, options.clusters), 1.0)
        _run(encoder, data, session, options, teachers, second, "second")
    encoder.eval()


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


def _run(
    encoder: WaveformEncoder,
    data: AudioDataset,
    session: TrainingSession,
    options: MertPretraining,
    teachers: Teachers,
    steps: int,
    phase: str,
) -> None:
    """One round: fit the teachers, then train towards them."""
    for number, (teacher, _) in enumerate(teachers.values()):
        teacher.to(session.device)
        generator = torch.Generator().manual_seed(session.seed + number)
        teacher.fit(_sample(encoder, data, session), generator)
    masking = Masking(options.mask_span, options.mask_probability, options.unmasked_weight)
    trainee = MaskedPrediction(
        encoder, teachers, masking, session.settings, vary_by(options.variety, encoder.sample_rate)
    )

    def batch(index: int) -> Tensor:
        return _audio(encoder, data.sample_rate, session.crops(data, index).wav, session.device)

    session.fit(trainee, batch, steps, phase)


def _sample(
    encoder: WaveformEncoder, data: AudioDataset, session: TrainingSession
) -> Iterator[tuple[Tensor, int]]:
    """Crops to find clusters in: the same in every process, and after a restart."""
    seconds = session.settings.segment_seconds
    samples = round(seconds * data.sample_rate)
    for number in range(math.ceil(CLUSTER_SECONDS / seconds / 8)):
        crops = data.crops("train", 8, samples, session.seed, _CLUSTER_STEP + number)
        wav = _audio(encoder, data.sample_rate, crops.wav, session.device)
        yield wav, encoder.frames(wav.shape[-1])


def _audio(encoder: WaveformEncoder, rate: int, wav: Tensor, device: torch.device) -> Tensor:
    """Mono audio ``[B, T]`` at the encoder's rate of ``[B, C, T]`` at another."""
    return resample_in_graph(wav.to(device).mean(dim=1), rate, encoder.sample_rate)


def vary_by(strength: float, sample_rate: int) -> Callable[[Tensor], Tensor] | None:
    """A function that varies audio ``[B, T]`` acoustically, or None where ``strength`` is 0.

    Each item gets a gain (12 dB down to 6 dB up), a smooth equalisation (standard deviation 6 dB at
    five points over log frequency) and white noise 15 to 45 dB below it; ``strength`` scales the
    decibels of gain and equalisation and the noise's amplitude.
    """
    if strength <= 0:
        return None

    def vary(wav: Tensor) -> Tensor:
        batch, samples = wav.shape
        gain = (torch.rand(batch, 1) * 18.0 - 12.0) * strength
        points = torch.randn(batch, 1, 5) * 6.0 * strength
        bins = torch.linspace(0, 1, samples // 2 + 1) * sample_rate / 2
        octaves = torch.log2(bins.clamp_min(50.0) / 50.0) / math.log2(sample_rate / 100.0)
        curve = nn.functional.grid_sample(
            points.unsqueeze(2),
            torch.stack([octaves * 2 - 1, torch.zeros_like(octaves)], -1).expand(batch, 1, -1, 2),
            align_corners=True,
        ).view(batch, -1)
        response = 10.0 ** ((gain + curve) / 20.0)
        varied = torch.fft.irfft(torch.fft.rfft(wav) * response.to(wav.device), n=samples)
        level = varied.square().mean(dim=-1, keepdim=True).sqrt()
        ratio = 10.0 ** (-(15.0 + 30.0 * torch.rand(batch, 1)) / 20.0) * strength
        noise = torch.randn(batch, samples).to(wav.device) * level * ratio.to(wav.device)
        return torch.add(varied, noise)

    return vary
