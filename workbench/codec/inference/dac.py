"""DAC's encoder and decoder over tiles of time, for inference.

At sample rate a convolution of few channels waits for memory, not for arithmetic. So each block
runs over one stretch of time after the other, short enough that what lies between its layers stays
in the cache. A tile is computed from as much more of its neighbours as its convolutions see, and
positions before the beginning and after the end of the audio are set to zero before each of them,
as padding does: tiles put together equal the whole.

Everything here is ``[B, T, C]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.codec.acoustic import (
    DacDecoder,
    DacEncoder,
    DecoderBlock,
    EncoderBlock,
    ResidualUnit,
    Snake1d,
)
from workbench.codec.inference.kernels import Geometry, Kernel, Precision, build_kernel, kernel_of
from workbench.codec.inference.layers import Packed
from workbench.codec.inference.snake import Activation, SnakeKernel

TILE = 1 << 20
"""Numbers in one layer of a tile: 4 MB, a share of a third-level cache."""
WAVE_SIDE = 3
"""What the convolutions from and to the waveform see on each side."""


@dataclass(frozen=True)
class Manner:
    """How an encoder or decoder computes."""

    precision: Precision
    activation: Activation

    @property
    def dtype(self) -> torch.dtype:
        """Format of what lies between the layers."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32


class _SnakeConv:
    """A Snake activation and the convolution behind it, which pads nothing."""

    def __init__(self, snake: Snake1d, conv: nn.Conv1d | Kernel, manner: Manner) -> None:
        self.snake = SnakeKernel(snake, manner.activation)
        self.conv = kernel_of(conv, manner.precision, 0) if isinstance(conv, nn.Conv1d) else conv

    def __call__(self, x: Tensor) -> Tensor:
        return self.conv(self.snake(x))

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return self.conv.add_to(residual, self.snake(x))


class _Unit:
    """A residual unit; its result is ``side`` positions shorter than its input at both ends."""

    def __init__(self, unit: ResidualUnit, manner: Manner) -> None:
        self.side = int(unit.conv1.padding[0])
        self.first = _SnakeConv(unit.snake1, unit.conv1, manner)
        self.second = _SnakeConv(unit.snake2, unit.conv2, manner)

    def __call__(self, x: Tensor) -> Tensor:
        return self.second.add_to(x[:, self.side : x.shape[1] - self.side], self.first(x))


class _Units:
    """The residual units of a block, ``side`` positions shorter at both ends."""

    def __init__(self, block: EncoderBlock | DecoderBlock, manner: Manner) -> None:
        units = (block.res_unit1, block.res_unit2, block.res_unit3)
        self.units = [_Unit(unit, manner) for unit in units]
        self.side = sum(unit.side for unit in self.units)

    def __call__(self, x: Tensor, first: int, total: int) -> Tensor:
        """``x`` holds positions from ``first`` on of a signal of ``total``."""
        for unit in self.units:
            silence_outside(x, first, total)
            x = unit(x)
            first += unit.side
        silence_outside(x, first, total)
        return x


class _EncoderBlock:
    """One block of the encoder; the first one has the convolution of the waveform before it."""

    def __init__(self, block: EncoderBlock, manner: Manner, wave: Kernel | None) -> None:
        conv = block.conv1
        self.units = _Units(block, manner)
        self.down = _SnakeConv(block.snake1, conv, manner)
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        self.padding = int(conv.padding[0])
        self.width = conv.in_channels
        self.wave = wave
        self.dtype = manner.dtype

    def __call__(self, x: Tensor) -> Tensor:
        total = x.shape[1]
        frames = (total + 2 * self.padding - self.kernel) // self.stride + 1
        size = TILE // (self.width * self.stride * len(x))
        return tiled(frames, size, lambda begin, end: self._tile(x, begin, end))

    def _tile(self, x: Tensor, begin: int, end: int) -> Tensor:
        first = begin * self.stride - self.padding - self.units.side
        last = (end - 1) * self.stride - self.padding + self.kernel + self.units.side
        if self.wave is None:
            tile = cut(x, first, last)
        else:
            tile = self.wave(cut(x, first - WAVE_SIDE, last + WAVE_SIDE)).to(self.dtype)
        return self.down(self.units(tile, first, x.shape[1]))


class _DecoderBlock:
    """One block of the decoder; the last one has the convolution to the waveform behind it."""

    def __init__(self, block: DecoderBlock, manner: Manner, wave: _SnakeConv | None) -> None:
        conv = block.conv_t1
        self.units = _Units(block, manner)
        self.stride, self.padding = conv.stride[0], int(conv.padding[0])
        self.width = conv.out_channels
        self.up = _SnakeConv(block.snake1, interleaved(conv, manner.precision), manner)
        self.wave = wave
        self.side = self.units.side + (0 if wave is None else WAVE_SIDE)

    def __call__(self, x: Tensor) -> Tensor:
        size = TILE // (self.width * len(x))
        return tiled(x.shape[1] * self.stride, size, lambda begin, end: self._tile(x, begin, end))

    def _tile(self, x: Tensor, begin: int, end: int) -> Tensor:
        first, last = begin - self.side, end + self.side
        # In samples of the transposed convolution before ``padding`` of them are dropped:
        low, high = (first + self.padding) // self.stride, -(-(last + self.padding) // self.stride)
        tile = self.up(cut(x, low - 1, high)).reshape(len(x), -1, self.width)
        skip = first + self.padding - low * self.stride
        tile = tile[:, skip : skip + last - first]
        tile = self.units(tile, first, x.shape[1] * self.stride)
        return tile if self.wave is None else self.wave(tile)


def interleaved(conv: nn.ConvTranspose1d, precision: Precision) -> Kernel:
    """A transposed convolution of kernel 2 s and stride s as a convolution of kernel 2.

    Its samples q s ... q s + s - 1 depend on inputs q - 1 and q alone: the convolution yields them
    side by side, as s times as many channels, which is where they lie in ``[B, T, C]``.
    """
    stride = conv.stride[0]
    taps = conv.weight.detach().reshape(conv.in_channels, -1, 2, stride).flip(2)  # [in, out, 2, s]
    weight = taps.permute(3, 1, 0, 2).flatten(0, 1)
    bias = None if conv.bias is None else conv.bias.detach().repeat(stride)
    return build_kernel(weight, bias, Geometry(), precision)


class TiledDacEncoder(Packed):
    """What :class:`DacEncoder` computes."""

    def __init__(self, encoder: DacEncoder, manner: Manner) -> None:
        super().__init__()
        wave = kernel_of(encoder.conv1, manner.precision, 0)
        self.blocks = [
            _EncoderBlock(block, manner, None if index else wave)
            for index, block in enumerate(encoder.block)
            if isinstance(block, EncoderBlock)
        ]
        self.side = int(encoder.conv2.padding[0])
        self.last = _SnakeConv(encoder.snake1, encoder.conv2, manner)

    def forward(self, wav: Tensor) -> Tensor:
        """``[B, C, T]`` to ``[B, latent_dim, F]``."""
        with torch.inference_mode():  # see :func:`compiled_snake`
            x = wav.transpose(1, 2)
            for block in self.blocks:
                x = block(x)
            x = self.last(F.pad(x, (0, 0, self.side, self.side)))
        return x.float().clone().transpose(1, 2)


class TiledDacDecoder(Packed):
    """What :class:`DacDecoder` computes."""

    def __init__(self, decoder: DacDecoder, manner: Manner) -> None:
        super().__init__()
        wave = _SnakeConv(decoder.snake1, decoder.conv2, manner)
        final = len(decoder.block) - 1
        self.first = kernel_of(decoder.conv1, manner.precision)
        self.blocks = [
            _DecoderBlock(block, manner, wave if index == final else None)
            for index, block in enumerate(decoder.block)
            if isinstance(block, DecoderBlock)
        ]

    def forward(self, latent: Tensor) -> Tensor:
        """``[B, latent_dim, F]`` to ``[B, C, F * hop]``."""
        with torch.inference_mode():  # see :func:`compiled_snake`
            x = self.first(latent.transpose(1, 2))
            for block in self.blocks:
                x = block(x)
        return x.float().clone().transpose(1, 2)


def tiled(total: int, size: int, compute: Callable[[int, int], Tensor]) -> Tensor:
    """Results of ``compute(begin, end)`` for consecutive stretches of 0 ... ``total``, joined."""
    parts = [compute(begin, end) for begin, end in stretches(total, max(1, size))]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def stretches(total: int, size: int) -> Iterator[tuple[int, int]]:
    """0 ... ``total`` in as few and as equal stretches of at most ``size`` as it takes."""
    count = max(1, -(-total // size))
    for index in range(count):
        yield total * index // count, total * (index + 1) // count


def cut(x: Tensor, first: int, last: int) -> Tensor:
    """Positions ``first`` to ``last`` of ``[B, T, C]``, zeros where they lie outside of it."""
    total = x.shape[1]
    inside = x[:, max(0, first) : min(last, total)]
    before, after = max(0, -first), max(0, last - max(total, first))
    return F.pad(inside, (0, 0, before, after)) if before or after else inside


def silence_outside(x: Tensor, first: int, total: int) -> None:
    """Set to zero, in place, what of ``x``, which starts at ``first``, lies outside 0 ... total."""
    x[:, : max(0, -first)] = 0
    x[:, max(0, total - first) :] = 0
