"""Normalisation over all of a recording, from what a pass over it in blocks can gather.

The first convolution of models like HuBERT is normalised over time. An output w·x of it has mean
w·m and variance wᵀCw, where m and C are mean and covariance of the stretches x of the waveform that
it sees: ten taps need a hundred numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Moments:
    """First and second moments of a waveform, and of the stretches that ``conv`` sees of it."""

    def __init__(self, conv: nn.Conv1d | None) -> None:
        self.size, self.stride = (1, 1) if conv is None else (conv.kernel_size[0], conv.stride[0])
        self.total = self.squares = 0.0
        self.samples = self.stretches = 0
        self.rest = torch.zeros(1, 0)
        self.sums = torch.zeros(self.size, dtype=torch.float64)
        self.products = torch.zeros(self.size, self.size, dtype=torch.float64)

    def add(self, block: Tensor) -> None:
        """Take in the next samples ``[1, t]``."""
        own = block.detach().to("cpu", torch.float32)
        self.samples += own.shape[1]
        self.total += float(own.double().sum())
        self.squares += float(own.double().square().sum())
        joined = torch.cat([self.rest, own], dim=1)
        count = max(0, (joined.shape[1] - self.size) // self.stride + 1)
        if count:
            stretches = joined[0].double().unfold(0, self.size, self.stride)
            self.sums += stretches.sum(dim=0)
            self.products += stretches.t() @ stretches
        self.stretches += count
        self.rest = joined[:, count * self.stride :]

    def scale(self) -> tuple[float, float]:
        """Mean and deviation of the waveform, as transformers' feature extractors take them."""
        mean = self.total / self.samples
        variance = max(0.0, self.squares / self.samples - mean * mean)
        return mean, math.sqrt(variance + 1e-7)

    def fold(self, conv: Any, norm: Any, scale: tuple[float, float]) -> tuple[Tensor, Tensor]:
        """Weight and bias of ``conv`` and ``norm`` in one, behind the waveform's ``scale``."""
        offset, deviation = scale
        mean = self.sums / self.stretches
        covariance = (self.products / self.stretches - torch.outer(mean, mean)) / deviation**2
        mean = (mean - offset) / deviation
        taps = conv.weight.detach()[:, 0].to("cpu", torch.float64)
        variance = ((taps @ covariance) * taps).sum(dim=1)
        gain = norm.weight.detach().cpu().double() / torch.sqrt(variance + norm.eps)
        shift = norm.bias.detach().cpu().double() - (taps @ mean) * gain
        return (taps * gain[:, None])[:, None].to(conv.weight), shift.to(conv.weight)


def normalised_layer(model: Any) -> Any:
    """The model's convolution layer whose output is normalised over time; None for none."""
    for part in model.feature_extractor.modules():
        if isinstance(getattr(part, "layer_norm", None), nn.GroupNorm):
            return part
    return None


@contextmanager
def first_convolution(model: Any, folded: tuple[Tensor, Tensor] | None) -> Iterator[None]:
    """Let the model's first convolution be ``folded``, which needs no normalisation behind it."""
    if folded is None:
        yield
        return
    layer = normalised_layer(model)
    conv, norm = layer.conv, layer.layer_norm
    layer.conv, layer.layer_norm = Folded(folded, conv.stride[0]), nn.Identity()
    try:
        yield
    finally:
        layer.conv, layer.layer_norm = conv, norm


class Folded(nn.Module):
    """A convolution with given weight and bias."""

    def __init__(self, folded: tuple[Tensor, Tensor], stride: int) -> None:
        super().__init__()
        self.folded = folded
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, T']`` of ``[B, 1, T]``."""
        weight, bias = self.folded
        return F.conv1d(x, weight, bias, self.stride)
