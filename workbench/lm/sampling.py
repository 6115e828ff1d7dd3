"""Draw tokens from logits: temperature, top-k, top-p, from uniform numbers given by the caller.

Each token takes exactly one uniform number (two with repetition-aware sampling), so what is drawn
for an item depends on its own logits and its own numbers, and on nothing else in its batch.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import Tensor

from workbench.api.settings import SamplingSettings


def sample(logits: Tensor, options: SamplingSettings, uniforms: Tensor) -> Tensor:
    """One token int64 ``[N]`` for each row of ``logits [N, V]``, by inverse transform sampling.

    ``uniforms`` is float32 ``[N]`` in [0, 1). Top-k comes before top-p, as in most toolkits.
    """
    if options.temperature == 0 or options.top_k == 1:
        return logits.argmax(dim=-1)
    if options.top_p == 1 and not 0 < options.top_k < logits.shape[-1]:
        mass = torch.softmax(logits / options.temperature, dim=-1).cumsum(dim=-1)
        return _invert(mass, mass[:, -1:], uniforms)
    count = min(options.top_k or logits.shape[-1], logits.shape[-1])
    values, tokens = torch.topk(logits, count, dim=-1)
    probabilities = torch.softmax(values / options.temperature, dim=-1)
    mass = probabilities.cumsum(dim=-1)
    if options.top_p == 1:
        total = mass[:, -1:]
    else:  # the likeliest tokens before which less than top_p lies: always at least one
        kept = (mass - probabilities < options.top_p).sum(dim=-1, keepdim=True)
        total = mass.gather(1, kept - 1)
    return tokens.gather(1, _invert(mass, total, uniforms)[:, None])[:, 0]


def _invert(mass: Tensor, total: Tensor, uniforms: Tensor) -> Tensor:
    """Index of the first entry of the cumulative ``mass [N, V]`` above ``uniforms * total``."""
    # A float32 below 1 times the total may round up to the total, where no entry lies above it.
    target = torch.minimum(uniforms[:, None] * total, torch.nextafter(total, total.new_zeros(())))
    return torch.searchsorted(mass, target, right=True)[:, 0]


def sample_aware(
    logits: Tensor, options: SamplingSettings, uniforms: Tensor, recent: Tensor
) -> Tensor:
    """As :func:`sample`, but draw anew what repeats too often (VALL-E 2, arXiv 2406.05370).

    ``uniforms`` is ``[N, 2]``; ``recent`` int64 ``[N, window]`` holds the last tokens of the same
    codebook, -1 where there are none yet. The second draw is from the whole distribution.
    """
    first = sample(logits, options, uniforms[:, 0])
    share = (recent == first[:, None]).sum(dim=-1) / options.repetition_window
    second = sample(logits, replace(options, top_k=0, top_p=1.0), uniforms[:, 1])
    return torch.where(share > options.repetition_ratio, second, first)


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Moved from the unconditional logits through the conditional ones (arXiv 2207.12598, eq. 6).

    Logits are linear in the last hidden state, so it is the hidden states that are moved: the heads
    then run once.
    """
    return unconditional + scale * (conditional - unconditional)


def item_uniforms(seed: int, item: int, count: int) -> Tensor:
    """``count`` uniform float32 numbers in [0, 1) that belong to ``item`` under ``seed``."""
    digest = hashlib.blake2b(f"{seed}/{item}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.rand(count, generator=generator)
