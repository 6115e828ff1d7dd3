"""ConvNeXt blocks for sequences, the body of the cheap encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then a two-layer perceptron at each frame, added to the input.

    The layer scale starts small, as in Vocos, so that a deep stack starts close to the identity.
    """

    def __init__(self, width: int, layer_scale: float, kernel: int = 7, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, expansion * width)
        self.activation = nn.GELU()
        self.project = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), layer_scale))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, F]`` to ``[B, D, F]``."""
        y: Tensor = self.norm(self.depthwise(x).transpose(1, 2))
        y = self.scale * self.project(self.activation(self.expand(y)))
        return x + y.transpose(1, 2)


def convnext_stack(width: int, blocks: int) -> nn.Sequential:
    """``blocks`` ConvNeXt blocks in a row; the layer scale is 1 / ``blocks``."""
    return nn.Sequential(*(ConvNeXtBlock(width, 1.0 / blocks) for _ in range(blocks)))


class FrameNorm(nn.Module):
    """Layer normalisation over the channels of ``[B, D, F]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, F]`` to ``[B, D, F]``."""
        normed: Tensor = self.norm(x.transpose(1, 2))
        return normed.transpose(1, 2)
