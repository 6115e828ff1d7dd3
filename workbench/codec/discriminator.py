"""Discriminators of adversarial training: multi-frequency, multi-period, multi-scale STFT."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from workbench.codec.config import DiscriminatorConfig
from workbench.codec.losses import Judgement

SLOPE = 0.1


class _Stack(nn.Module):
    """Convolutions with leaky rectifiers, then one that scores; inner features are kept."""

    def __init__(self, layers: Sequence[nn.Conv2d], score: nn.Conv2d) -> None:
        super().__init__()
        self.layers = nn.ModuleList(weight_norm(layer) for layer in layers)
        self.score = weight_norm(score)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``[B, C, H, W]`` to scores ``[B, 1, H', W']`` and the features of each layer."""
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return self.score(x), features


class SpectrumDiscriminator(nn.Module):
    """Judges real and imaginary parts of one STFT."""

    window: Tensor

    def __init__(self, channels: int, n_fft: int, hop: int, width: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        layers = [nn.Conv2d(2 * channels, width, (3, 9), padding=(1, 4))]
        for dilation in (1, 2, 4):
            layers.append(
                nn.Conv2d(
                    width, width, (3, 9), (1, 2), padding=(dilation, 4), dilation=(dilation, 1)
                )
            )
        layers.append(nn.Conv2d(width, width, 3, padding=1))
        self.stack = _Stack(layers, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, wav: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores and features of ``[B, C, T]``."""
        batch, channels, _ = wav.shape
        side = (self.n_fft - self.hop) // 2
        flat = F.pad(wav.flatten(0, 1).float(), (side, side))
        spectrum = torch.stft(
            flat, self.n_fft, self.hop, window=self.window, center=False, normalized=True,
            return_complex=True,
        )  # fmt: skip
        parts = torch.view_as_real(spectrum).permute(0, 3, 2, 1)  # [B C, 2, frames, bins]
        judged: tuple[Tensor, list[Tensor]] = self.stack(
            parts.reshape(batch, 2 * channels, *parts.shape[2:])
        )
        return judged


class PeriodDiscriminator(nn.Module):
    """Judges the waveform folded into rows of ``period`` samples (HiFi-GAN, arXiv 2010.05646)."""

    def __init__(self, channels: int, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        sizes = [channels, width, 4 * width, 16 * width, 32 * width]
        layers = [
            nn.Conv2d(inputs, outputs, (5, 1), (3, 1), padding=(2, 0))
            for inputs, outputs in pairwise(sizes)
        ]
        layers.append(nn.Conv2d(sizes[-1], sizes[-1], (5, 1), padding=(2, 0)))
        self.stack = _Stack(layers, nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, wav: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores and features of ``[B, C, T]``."""
        padded = F.pad(wav, (0, -wav.shape[-1] % self.period))
        judged: tuple[Tensor, list[Tensor]] = self.stack(
            padded.reshape(*padded.shape[:-1], -1, self.period)
        )
        return judged


class Discriminators(nn.Module):
    """All discriminators that a recipe asks for, judged together."""

    def __init__(self, config: DiscriminatorConfig, channels: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for hop in config.frequency_hops:
            parts.append(SpectrumDiscriminator(channels, 4 * hop, hop, config.frequency_width))
        for period in config.periods:
            parts.append(PeriodDiscriminator(channels, period, config.period_width))
        for size in config.stft_windows:
            parts.append(SpectrumDiscriminator(channels, size, size // 4, config.stft_width))
        if not parts:
            raise ValueError(
                "adversarial losses need a discriminator: set frequency_hops, periods or "
                "stft_windows, or losses.adversarial to 0"
            )
        self.parts = nn.ModuleList(parts)

    def forward(self, wav: Tensor) -> Judgement:
        """Scores and inner features of ``[B, C, T]``."""
        judged = [part(wav) for part in self.parts]
        return [score for score, _ in judged], [features for _, features in judged]
