"""torch's linear layers and convolutions, replaced inside any module by what is quicker."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.api.errors import WeightsError
from workbench.codec.inference.kernels import Geometry, Precision, build_kernel, kernel_of

_INSTEAD = "use the codec that it was made from"


class Packed(nn.Module):
    """A module with constant weights in a form of their own, on the CPU.

    It has no parameters: it can be neither trained nor moved nor saved, and says so.
    """

    def train(self, mode: bool = True) -> Packed:
        """Stay in eval mode; refuse another."""
        if mode:
            raise WeightsError(f"a codec for inference can't be trained; {_INSTEAD}")
        super().train(False)
        return self

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Packed:
        del recurse
        probe = torch.empty(0)
        moved = fn(probe)
        if (moved.device, moved.dtype) != (probe.device, probe.dtype):
            raise WeightsError(f"a codec for inference can't be moved or converted; {_INSTEAD}")
        return self

    def _save_to_state_dict(self, destination: object, prefix: str, keep_vars: bool) -> None:
        del destination, prefix, keep_vars
        raise WeightsError(f"a codec for inference can't be saved; {_INSTEAD}")


class PackedConv1d(Packed):
    """A convolution of ``[B, C, T]``.

    Its result is a view of ``[B, T, C]``, and so is cheap to use for the next one.
    """

    def __init__(self, conv: nn.Conv1d, precision: Precision) -> None:
        super().__init__()
        self.kernel = kernel_of(conv, precision)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, out, T']`` of ``[B, in, T]``."""
        return self.kernel(x.transpose(1, 2)).to(x.dtype).transpose(1, 2)


class PackedLinear(Packed):
    """A linear layer of ``[..., in]``."""

    def __init__(self, linear: nn.Linear, precision: Precision) -> None:
        super().__init__()
        self.kernel = build_kernel(linear.weight[:, :, None], linear.bias, Geometry(), precision)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., out]`` of ``[..., in]``."""
        y = self.kernel(x.reshape(1, -1, x.shape[-1]))
        return y.to(x.dtype).view(*x.shape[:-1], -1)


class CastLayer(nn.Module):
    """A layer that computes in bfloat16 and answers in the format that it was asked in."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = copy.deepcopy(layer).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """What the layer makes of ``x``."""
        y: Tensor = self.layer(x.bfloat16()).to(x.dtype)
        return y


def pack(layer: nn.Module, precision: Precision) -> nn.Module:
    """``layer`` with packed weights, or itself where it is of another kind."""
    if isinstance(layer, nn.Linear):
        return PackedLinear(layer, precision)
    if not isinstance(layer, nn.Conv1d):
        return layer
    usual = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return PackedConv1d(layer, precision) if usual else layer


def replace_called(
    roots: Sequence[nn.Module], run: Callable[[], object], replace: Callable[[nn.Module], nn.Module]
) -> None:
    """Replace, in place, linear layers and 1-D convolutions inside ``roots`` that ``run`` calls.

    Others stay: some modules read the weights of a layer that they never call, as transformers'
    WavLM does in its attention, and some layers serve training alone.
    """
    called: set[nn.Module] = set()
    kinds = (nn.Linear, nn.Conv1d, nn.ConvTranspose1d)
    layers = {part for root in roots for part in root.modules() if isinstance(part, kinds)}
    hooks = [layer.register_forward_hook(lambda layer, *_: called.add(layer)) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    for root in roots:
        for parent in list(root.modules()):
            for name, child in list(parent.named_children()):
                if child in called:
                    setattr(parent, name, replace(child))
