"""EnCodec's loss balancer (arXiv 2210.13438, section 3.4): weights are shares of a gradient."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workbench.codec.quantizer import all_sum, world

DECAY = 0.999


class Balancer(nn.Module):
    """Scales the gradients that several losses send into one tensor to chosen shares.

    A loss of weight w contributes a gradient of norm w / (sum of weights), measured by a moving
    average, however large its own gradient is. The averages are buffers, so that a resumed training
    goes on exactly.
    """

    norms: Tensor
    totals: Tensor

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.register_buffer("norms", torch.zeros(len(self.weights)))
        self.register_buffer("totals", torch.zeros(len(self.weights)))
        self.factors: dict[str, Tensor] = {}
        """What each loss was multiplied by in the last step."""

    def forward(self, losses: Mapping[str, Tensor], wav: Tensor) -> Tensor:
        """A scalar whose gradient with respect to ``wav`` ``[B, C, T]`` is the balanced one.

        ``losses`` are unweighted scalars that depend on ``wav``; some may be missing. The scalar's
        own value means nothing.
        """
        names = [name for name in self.weights if name in losses]
        share = sum(self.weights[name] for name in names)
        balanced = torch.zeros_like(wav)
        self.factors = {}
        for name in names:
            (gradient,) = torch.autograd.grad(losses[name], wav, retain_graph=True)
            norm = self._average(list(self.weights).index(name), gradient)
            self.factors[name] = self.weights[name] / share / norm.clamp_min(1e-12)
            balanced += gradient * self.factors[name]
        return (wav * balanced).sum()

    @torch.no_grad()
    def _average(self, index: int, gradient: Tensor) -> Tensor:
        """Moving average, free of its start, of a loss' gradient norm over items and processes."""
        norm = gradient.flatten(1).norm(dim=1).mean()
        self.norms[index] = DECAY * self.norms[index] + all_sum(norm) / world()
        self.totals[index] = DECAY * self.totals[index] + 1
        return self.norms[index] / self.totals[index]
