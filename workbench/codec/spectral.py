"""The cheap acoustic path: log-mel frames in, an inverse short-time Fourier transform out.

All blocks run at frame rate, so that a second of audio costs thousands of times fewer steps than
convolutions at sample rate; the decoder follows Vocos (arXiv 2306.00814).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.audio.signal import mel_filterbank
from workbench.codec.config import XCodecConfig
from workbench.codec.convnext import FrameNorm, convnext_stack

MAGNITUDE_FLOOR = 1e-5
MAX_LOG_MAGNITUDE = 6.0


class FramedLogMel(nn.Module):
    """Natural-log mel magnitudes of windows that are centred on the cells of a fixed grid."""

    window: Tensor
    filters: Tensor

    def __init__(self, sample_rate: int, n_fft: int, hop: int, mel_bins: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        filters = mel_filterbank(sample_rate, n_fft, mel_bins).clone()
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, C, L * hop]`` to ``[B, C * mel_bins, L]``."""
        batch, channels, _ = wav.shape
        side = (self.n_fft - self.hop) // 2
        padded = F.pad(wav.flatten(0, 1).float(), (side, self.n_fft - self.hop - side))
        with torch.autocast(wav.device.type, enabled=False):
            spectrum = torch.stft(
                padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
            )
            mel = torch.einsum("bft,fm->bmt", spectrum.abs(), self.filters)
        log = mel.clamp_min(MAGNITUDE_FLOOR).log()
        return log.reshape(batch, channels * log.shape[1], log.shape[2])


class SpectralEncoder(nn.Module):
    """Log-mel frames, stacked to codec frames, through ConvNeXt blocks."""

    def __init__(self, config: XCodecConfig) -> None:
        super().__init__()
        options = config.encoder
        self.stack = options.frames_per_hop
        fine_hop = config.hop // self.stack
        self.mel = FramedLogMel(config.sample_rate, options.n_fft, fine_hop, options.mel_bins)
        inputs = config.channels * options.mel_bins * self.stack
        self.embed = nn.Conv1d(inputs, options.width, 3, padding=1)
        self.norm = FrameNorm(options.width)
        self.blocks = convnext_stack(options.width, options.blocks)
        self.final_norm = FrameNorm(options.width)
        self.project = nn.Conv1d(options.width, config.latent_dim, 1)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, C, F * hop]`` to ``[B, latent_dim, F]``."""
        mel = self.mel(wav) * 0.25 + 1.0  # about zero mean and unit variance for music and speech
        batch, bins, fine = mel.shape
        stacked = mel.reshape(batch, bins, fine // self.stack, self.stack)
        stacked = stacked.transpose(2, 3).flatten(1, 2)
        x = self.blocks(self.norm(self.embed(stacked)))
        latent: Tensor = self.project(self.final_norm(x))
        return latent


class InverseSTFT(nn.Module):
    """Overlap-add of inverse Fourier transforms to exactly L * hop samples for L frames."""

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Complex ``[B, n_fft // 2 + 1, L]`` to ``[B, L * hop]``."""
        frames = torch.fft.irfft(spectrum, n=self.n_fft, dim=1) * self.window[:, None]
        weight = self.window.square()[:, None].expand(-1, frames.shape[-1])
        side = (self.n_fft - self.hop) // 2
        total = self._overlap_add(frames)
        envelope = self._overlap_add(weight[None])
        samples = spectrum.shape[-1] * self.hop
        # With a window of at least two hops, the envelope is at least 1/4 all over this part.
        kept = slice(side, side + samples)
        return total[:, kept] / envelope[:, kept]

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """``[B, n_fft, L]`` to ``[B, (L - 1) * hop + n_fft]``: a frame every hop samples."""
        overlap = self.n_fft // self.hop
        parts = frames.reshape(len(frames), overlap, self.hop, -1).transpose(
            2, 3
        )  # [B, overlap, L, hop]
        total = sum(
            F.pad(parts[:, index], (0, 0, index, overlap - 1 - index)) for index in range(overlap)
        )
        assert isinstance(total, Tensor)
        return total.flatten(1)


class SpectralDecoder(nn.Module):
    """ConvNeXt blocks at frame rate, then at the inverse transform's rate, then the transform."""

    def __init__(self, config: XCodecConfig) -> None:
        super().__init__()
        options = config.decoder
        self.channels = config.channels
        self.upsample = options.frames_per_hop
        self.embed = nn.Conv1d(config.latent_dim, options.width, 7, padding=3)
        self.norm = FrameNorm(options.width)
        self.blocks = convnext_stack(options.width, options.blocks)
        self.expand = nn.Conv1d(options.width, options.fine_width * self.upsample, 1)
        self.fine_blocks = convnext_stack(options.fine_width, options.fine_blocks)
        self.final_norm = FrameNorm(options.fine_width)
        self.head = nn.Conv1d(options.fine_width, config.channels * (options.n_fft + 2), 1)
        self.istft = InverseSTFT(options.n_fft, config.hop // self.upsample)

    def forward(self, latent: Tensor) -> Tensor:
        """``[B, latent_dim, F]`` to ``[B, C, F * hop]``."""
        batch, _, frames = latent.shape
        x: Tensor = self.expand(self.blocks(self.norm(self.embed(latent))))
        x = x.reshape(batch, -1, self.upsample, frames).transpose(2, 3).flatten(2)
        x = self.head(self.final_norm(self.fine_blocks(x))).float()
        x = x.reshape(batch * self.channels, -1, frames * self.upsample)
        log_magnitude, phase = x.chunk(2, dim=1)
        magnitude = log_magnitude.clamp(max=MAX_LOG_MAGNITUDE).exp()
        wav: Tensor = self.istft(torch.polar(magnitude, phase))
        return wav.reshape(batch, self.channels, -1)
