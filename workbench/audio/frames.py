"""Spectra on an encoder's own frames.

Frame i of an encoder with hop h and receptive field r sees samples [h i, h i + r). A spectrum's
frame i is centred there, so that it describes what the encoder's frame i is about. All of these
take audio ``[B, T]`` and a frame count F, and are zero-padded outside the audio.
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.audio.signal import mel_filterbank


class FrameGrid:
    """Where an encoder's frames lie: sample rate in Hz, hop and receptive field in samples."""

    def __init__(self, sample_rate: int, hop: int, receptive_field: int) -> None:
        self.sample_rate = sample_rate
        self.hop = hop
        self.centre = receptive_field // 2

    def spectrum(self, wav: Tensor, frames: int, window: Tensor) -> Tensor:
        """Complex spectra ``[B, n_fft / 2 + 1, frames]`` of ``[B, T]``; n_fft is the window's."""
        n_fft = len(window)
        before = n_fft // 2 - self.centre
        padded = F.pad(wav, (max(0, before), 0))[:, max(0, -before) :]
        after = max(0, (frames - 1) * self.hop + n_fft - padded.shape[-1])
        spectrum = torch.stft(
            F.pad(padded, (0, after)),
            n_fft,
            self.hop,
            window=window,
            center=False,
            return_complex=True,
        )
        return spectrum[..., :frames]


class LogMelFrames(nn.Module):
    """Natural-log mel magnitudes ``[B, F, n_mels]``: timbre and loudness."""

    window: Tensor
    filters: Tensor

    def __init__(self, grid: FrameGrid, n_fft: int = 1024, n_mels: int = 64) -> None:
        super().__init__()
        self.grid = grid
        self.dim = n_mels
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        filters = mel_filterbank(grid.sample_rate, n_fft, n_mels)
        self.register_buffer("filters", filters.clone(), persistent=False)

    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """``[B, F, n_mels]`` of ``[B, T]``."""
        magnitude = self.grid.spectrum(wav, frames, self.window).abs().transpose(1, 2)
        mel: Tensor = magnitude @ self.filters
        return mel.clamp_min(1e-5).log()


class MfccFrames(nn.Module):
    """Mel cepstra with their first and second differences in time, ``[B, F, 3 * count]``.

    What HuBERT's first round of units is made of (arXiv 2106.07447 takes 13 of them).
    """

    transform: Tensor

    def __init__(self, grid: FrameGrid, count: int = 13, n_fft: int = 512) -> None:
        super().__init__()
        self.mel = LogMelFrames(grid, n_fft, n_mels=40)
        self.dim = 3 * count
        transform = torchaudio.functional.create_dct(count, 40, norm="ortho")
        self.register_buffer("transform", transform, persistent=False)

    def forward(self, wav: Tensor, frames: int) -> Tensor:
        """``[B, F, 3 * count]`` of ``[B, T]``."""
        cepstra = (self.mel(wav, frames) @ self.transform).transpose(1, 2)
        first = torchaudio.functional.compute_deltas(cepstra)
        second = torchaudio.functional.compute_deltas(first)
        return torch.cat([cepstra, first, second], dim=1).transpose(1, 2)
