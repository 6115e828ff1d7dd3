"""Convolutions over time as inference wants them: packed once, channels side by side in memory.

Audio lies as ``[B, T, C]`` here. oneDNN computes convolutions in that layout without rearranging
anything, and a convolution of kernel 1 is a matrix product. Matrix products go to oneDNN, too:
what torch calls for them by itself reaches half of its speed on CPUs that aren't Intel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Precision = Literal["fp32", "bf16", "int8"]
"""Number format of weights and of what they are multiplied with; sums are float32 or int32."""

PACKED_ROWS = 2048
"""Frames for which weights are laid out; others work as well."""
NARROW = 16
"""Fewer channels than this on either side: such a layer (a waveform's) stays float32, for it costs
next to nothing, and eight bits lose what is quiet."""


@dataclass(frozen=True)
class Geometry:
    """How a convolution moves over time; ``padding`` zeros lie on each side."""

    stride: int = 1
    dilation: int = 1
    padding: int = 0
    groups: int = 1


class Kernel(Protocol):
    """A convolution with constant weights."""

    def __call__(self, x: Tensor) -> Tensor:
        """``[B, T', out]`` of ``[B, T, in]``, float32 or bfloat16."""
        ...

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [B, T', out]`` plus what the kernel makes of ``x``."""
        ...


class FloatKernel:
    """Weights and activations in float32 or bfloat16; bfloat16 comes out as bfloat16."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, geometry: Geometry, dtype: torch.dtype
    ) -> None:
        self.dtype = dtype
        self.geometry = geometry
        self.bias = None if bias is None else bias.detach().to(dtype, copy=True)
        weight = weight.detach().to(dtype)
        self.pointwise = weight.shape[2] == 1 and geometry == Geometry()
        if self.pointwise:
            matrix = weight[:, :, 0].contiguous()
            self.packed = torch.ops.mkldnn._reorder_linear_weight(matrix, PACKED_ROWS)
        else:
            self.packed = self._pack(weight)

    def _pack(self, weight: Tensor) -> Tensor:
        form, inputs = self.geometry, weight.shape[1] * self.geometry.groups
        image = weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            image,
            [0, form.padding],
            [1, form.stride],
            [1, form.dilation],
            form.groups,
            [1, inputs, 1, PACKED_ROWS],
        )
        return packed

    def __call__(self, x: Tensor) -> Tensor:
        """``[B, T', out]`` of ``[B, T, in]``."""
        x = x.to(self.dtype).contiguous()
        y: Tensor
        if self.pointwise:
            y = torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")
            return y
        form = self.geometry
        y = torch.ops.mkldnn._convolution_pointwise(
            as_image(x),
            self.packed,
            self.bias,
            [0, form.padding],
            [1, form.stride],
            [1, form.dilation],
            form.groups,
            "none",
            [],
            "",
        )
        return from_image(y)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [B, T', out]`` plus what the kernel makes of ``x``."""
        if not self.pointwise:
            return self(x) + residual
        y: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x.to(self.dtype), residual.to(self.dtype), self.packed, self.bias, "add"
        )
        return y


class Int8Kernel:
    """Eight-bit weights, one scale an output; activations in eight bits, one scale a call.

    The scale is found anew in each call, from the least and the greatest value. Comes out float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> None:
        self.geometry = geometry
        self.bias = None if bias is None else bias.detach().clone()
        weight = weight.detach()
        tiny = torch.finfo(torch.float32).tiny
        self.scales = (weight.abs().amax(dim=(1, 2)) / 127).clamp_min(tiny)
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.pointwise = weight.shape[2] == 1 and geometry == Geometry()
        values = (weight / self.scales[:, None, None]).round().to(torch.int8)
        self.packed = self._pack_linear(values) if self.pointwise else self._pack(values)

    def _pack_linear(self, values: Tensor) -> Tensor:
        shape = [PACKED_ROWS, values.shape[1]]
        packed: Tensor = torch.ops.onednn.qlinear_prepack(values[:, :, 0].contiguous(), shape)
        return packed

    def _pack(self, values: Tensor) -> Tensor:
        form = self.geometry
        packed: Tensor = torch.ops.onednn.qconv_prepack(
            values.unsqueeze(2),
            self.scales,
            1.0,
            128,
            [1, form.stride],
            [0, 0],
            [1, form.dilation],
            form.groups,
            None,
        )
        return packed

    def __call__(self, x: Tensor) -> Tensor:
        """``[B, T', out]`` of ``[B, T, in]``."""
        side = self.geometry.padding
        x = x.float()
        input_ = quantise(F.pad(x, (0, 0, side, side)) if side else x)
        return self._multiply(input_) if self.pointwise else self._convolve(input_)

    def _multiply(self, x: Quantised) -> Tensor:
        y: Tensor = torch.ops.onednn.qlinear_pointwise(
            x.values,
            x.scale,
            x.zero,
            self.packed,
            self.scales,
            self.zeros,
            self.bias,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return y

    def _convolve(self, x: Quantised) -> Tensor:
        form = self.geometry
        y: Tensor = torch.ops.onednn.qconv2d_pointwise(
            as_image(x.values),
            x.scale,
            x.zero,
            self.packed,
            self.scales,
            self.zeros,
            self.bias,
            [1, form.stride],
            [0, 0],
            [1, form.dilation],
            form.groups,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return from_image(y)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual [B, T', out]`` plus what the kernel makes of ``x``."""
        return self(x).add_(residual)


@dataclass(frozen=True)
class Quantised:
    """``(values - zero) * scale`` in eight bits without sign."""

    values: Tensor
    scale: float
    zero: int


def quantise(x: Tensor) -> Quantised:
    """Eight bits for ``x``, with the scale and the zero point that span its values and zero."""
    least, greatest = (float(value) for value in torch.aminmax(x.detach()))
    least, greatest = min(least, 0.0), max(greatest, 0.0)
    scale = max((greatest - least) / 255, torch.finfo(torch.float32).tiny)
    zero = round(-least / scale)
    packed = torch.quantize_per_tensor(x.contiguous(), scale, zero, torch.quint8)
    values = torch.empty(0, dtype=torch.uint8)  # the same bytes: ``int_repr`` would copy them
    values.set_(packed.untyped_storage(), 0, packed.shape, packed.stride())
    return Quantised(values, scale, zero)


def build_kernel(
    weight: Tensor, bias: Tensor | None, geometry: Geometry, precision: Precision
) -> Kernel:
    """The kernel of a convolution's ``weight [out, in / groups, k]``."""
    narrow = min(weight.shape[:2]) < NARROW
    if precision == "int8" and not narrow:
        return Int8Kernel(weight, bias, geometry)
    reduced = precision == "bf16" and not narrow
    return FloatKernel(weight, bias, geometry, torch.bfloat16 if reduced else torch.float32)


def kernel_of(conv: nn.Conv1d, precision: Precision, padding: int | None = None) -> Kernel:
    """The kernel of a torch module, with its padding or another."""
    own = conv.padding[0]
    assert isinstance(own, int)
    geometry = Geometry(
        conv.stride[0], conv.dilation[0], own if padding is None else padding, conv.groups
    )
    return build_kernel(conv.weight, conv.bias, geometry, precision)


def as_image(x: Tensor) -> Tensor:
    """``[B, T, C]`` as ``[B, C, 1, T]``, channels last, without a copy."""
    return x.unsqueeze(1).permute(0, 3, 1, 2)


def from_image(x: Tensor) -> Tensor:
    """The inverse of :func:`as_image`."""
    return x.permute(0, 2, 3, 1).squeeze(1)
