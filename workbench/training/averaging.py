"""A running average of weights (EMA), often better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all parameters of some modules; off where ``decay`` is 0."""

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.parameters = {
            f"{name}.{key}": parameter
            for name, module in modules.items()
            for key, parameter in module.named_parameters()
            if decay and parameter.requires_grad
        }
        self.average = {key: p.detach().clone() for key, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after ``step`` in; early steps count more, so the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, parameter in self.parameters.items():
            self.average[key].lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in the modules' place."""
        for key, parameter in self.parameters.items():
            parameter.copy_(self.average[key])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The average in the modules' place for a moment; then their own weights again."""
        own = {key: p.detach().clone() for key, p in self.parameters.items()}
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                for key, parameter in self.parameters.items():
                    parameter.copy_(own[key])

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        return self.average

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over a checkpoint's state."""
        for key, value in state.items():
            self.average[key].copy_(value)
