"""Signal operations that several parts need: resampling, channel layout, log-mel spectra."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import soxr
import torch
import torchaudio
from torch import Tensor

from workbench.api.types import Audio

RESAMPLER = f"soxr {soxr.__libsoxr_version__.removeprefix('libsoxr-')} VHQ"
"""What :func:`resample` uses, as provenance states it."""


def resample(wav: Tensor, source_rate: int, target_rate: int) -> Tensor:
    """Band-limited resampling of float32 ``[..., T]`` by soxr (very high quality), on the CPU.

    Meant for files; inside a model, on its device, use :func:`resample_in_graph`.
    """
    if source_rate == target_rate:
        return wav
    flat = wav.detach().to("cpu", torch.float32).reshape(-1, wav.shape[-1])
    out = soxr.resample(flat.T.numpy(), source_rate, target_rate, quality="VHQ")
    out = np.ascontiguousarray(np.atleast_2d(out.T))
    return torch.from_numpy(out).reshape(*wav.shape[:-1], -1)


def resample_in_graph(wav: Tensor, source_rate: int, target_rate: int) -> Tensor:
    """Windowed-sinc resampling of ``[..., T]`` on the tensor's own device, differentiable."""
    if source_rate == target_rate:
        return wav
    out: Tensor = torchaudio.functional.resample(wav, source_rate, target_rate)
    return out


def convert(audio: Audio, sample_rate: int, channels: int) -> Audio:
    """``audio`` at another rate and channel count.

    Fewer channels are the mean over all; more channels repeat the mono mix.
    """
    samples = audio.samples
    if channels != audio.channels:
        samples = samples.mean(dim=0, keepdim=True).expand(channels, -1)
    return Audio(resample(samples, audio.sample_rate, sample_rate).contiguous(), sample_rate)


@lru_cache(maxsize=32)
def mel_filterbank(sample_rate: int, n_fft: int, n_mels: int) -> Tensor:
    """Slaney-normalised mel filters ``[n_fft // 2 + 1, n_mels]`` from 0 Hz to half the rate."""
    filters: Tensor = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, 0.0, sample_rate / 2, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
    )
    return filters


def log_mel(
    wav: Tensor, sample_rate: int, n_fft: int = 1024, hop: int = 256, n_mels: int = 80
) -> Tensor:
    """Natural-log mel magnitudes ``[..., n_mels, F]`` of ``[..., T]``; F = T // hop + 1.

    Centred Hann frames; magnitudes are floored at 1e-5 before the logarithm.
    """
    window = torch.hann_window(n_fft, device=wav.device)
    flat = wav.reshape(-1, wav.shape[-1])
    spectrum = torch.stft(
        flat, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True
    ).abs()
    filters = mel_filterbank(sample_rate, n_fft, n_mels).to(wav.device)
    mel = torch.einsum("bft,fm->bmt", spectrum, filters).clamp_min(1e-5).log()
    return mel.reshape(*wav.shape[:-1], *mel.shape[1:])
