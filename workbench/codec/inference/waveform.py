"""The convolutions under HuBERT, WavLM and MERT, over tiles of time, for inference.

Where the first of them is normalised over all of time, that normalisation follows from the moments
of the waveform and becomes part of the convolution's weights: see :mod:`workbench.audio.moments`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.hubert.modeling_hubert import HubertFeatureEncoder
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2FeatureEncoder
from transformers.models.wavlm.modeling_wavlm import WavLMFeatureEncoder

from workbench.audio.encoder import convolution_geometry
from workbench.audio.moments import Folded, Moments
from workbench.codec.inference.dac import TILE, tiled
from workbench.codec.inference.kernels import FloatKernel, Geometry, Kernel, Precision, kernel_of
from workbench.codec.inference.layers import Packed

FAMILY = (HubertFeatureEncoder, Wav2Vec2FeatureEncoder, WavLMFeatureEncoder)


class TiledFeatureExtractor(Packed):
    """What transformers' feature extractors of the wav2vec 2.0 family compute."""

    def __init__(self, extractor: Any, precision: Precision) -> None:
        super().__init__()
        # Kept as they are: who knows more of a recording than its part puts a :class:`Folded` here.
        self.conv_layers: nn.ModuleList = extractor.conv_layers
        self.steps = [_Step(layer, kernel_of(layer.conv, precision, 0)) for layer in self.layers]
        kernels = [layer.conv.kernel_size[0] for layer in self.layers]
        strides = [layer.conv.stride[0] for layer in self.layers]
        self.hop, self.field = convolution_geometry(kernels, strides)
        self.stride = strides[0]
        self.tile = TILE // self.layers[0].conv.out_channels * self.stride // self.hop

    @property
    def layers(self) -> list[Any]:
        """transformers' layers: each has a ``conv``, an ``activation``, perhaps a norm."""
        return list(self.conv_layers)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, C, F]`` of ``[B, T]``."""
        items = [self._item(wav[index : index + 1]) for index in range(len(wav))]
        return torch.cat(items).transpose(1, 2)

    def _item(self, wav: Tensor) -> Tensor:
        steps = [self._first(wav), *self.steps[1:]]
        frames = (wav.shape[1] - self.field) // self.hop + 1

        def compute(begin: int, end: int) -> Tensor:
            x = wav[:, begin * self.hop : (end - 1) * self.hop + self.field, None]
            for step in steps:
                x = step(x)
            return x.float()

        return tiled(frames, self.tile, compute)

    def _first(self, wav: Tensor) -> _Step:
        """The first layer, normalised over ``wav`` ``[1, T]``, or as somebody else says."""
        layer = self.layers[0]
        if isinstance(layer.conv, Folded):
            weight, bias = layer.conv.folded
        elif isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm):
            moments = Moments(layer.conv)
            moments.add(wav)
            weight, bias = moments.fold(layer.conv, layer.layer_norm, (0.0, 1.0))
        else:
            return self.steps[0]
        return _Step(layer, FloatKernel(weight, bias, Geometry(self.stride), torch.float32))


class _Step:
    """A convolution, perhaps a normalisation of each frame, and an activation."""

    def __init__(self, layer: Any, kernel: Kernel) -> None:
        self.kernel = kernel
        norm = getattr(layer, "layer_norm", None)
        self.norm = norm if isinstance(norm, nn.LayerNorm) else None
        self.activation = layer.activation

    def __call__(self, x: Tensor) -> Tensor:
        x = self.kernel(x)
        if self.norm is not None:
            x = self.norm(x.float())
        activated: Tensor = self.activation(x)
        return activated


def tile_feature_extractors(root: nn.Module, precision: Precision) -> None:
    """Replace, in place, every feature extractor of the family inside ``root``."""
    for parent in list(root.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, FAMILY):
                setattr(parent, name, TiledFeatureExtractor(child, precision))
