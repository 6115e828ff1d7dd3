"""Orders in which the codebooks of a frame are emitted: codes ``[B, K, F]`` <-> model steps.

A model step emits ``width`` tokens at once: one for ``flatten``, one a codebook for the others.
Shape letters: B batch, K codebooks, F frames, S steps, W tokens a step.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from workbench.lm.config import PATTERNS


class Pattern(Protocol):
    """One order of the codebooks; :meth:`restore` undoes :meth:`arrange` exactly."""

    num_codebooks: int
    """Codebooks K."""
    width: int
    """Tokens W that a step emits."""

    def steps(self, frames: int) -> int:
        """Steps S that ``frames`` frames take."""
        ...

    def first_step(self, frame: int) -> int:
        """The step at which the first token of frame ``frame`` is emitted."""
        ...

    def codebooks(self, steps: int) -> Tensor:
        """Int64 ``[S, W]``: the codebook that each slot of the first ``steps`` steps belongs to."""
        ...

    def arrange(self, values: Tensor, fill: int) -> Tensor:
        """``[B, S, W]`` of any values ``[B, K, F]``; ``fill`` marks slots that hold no token."""
        ...

    def restore(self, tokens: Tensor, frames: int) -> Tensor:
        """``[B, K, F]`` of ``[B, S, W]``, for the first ``frames`` frames."""
        ...

    def mask(self, frames: int) -> Tensor:
        """Bool ``[S, W]``: the slots that hold a token."""
        ...


class Flatten:
    """Frame by frame, codebook by codebook: f0k0, f0k1, ..., f1k0, ...; S = F K, W = 1."""

    width = 1

    def __init__(self, num_codebooks: int) -> None:
        self.num_codebooks = num_codebooks

    def steps(self, frames: int) -> int:
        """Steps that ``frames`` frames take."""
        return frames * self.num_codebooks

    def first_step(self, frame: int) -> int:
        """The step of the frame's first codebook."""
        return frame * self.num_codebooks

    def codebooks(self, steps: int) -> Tensor:
        """The codebooks take turns."""
        return (torch.arange(steps) % self.num_codebooks)[:, None]

    def arrange(self, values: Tensor, fill: int) -> Tensor:  # noqa: ARG002 - every slot is used
        """``[B, F K, 1]`` of values ``[B, K, F]``."""
        return values.transpose(1, 2).reshape(values.shape[0], -1, 1)

    def restore(self, tokens: Tensor, frames: int) -> Tensor:
        """``[B, K, F]`` of ``[B, S, 1]``."""
        kept = tokens[:, : self.steps(frames), 0]
        return kept.reshape(tokens.shape[0], frames, self.num_codebooks).transpose(1, 2)

    def mask(self, frames: int) -> Tensor:
        """All true: every step holds its token."""
        return torch.ones(self.steps(frames), 1, dtype=torch.bool)


class Delay:
    """Codebook k lags k steps behind (MusicGen, arXiv 2306.05284); S = F + K - 1, W = K."""

    def __init__(self, num_codebooks: int) -> None:
        self.num_codebooks = num_codebooks
        self.width = num_codebooks

    def steps(self, frames: int) -> int:
        """Steps that ``frames`` frames take; none for no frames."""
        return frames + self.num_codebooks - 1 if frames else 0

    def first_step(self, frame: int) -> int:
        """The step of the frame's first codebook."""
        return frame

    def codebooks(self, steps: int) -> Tensor:
        """Every step has all codebooks, in order."""
        return torch.arange(self.num_codebooks).expand(steps, -1)

    def arrange(self, values: Tensor, fill: int) -> Tensor:
        """``[B, F + K - 1, K]`` of values ``[B, K, F]``."""
        batch, _, frames = values.shape
        shape = (batch, self.steps(frames), self.num_codebooks)
        steps = torch.full(shape, fill, dtype=values.dtype, device=values.device)
        for k in range(self.num_codebooks):
            steps[:, k : k + frames, k] = values[:, k]
        return steps

    def restore(self, tokens: Tensor, frames: int) -> Tensor:
        """``[B, K, F]`` of ``[B, S, K]``."""
        streams = [tokens[:, k : k + frames, k] for k in range(self.num_codebooks)]
        return torch.stack(streams, dim=1)

    def mask(self, frames: int) -> Tensor:
        """False where a codebook has not started yet or has ended."""
        ones = torch.ones(1, self.num_codebooks, frames, dtype=torch.long)
        return self.arrange(ones, fill=0)[0].bool()


class Parallel:
    """All codebooks of a frame in one step, independent of each other; S = F, W = K."""

    def __init__(self, num_codebooks: int) -> None:
        self.num_codebooks = num_codebooks
        self.width = num_codebooks

    def steps(self, frames: int) -> int:
        """Steps that ``frames`` frames take."""
        return frames

    def first_step(self, frame: int) -> int:
        """The frame's own step."""
        return frame

    def codebooks(self, steps: int) -> Tensor:
        """Every step has all codebooks, in order."""
        return torch.arange(self.num_codebooks).expand(steps, -1)

    def arrange(self, values: Tensor, fill: int) -> Tensor:  # noqa: ARG002 - every slot is used
        """``[B, F, K]`` of values ``[B, K, F]``."""
        return values.transpose(1, 2)

    def restore(self, tokens: Tensor, frames: int) -> Tensor:
        """``[B, K, F]`` of ``[B, S, K]``."""
        return tokens[:, :frames].transpose(1, 2)

    def mask(self, frames: int) -> Tensor:
        """All true: every step holds a whole frame."""
        return torch.ones(frames, self.num_codebooks, dtype=torch.bool)


_CLASSES: dict[str, type[Flatten] | type[Delay] | type[Parallel]] = dict(
    zip(PATTERNS, (Flatten, Delay, Parallel), strict=True)
)


def build_pattern(name: str, num_codebooks: int) -> Pattern:
    """The pattern that ``LMConfig.pattern`` names."""
    return _CLASSES[name](num_codebooks)
