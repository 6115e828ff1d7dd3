"""The Snake activation, whose sine takes as long as a convolution that torch computes badly.

Two ways to compute it: by torch's operations in a row, and as one loop that a compiler makes, with
a polynomial for the sine. They agree to float32's last digits.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from workbench.codec.acoustic import Snake1d

logger = logging.getLogger("workbench.codec")

SINE = (3.141592640130707, -5.167710083507869, 2.5500775232141875, -0.5982912856181105,
        0.07765766030145861)  # fmt: skip
"""sin(π r) = r (c0 + c1 r² + c2 r⁴ ...) for |r| up to 1/2, within 7e-9 (Chebyshev fit)."""

Activation = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of ``x [N, C]``, α ``[C]`` and 1 / α ``[C]``; the result is like ``x``, which stays."""


class SnakeKernel:
    """x + sin²(αx) / α of ``[B, T, C]``, with one α a channel."""

    def __init__(self, snake: Snake1d, activation: Activation) -> None:
        self.alpha = snake.alpha.detach().flatten().clone()
        self.inverse = (self.alpha + 1e-9).reciprocal()
        self.activation = activation

    def __call__(self, x: Tensor) -> Tensor:
        """``[B, T, C]``."""
        return self.activation(x.reshape(-1, len(self.alpha)), self.alpha, self.inverse).view(
            x.shape
        )


def eager_snake(x: Tensor, alpha: Tensor, inverse: Tensor) -> Tensor:
    """Snake by torch's operations."""
    y = torch.mul(x, alpha).sin_()  # float32, whatever x is
    return torch.addcmul(x, y.mul_(y), inverse, out=y).to(x.dtype)


def fused_snake(x: Tensor, alpha: Tensor, inverse: Tensor) -> Tensor:
    """Snake as a compiler likes it: no branch, no call."""
    wide = x.float()
    turns = wide * (alpha / math.pi)
    turns = turns - turns.round()
    square = turns * turns
    sine = torch.full_like(turns, SINE[-1])
    for coefficient in reversed(SINE[:-1]):
        sine = sine * square + coefficient
    sine = sine * turns
    return (wide + sine * sine * inverse).to(x.dtype)


@lru_cache(maxsize=2)
@torch.inference_mode()
def compiled_snake(dtype: torch.dtype) -> Activation | None:
    """:func:`fused_snake`, compiled; None, with a warning, where nothing can compile it.

    To be called in inference mode, as here: in another, it would be compiled again.
    """
    compiled: Any = torch.compile(fused_snake, dynamic=True)
    x = torch.ones(2048, 64, dtype=dtype)
    with torch.inference_mode(False):
        alpha, inverse = torch.ones(64), torch.ones(64)
    try:
        compiled(x, alpha, inverse)
    except Exception as error:  # whatever a missing or broken compiler raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        logger.warning("can't compile, so the codec runs uncompiled and slower: %s", reason)
        return None
    activation: Activation = compiled
    return activation
