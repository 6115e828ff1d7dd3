"""Weight matrices as inference wants them: ``x W`` and ``residual + x W``, at some precision."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

Precision = Literal["fp32", "fp16", "int8"]
"""Precision of the weights; activations and sums are float32, except in :class:`Int8`."""


class Matrix(Protocol):
    """A constant matrix ``[in, out]`` to multiply rows with."""

    def apply(self, x: Tensor) -> Tensor:
        """``[N, out]`` of ``[N, in]``."""
        ...

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [N, out] + x W`` of ``x [N, in]``."""
        ...


class Dense:
    """Float32, laid out ``[in, out]``: a fifth quicker for one row than a linear layer's layout."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight.t().contiguous()

    def apply(self, x: Tensor) -> Tensor:
        """``[N, out]`` of ``[N, in]``."""
        return torch.mm(x, self.weight)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [N, out] + x W``."""
        return torch.addmm(residual, x, self.weight)


class Half:
    """Float16 weights, half the memory traffic of float32; x86 CPUs (FBGEMM)."""

    def __init__(self, weight: Tensor) -> None:
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), None)

    def apply(self, x: Tensor) -> Tensor:
        """``[N, out]`` of ``[N, in]``."""
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.packed)
        return y

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [N, out] + x W``."""
        return self.apply(x).add_(residual)


class Int8:
    """Eight-bit weights, one scale an output; a quarter of the memory traffic; x86 CPUs (FBGEMM).

    In a single step the row of activations is quantised too, with a scale of its own (the kernel
    takes one scale a call, so guidance's two rows take two calls). More rows than that are the
    reading of a prompt, for which the weights are expanded to float32 and activations kept as is.
    """

    step_rows = 2

    def __init__(self, weight: Tensor) -> None:
        scales = (weight.abs().amax(dim=1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        zeros = torch.zeros_like(scales, dtype=torch.long)
        quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(quantised, None)
        self.stored = quantised.int_repr()
        self.scales = scales

    def apply(self, x: Tensor) -> Tensor:
        """``[N, out]`` of ``[N, in]``."""
        if len(x) > self.step_rows:
            return torch.mm(x, self.stored.t().float()).mul_(self.scales)
        rows = [torch.ops.quantized.linear_dynamic(row, self.packed) for row in torch.split(x, 1)]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [N, out] + x W``."""
        return self.apply(x).add_(residual)


_CLASSES: dict[Precision, type[Dense] | type[Half] | type[Int8]] = {
    "fp32": Dense,
    "fp16": Half,
    "int8": Int8,
}


def build_matrix(weight: Tensor, precision: Precision) -> Matrix:
    """The matrix of a linear layer's ``weight [out, in]``."""
    if precision != "fp32" and weight.device.type != "cpu":
        raise ValueError(f"precision = {precision!r}: must be 'fp32' on {weight.device.type}")
    return _CLASSES[precision](weight.detach().float())
