"""Mel cepstra on HuBERT's frames."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from workbench import FrameGrid, MfccFrames

HOP, RECEPTIVE_FIELD = 320, 400
"""HuBERT's frames, in samples at 16 kHz."""


class MfccEncoder(nn.Module):
    """Cepstra with first and second differences; there is nothing to learn."""

    sample_rate = 16000
    frame_rate = 50.0

    def __init__(self, count: int) -> None:
        super().__init__()
        self.cepstra = MfccFrames(FrameGrid(self.sample_rate, HOP, RECEPTIVE_FIELD), count)
        self.dim = self.cepstra.dim

    def forward(self, wav: Tensor) -> Tensor:
        """Features ``[B, D, F]`` of audio ``[B, T]``; F = (T - 400) // 320 + 1, at least 1."""
        frames = max(0, wav.shape[-1] - RECEPTIVE_FIELD) // HOP + 1
        wav = F.pad(wav, (0, max(0, RECEPTIVE_FIELD - wav.shape[-1])))
        features: Tensor = self.cepstra(wav, frames).transpose(1, 2)
        return features
