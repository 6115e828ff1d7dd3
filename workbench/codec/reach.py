"""How far a codec's convolutions see, which decides what chunks of audio need of their neighbours.

It is measured, not derived: a value that is not a number is put in, and whatever depends on it is
not one either. Width does not matter for that, so a codec of the same shape, but narrow, is asked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from workbench.codec.config import XCodecConfig, config_from_dict, config_to_dict
from workbench.codec.xcodec import XCodec


@dataclass(frozen=True)
class Reach:
    """Neighbouring frames that one frame of output depends on, before and after it."""

    before: int
    after: int


def decoder_reach(codec: XCodec) -> Reach:
    """Frames of codes around a frame that its audio depends on."""
    return _decoder_reach(_shape(codec.config))


def encoder_reach(codec: XCodec) -> Reach:
    """Frames of audio around a frame that its codes depend on, apart from what a teacher sees."""
    return _encoder_reach(_shape(codec.config))


@lru_cache(maxsize=32)
def _decoder_reach(shape: str) -> Reach:
    codec = _narrow(shape)
    hop = codec.config.hop

    def affected(frames: int, centre: int) -> Tensor:
        vectors = torch.zeros(1, frames, codec.config.quantized_dim)
        vectors[:, centre] = math.nan
        wav = codec.synthesise(vectors).reshape(codec.channels, frames, hop)
        return wav.isnan().any(dim=2).any(dim=0)

    return _probe(affected)


@lru_cache(maxsize=32)
def _encoder_reach(shape: str) -> Reach:
    codec = _narrow(shape)
    config = codec.config
    factor = math.prod(config.semantic.strides)

    def affected(frames: int, centre: int) -> Tensor:
        wav = torch.zeros(1, codec.channels, frames * config.hop)
        wav[..., centre * config.hop : (centre + 1) * config.hop] = math.nan
        features = []
        for teacher in config.teachers:
            one = torch.zeros(1, teacher.dim, frames * factor)
            one[..., centre * factor : (centre + 1) * factor] = math.nan
            features.append(one)
        fused = codec.fuse(codec.acoustic_encoder(wav), features)
        return fused[0].isnan().any(dim=1)

    return _probe(affected)


@torch.no_grad()
def _probe(affected: Callable[[int, int], Tensor]) -> Reach:
    """What depends on the middle one of some frames, of ever more until both ends do not."""
    side = 16
    while True:
        hit = affected(2 * side + 1, side).nonzero()
        first, last = int(hit.min()), int(hit.max())
        if first > 0 and last < 2 * side:
            return Reach(before=last - side, after=side - first)
        side *= 2


def _shape(config: XCodecConfig) -> str:
    """``config`` as narrow as it can be, as text."""
    decoder_width = 2 ** len(config.decoder_strides or config.strides)
    narrow = replace(
        config,
        latent_dim=1,
        encoder=replace(config.encoder, width=1, mel_bins=min(config.encoder.mel_bins, 8)),
        decoder=replace(config.decoder, width=decoder_width, fine_width=1),
        quantizer=replace(config.quantizer, codebooks=1, size=1, dim=None, dropout_choices=[1]),
        semantic=replace(config.semantic, width=None),
        teachers=[replace(teacher, dim=1) for teacher in config.teachers],
    )
    return json.dumps(config_to_dict(narrow))


def _narrow(shape: str) -> XCodec:
    """The codec that ``shape`` describes; its weights are of no account."""
    with torch.random.fork_rng(devices=[]):
        return XCodec(config_from_dict(json.loads(shape))).eval()
