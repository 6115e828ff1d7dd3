"""A constant-Q spectrum as a second input of a HuBERT, beside its convolutions.

MERT's own code knows the idea (``feature_extractor_cqt``). A small model trained for minutes needs
it: the convolutions see 17 ms at a time, too little for the pitch of a bass or a chord, and the
transformer takes long to piece pitch together from their frames.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from workbench import FrameGrid, convolution_geometry
from workbench_mert.spectra import ConstantQ

_CENTRE, _SPREAD = -7.0, 2.0
"""Typical log magnitude of music's constant-Q bins, and its spread: they scale the input."""


class SpectralInput(nn.Module):
    """Convolutional features and a constant-Q spectrum of the same frames, one above the other."""

    def __init__(self, convolutions: nn.Module, spectrum: ConstantQ) -> None:
        super().__init__()
        self.convolutions = convolutions
        self.spectrum = spectrum

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, D + 84, F]`` of ``[B, T]``, where the convolutions give ``[B, D, F]``."""
        features = self.convolutions(wav)
        spectrum = self.spectrum(wav, features.shape[-1]).transpose(1, 2)
        return torch.cat([features, (spectrum - _CENTRE) / _SPREAD], dim=1)


def add_spectral_input(model: Any, sample_rate: int) -> None:
    """Turn a fresh ``HubertModel`` into one with a spectral input; its projection grows."""
    config = model.config
    hop, receptive_field = convolution_geometry(config.conv_kernel, config.conv_stride)
    spectrum = ConstantQ(FrameGrid(sample_rate, hop, receptive_field))
    model.feature_extractor = SpectralInput(model.feature_extractor, spectrum)
    width = config.conv_dim[-1] + spectrum.dim
    projection = model.feature_projection
    projection.layer_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
    projection.projection = nn.Linear(width, config.hidden_size)


def has_spectral_input(model: Any) -> bool:
    """Whether :func:`add_spectral_input` was applied to ``model``."""
    return isinstance(model.feature_extractor, SpectralInput)
