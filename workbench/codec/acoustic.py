"""DAC's encoder and decoder as X-Codec uses them (arXiv 2306.06546, 2408.17175).

Parameter names are those of transformers' ``DacModel``, so that its checkpoints need no renaming.
The cheap alternatives are in :mod:`workbench.codec.spectral`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

DILATIONS = (1, 3, 9)


class Snake1d(nn.Module):
    """Snake activation x + sin²(αx) / α with one α a channel (arXiv 2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, T]`` to ``[B, D, T]``."""
        return x + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2)


class ResidualUnit(nn.Module):
    """Dilated convolution of kernel 7, then one of kernel 1, added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.snake1 = Snake1d(channels)
        self.conv1 = nn.Conv1d(channels, channels, 7, dilation=dilation, padding=3 * dilation)
        self.snake2 = Snake1d(channels)
        self.conv2 = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, T]`` to ``[B, D, T]``."""
        y: Tensor = self.conv2(self.snake2(self.conv1(self.snake1(x))))
        return x + y


class EncoderBlock(nn.Module):
    """Three residual units, then a strided convolution that doubles the channels."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.res_unit1, self.res_unit2, self.res_unit3 = (
            ResidualUnit(channels, dilation) for dilation in DILATIONS
        )
        self.snake1 = Snake1d(channels)
        padding = math.ceil(stride / 2)
        self.conv1 = nn.Conv1d(channels, 2 * channels, 2 * stride, stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, T]`` to ``[B, 2 D, T // stride]`` (one more where an odd stride leaves room)."""
        y: Tensor = self.conv1(self.snake1(self.res_unit3(self.res_unit2(self.res_unit1(x)))))
        return y


class DecoderBlock(nn.Module):
    """A transposed convolution that halves the channels, then three residual units."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        half = channels // 2
        self.snake1 = Snake1d(channels)
        self.conv_t1 = nn.ConvTranspose1d(
            channels,
            half,
            2 * stride,
            stride=stride,
            padding=math.ceil(stride / 2),
            output_padding=stride % 2,  # so that an odd stride multiplies the length exactly, too
        )
        self.res_unit1, self.res_unit2, self.res_unit3 = (
            ResidualUnit(half, dilation) for dilation in DILATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, T]`` to ``[B, D / 2, T * stride]``."""
        y: Tensor = self.res_unit3(self.res_unit2(self.res_unit1(self.conv_t1(self.snake1(x)))))
        return y


class DacEncoder(nn.Module):
    """Waveform to latents by strided convolutions."""

    def __init__(self, channels: int, width: int, strides: list[int], latent_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, width, 7, padding=3)
        self.block = nn.ModuleList(
            EncoderBlock(width * 2**index, stride) for index, stride in enumerate(strides)
        )
        last = width * 2 ** len(strides)
        self.snake1 = Snake1d(last)
        self.conv2 = nn.Conv1d(last, latent_dim, 3, padding=1)
        self.apply(_initialise)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, C, F * hop]`` to ``[B, latent_dim, F]``."""
        x: Tensor = self.conv1(wav)
        for block in self.block:
            x = block(x)
        x = self.conv2(self.snake1(x))
        return x


def dac_frames(strides: list[int], samples: int) -> int:
    """Frames that :class:`DacEncoder` yields for any number of samples."""
    for stride in strides:
        samples = (samples + 2 * math.ceil(stride / 2) - 2 * stride) // stride + 1
    return samples


class DacDecoder(nn.Module):
    """Latents to waveform by transposed convolutions; no final tanh, as in the public code."""

    def __init__(self, channels: int, width: int, strides: list[int], latent_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(latent_dim, width, 7, padding=3)
        self.block = nn.ModuleList(
            DecoderBlock(width // 2**index, stride) for index, stride in enumerate(strides)
        )
        last = width // 2 ** len(strides)
        self.snake1 = Snake1d(last)
        self.conv2 = nn.Conv1d(last, channels, 7, padding=3)
        self.apply(_initialise)

    def forward(self, latent: Tensor) -> Tensor:
        """``[B, latent_dim, F]`` to ``[B, C, F * hop]``."""
        x: Tensor = self.conv1(latent)
        for block in self.block:
            x = block(x)
        x = self.conv2(self.snake1(x))
        return x


def _initialise(module: nn.Module) -> None:
    """DAC's initialisation of its convolutions."""
    if isinstance(module, nn.Conv1d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def add_weight_norm(module: nn.Module) -> None:
    """Weight-normalise every convolution inside ``module``; the function it computes stays."""
    for part in list(module.modules()):
        if isinstance(part, nn.Conv1d | nn.ConvTranspose1d):
            nn.utils.parametrizations.weight_norm(part)


def remove_weight_norm(module: nn.Module) -> None:
    """Undo :func:`add_weight_norm`, keeping the weights' present values."""
    for part in list(module.modules()):
        if isinstance(part, nn.Conv1d | nn.ConvTranspose1d) and hasattr(part, "parametrizations"):
            nn.utils.parametrize.remove_parametrizations(part, "weight")
