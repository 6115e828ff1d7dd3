"""Small language models and sequences that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from workbench.api.types import Condition, Sequence
from workbench.lm.config import PATTERNS, LMConfig
from workbench.lm.storage import build_model
from workbench.lm.transformer import TransformerLM

TINY = LMConfig(
    width=32, depth=2, heads=2, ffn_multiple=2.0, context=160, num_codebooks=3, codebook_size=11
)
CONDITIONED = replace(TINY, prefix_symbols=7, memory_dim=5, condition_dropout=0.1)
__all__ = ["CONDITIONED", "PATTERNS", "TINY", "codes", "condition", "decisive", "sequence"]


def decisive(config: LMConfig, seed: int = 0) -> TransformerLM:
    """A random model with peaked distributions and norm gains other than 1, in eval mode."""
    model = build_model(config, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.heads.mul_(15 / float(model.heads.std() * config.width**0.5 * 4))
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def codes(frames: int, seed: int = 0, config: LMConfig = TINY) -> Tensor:
    """Random codes ``[K, frames]``."""
    generator = torch.Generator().manual_seed(seed)
    shape = (config.num_codebooks, frames)
    return torch.randint(0, config.codebook_size, shape, generator=generator)


def condition(symbols: int, vectors: int, seed: int = 0) -> Condition:
    """A random condition for ``CONDITIONED`` models."""
    generator = torch.Generator().manual_seed(seed)
    return Condition(
        prefix=torch.randint(0, CONDITIONED.prefix_symbols, (symbols,), generator=generator),
        memory=torch.randn(vectors, CONDITIONED.memory_dim, generator=generator),
    )


def sequence(frames: int, seed: int = 0, symbols: int = 0, loss_from: int = 0) -> Sequence:
    """A random sequence, conditioned where ``symbols`` is above 0."""
    given = condition(symbols, symbols + 1, seed) if symbols else Condition()
    return Sequence(codes(frames, seed), given, loss_from)
