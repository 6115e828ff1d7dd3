"""The codec."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import EncodecConfig, EncodecModel

from workbench import (
    Codes,
    RecipeError,
    encode_by_length,
    load_tensors,
    model_config,
    read_json,
    read_tensors,
    weights_folder,
)
from workbench_hf_encodec.plugin import EncodecOptions


class EncodecCodec(nn.Module):
    """Causal, mono, without chunks or normalisation: codes are all that a decoder needs."""

    channels = 1

    def __init__(self, model: Any, codebooks: int) -> None:
        super().__init__()
        config = model.config
        self.model = model
        self.sample_rate = int(config.sampling_rate)
        self.hop = math.prod(config.upsampling_ratios)
        self.frame_rate = self.sample_rate / self.hop
        self.num_codebooks = codebooks
        self.codebook_size = int(config.codebook_size)
        self.bandwidth = max(config.target_bandwidths)
        self.eval()

    @torch.no_grad()
    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, K, F]`` of audio ``[B, 1, T]``; F = ceil(T / hop)."""
        values, frames = encode_by_length(self._encode, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def _encode(self, wav: Tensor) -> Tensor:
        padded = F.pad(wav, (0, -wav.shape[-1] % self.hop))
        (chunk,) = self.model.encode(padded, bandwidth=self.bandwidth).audio_codes
        codes: Tensor = chunk[:, : self.num_codebooks]
        return codes

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, 1, F * hop]`` of codes with any number of codebooks from 1 to K."""
        wav: Tensor = self.model.decode(codes.values[None], [None]).audio_values
        return wav[..., : codes.frames * self.hop]


def build_codec(options: EncodecOptions, seed: int) -> EncodecCodec:
    """The codec with random weights, or with those of a checkpoint."""
    if options.weights == "random":
        model = _random(options, seed)
    else:
        folder = weights_folder(options.weights)
        config = model_config(EncodecConfig, read_json(folder / "config.json"), options.weights)
        if config.audio_channels != 1 or config.normalize:
            raise RecipeError([f"weights = {options.weights!r}: only the mono model is supported"])
        model = EncodecModel(config)
        load_tensors(model, read_tensors(folder), options.weights)
    available = len(model.quantizer.layers)
    if options.codebooks > available:
        raise RecipeError(
            [f"codebooks = {options.codebooks}: the model has no more than {available}"]
        )
    return EncodecCodec(model, options.codebooks)


def _random(options: EncodecOptions, seed: int) -> Any:
    size = options.size
    config = EncodecConfig(
        num_filters=size.filters,
        hidden_size=size.hidden,
        codebook_dim=size.hidden,
        codebook_size=size.codebook_size,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EncodecModel(config)
        for layer in model.quantizer.layers:
            layer.codebook.embed.normal_()  # transformers leaves them at zero
    return model
