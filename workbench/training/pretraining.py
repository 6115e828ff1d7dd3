"""One round of masked prediction on a corpus: fit the teachers, then train towards them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from workbench.audio.dataset import AudioDataset
from workbench.audio.encoder import WaveformEncoder
from workbench.audio.signal import resample_in_graph
from workbench.training.masked_prediction import MaskedPrediction, Masking, Teacher
from workbench.training.session import TrainingSession

logger = logging.getLogger("workbench.training")

FULL_CROPS = 0.9
"""Share of the crops that should be audio. With a quarter of silence, which is easily predicted
and which recordings that are heard whole don't have, a small HuBERT's frames told .44 of the
phones' entropy after 600 steps; without, .53."""
CLUSTER_SECONDS = 240.0
"""Audio that teachers are fitted on."""
_CLUSTER_BATCH = 8
_CLUSTER_INDEX = 2**31
"""Crops for the teachers are drawn under indices from here on, which no training reaches."""

Vary = Callable[[Tensor], Tensor]


def train_round(
    encoder: WaveformEncoder,
    data: AudioDataset,
    session: TrainingSession,
    teachers: Mapping[str, tuple[Teacher, float]],
    masking: Masking,
    vary: Vary | None = None,
    steps: int | None = None,
    phase: str = "main",
) -> None:
    """Fit ``teachers`` on the corpus, then train ``encoder`` in place to predict them.

    ``steps`` is the session's count where None. A round that was interrupted goes on from its last
    checkpoint, which holds the fitted teachers too. Leaves the encoder in eval mode.
    """
    filling = data.filling("train", round(session.settings.segment_seconds * data.sample_rate))
    if filling < FULL_CROPS:
        logger.warning(
            "%s: only %.0f %% of the crops is audio, the rest silence after short recordings: "
            "take longer recordings, or lower training.segment_seconds (now %g)",
            session.title, 100 * filling, session.settings.segment_seconds,
        )  # fmt: skip
    encoder.to(session.device).requires_grad_(True).train()
    for number, (teacher, _) in enumerate(teachers.values()):
        generator = torch.Generator().manual_seed(session.seed + number)
        teacher.to(session.device).fit(_sample(encoder, data, session), generator)
    trainee = MaskedPrediction(encoder, teachers, masking, session.settings, vary, session.seed)

    def batch(index: int) -> Tensor:
        crops = session.crops(data, index)
        return _audio(encoder, data.sample_rate, crops.wav, session.device)

    session.fit(trainee, batch, steps, phase)
    encoder.eval()


def vary_by(strength: float, sample_rate: int) -> Vary | None:
    """A function that varies audio ``[B, T]`` acoustically, or None where ``strength`` is 0.

    Each item gets a gain (12 dB down to 6 dB up), a smooth equalisation (standard deviation 6 dB at
    five points over log frequency) and white noise 15 to 45 dB below it; ``strength`` scales the
    decibels of gain and equalisation and the noise's amplitude. A teacher of varied audio is the
    more robust: see ``vary`` of :class:`MaskedPrediction`.
    """
    if strength <= 0:
        return None

    def vary(wav: Tensor) -> Tensor:
        batch, samples = wav.shape
        gain = (torch.rand(batch, 1) * 18.0 - 12.0) * strength
        curve = _smooth_curve(torch.randn(batch, 5) * 6.0 * strength, samples // 2 + 1, sample_rate)
        response = torch.pow(10.0, (gain + curve) / 20.0).to(wav.device)
        varied = torch.fft.irfft(torch.fft.rfft(wav) * response, n=samples)
        level = varied.square().mean(dim=-1, keepdim=True).sqrt()
        ratio = torch.pow(10.0, -(15.0 + 30.0 * torch.rand(batch, 1)) / 20.0) * strength
        noise = torch.randn(batch, samples) * ratio
        return torch.addcmul(varied, noise.to(wav.device), level)

    return vary


def reverberate_by(probability: float, sample_rate: int) -> Vary | None:
    """A function that puts audio ``[B, T]`` into rooms, or None where ``probability`` is 0.

    That share of the items is answered by noise that dies away with a time constant of 30 to
    120 ms and begins 5 ms after the direct sound, 14 to 3 dB below it.
    """
    if probability <= 0:
        return None
    direct = sample_rate // 200
    tail = round(0.48 * sample_rate)

    def reverberate(wav: Tensor) -> Tensor:
        batch, samples = wav.shape
        decay = (0.03 + 0.09 * torch.rand(batch, 1)) * sample_rate
        answer = torch.randn(batch, tail) * torch.exp(-torch.arange(tail) / decay)
        answer[:, :direct] = 0.0
        level = 0.2 + 0.5 * torch.rand(batch, 1)
        level = level * (torch.rand(batch, 1) < probability) / answer.norm(dim=-1, keepdim=True)
        size = samples + tail
        response = 1.0 + torch.fft.rfft((answer * level).to(wav.device), n=size)
        answered: Tensor = torch.fft.irfft(torch.fft.rfft(wav, n=size) * response, n=size)
        return answered[:, :samples]

    return reverberate


def overlap_by(probability: float) -> Vary | None:
    """A function that speaks over audio ``[B, T]``, or None where ``probability`` is 0.

    That share of the items gets a piece of another one of its batch, at most half as long as the
    item, mixed in 5 dB louder to 5 dB softer: WavLM's utterance mixing (arXiv 2110.13900, section
    III-B). Its encoder learns who is speaking from what it must ignore.
    """
    if probability <= 0:
        return None

    def overlap(wav: Tensor) -> Tensor:
        batch, samples = wav.shape
        if batch < 2:
            return wav
        mixed = wav.clone()
        level = wav.square().mean(dim=-1).sqrt()
        for item in torch.nonzero(torch.rand(batch) < probability).flatten().tolist():
            other = (item + int(torch.randint(1, batch, ()))) % batch
            length = int(torch.randint(1, samples // 2 + 1, ()))
            source, place = (int(torch.randint(samples - length + 1, ())) for _ in range(2))
            louder = 10.0 ** (float(torch.rand(())) * 0.5 - 0.25)
            scale = louder * level[item] / level[other].clamp_min(1e-5)
            mixed[item, place : place + length] += scale * wav[other, source : source + length]
        return mixed

    return overlap


def _smooth_curve(points: Tensor, bins: int, sample_rate: int) -> Tensor:
    """``[B, P]`` values, evenly spaced over log frequency from 50 Hz up, drawn out to all bins."""
    frequency = torch.linspace(0, sample_rate / 2, bins).clamp_min(50.0)
    place = torch.log2(frequency / 50.0) / math.log2(sample_rate / 100.0) * (points.shape[1] - 1)
    left = place.floor().long().clamp_max(points.shape[1] - 2)
    share = place - left
    return points[:, left] * (1 - share) + points[:, left + 1] * share


def _sample(
    encoder: WaveformEncoder, data: AudioDataset, session: TrainingSession
) -> Iterator[tuple[Tensor, int]]:
    """Crops to fit teachers on: the same ones in every process, and after a restart."""
    seconds = session.settings.segment_seconds
    samples = round(seconds * data.sample_rate)
    for number in range(math.ceil(CLUSTER_SECONDS / seconds / _CLUSTER_BATCH)):
        index = _CLUSTER_INDEX + number
        crops = data.crops("train", _CLUSTER_BATCH, samples, session.seed, index)
        wav = _audio(encoder, data.sample_rate, crops.wav, session.device)
        yield wav, encoder.frames(wav.shape[-1])


def _audio(encoder: WaveformEncoder, rate: int, wav: Tensor, device: torch.device) -> Tensor:
    """Mono audio ``[B, T]`` at the encoder's rate of ``[B, C, T]`` at another."""
    return resample_in_graph(wav.to(device).mean(dim=1), rate, encoder.sample_rate)
