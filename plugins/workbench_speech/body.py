"""What the small judges share: log-mel frames, evened out, and ConvNeXt blocks at 50 frames/s."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from workbench import FrameGrid, FrameNorm, LogMelFrames, convnext_stack, smooth_spectrum

if TYPE_CHECKING:
    from workbench_speech.plugin import JudgeSize

SAMPLE_RATE = 16_000
HOP = 320
"""Samples from frame to frame: 20 ms."""
SMOOTHED = (7, 5)
"""Most frames of 10 ms and most bands that smoothing averages."""


class SpeechBody(nn.Module):
    """Audio ``[B, T]`` at 16 kHz to features ``[B, D, F]`` at 50 frames a second."""

    def __init__(self, size: JudgeSize) -> None:
        super().__init__()
        self.mel = LogMelFrames(FrameGrid(SAMPLE_RATE, HOP // 2, HOP), n_fft=512, n_mels=size.mels)
        self.stem = nn.Conv1d(size.mels, size.width, 4, stride=2, padding=1)
        self.norm = FrameNorm(size.width)
        self.blocks = convnext_stack(size.width, size.blocks)
        self.out = FrameNorm(size.width)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, wav: Tensor, lengths: Tensor | None = None) -> Tensor:
        """``lengths`` (int64 ``[B]``, samples) marks the valid part of padded items."""
        return self.read(self.spectrum(wav, lengths))

    def spectrum(
        self, wav: Tensor, lengths: Tensor | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Evened log-mel ``[B, 2 F, M]`` of audio, smoothed in so large a share of the items."""
        mel = self.mel(wav, 2 * frame_count(wav.shape[-1]))
        if smoothing:
            mel = smooth_spectrum(mel, smoothing, SMOOTHED)
        return even_out(mel, None if lengths is None else 2 * frame_counts(lengths))

    def read(self, spectrum: Tensor) -> Tensor:
        """Features ``[B, D, F]`` of an evened log-mel."""
        features = self.norm(self.stem(spectrum.transpose(1, 2)))
        out: Tensor = self.dropout(self.out(self.blocks(features)))
        return out


def even_out(mel: Tensor, frames: Tensor | None) -> Tensor:
    """Log-mel ``[B, F, M]`` with each band's mean and the item's overall level of change taken out.

    What a microphone, a room or a gain adds to all frames alike is gone after that. Frames beyond
    ``frames`` (``[B]``) are zero, and count for nothing.
    """
    total = mel.shape[1]
    counts = torch.full((len(mel),), total, device=mel.device) if frames is None else frames
    valid = (torch.arange(total, device=mel.device) < counts[:, None]).unsqueeze(2)
    size = counts.clamp_min(1)[:, None, None]
    mean = (mel * valid).sum(dim=1, keepdim=True) / size
    centred = (mel - mean) * valid
    spread = (centred.square().sum(dim=(1, 2), keepdim=True) / (size * mel.shape[2])).sqrt()
    return centred / spread.clamp_min(1e-2)


def hide(spectrum: Tensor, share: float) -> Tensor:
    """A copy of ``[B, F, M]`` with a stretch of time and of bands set to 0, their mean.

    Each is up to ``share`` of the item long (SpecAugment, arXiv 1904.08779, one mask of each kind).
    """
    hidden = spectrum
    for dim in (1, 2):
        size = spectrum.shape[dim]
        width = torch.rand(len(spectrum), 1) * share * size
        start = torch.rand(len(spectrum), 1) * (size - width)
        at = torch.arange(size)
        inside = (at >= start) & (at < start + width)
        inside = inside.unsqueeze(3 - dim).to(spectrum.device)
        hidden = hidden.masked_fill(inside, 0.0)
    return hidden


def frame_count(samples: int) -> int:
    """Frames of so many samples, at least 1."""
    return max(1, samples // HOP)


def frame_counts(samples: Tensor) -> Tensor:
    """:func:`frame_count` of each entry."""
    return torch.div(samples, HOP, rounding_mode="floor").clamp_min(1)
