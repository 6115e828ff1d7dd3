"""The semantic side of X-Codec: the frozen teacher and the convolutional branch around it.

Names inside :class:`SemanticEncoder` and :class:`SemanticDecoder` are those of transformers'
``XcodecModel``, so that its checkpoints need no renaming.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.api.protocols import LongFormEncoder
from workbench.api.protocols import SemanticEncoder as SemanticEncoderProtocol
from workbench.audio.signal import resample_in_graph
from workbench.audio.stream import resample_pieces
from workbench.codec.config import SemanticConfig, TeacherConfig


class SemanticUnit(nn.Module):
    """ELU, convolution, ELU, 1x1 convolution, added to the input."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        padding = (kernel - 1) // 2 * dilation
        self.activation = nn.ELU()
        self.conv1 = nn.Conv1d(
            channels, channels, kernel, padding=padding, dilation=dilation, bias=False
        )
        self.conv2 = nn.Conv1d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, F]`` to ``[B, D, F]``."""
        y: Tensor = self.conv2(self.activation(self.conv1(self.activation(x))))
        return x + y


def _units(config: SemanticConfig, channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        SemanticUnit(channels, config.unit_kernel, dilation) for dilation in config.dilations
    )


class SemanticEncoderBlock(nn.Module):
    """Residual units, then a convolution that changes width and, with a stride, rate."""

    def __init__(self, config: SemanticConfig, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.res_units = _units(config, inputs)
        kernel = 3 if stride == 1 else 2 * stride
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=(kernel - 1) // 2)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, F * stride]`` to ``[B, outputs, F]``."""
        for unit in self.res_units:
            x = unit(x)
        x = self.conv(x)
        return x


class SemanticDecoderBlock(nn.Module):
    """The mirror image: a (transposed) convolution, then residual units."""

    def __init__(self, config: SemanticConfig, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        if stride == 1:
            self.conv: nn.Module = nn.Conv1d(inputs, outputs, 3, padding=1)
        else:
            self.conv = nn.ConvTranspose1d(
                inputs, outputs, 2 * stride, stride, (stride + 1) // 2, stride % 2, bias=False
            )
        self.res_units = _units(config, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D, F]`` to ``[B, outputs, F * stride]``."""
        x = self.conv(x)
        for unit in self.res_units:
            x = unit(x)
        return x


def _branch_widths(config: SemanticConfig, dim: int) -> tuple[int, list[int]]:
    width = config.width or dim
    return width, [int(width * ratio) for ratio in config.channel_ratios]


class SemanticEncoder(nn.Module):
    """Teacher features to the vectors that are fused with the acoustic latents."""

    def __init__(self, config: SemanticConfig, dim: int) -> None:
        super().__init__()
        width, widths = _branch_widths(config, dim)
        self.conv = nn.Conv1d(dim, width, config.kernel, padding=config.kernel // 2, bias=False)
        inputs = [width, *widths[:-1]]
        self.conv_blocks = nn.ModuleList(
            SemanticEncoderBlock(config, *sizes)
            for sizes in zip(inputs, widths, config.strides, strict=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        """``[B, dim, F * product of strides]`` to ``[B, width, F]``."""
        x: Tensor = self.conv(features)
        for block in self.conv_blocks:
            x = block(x)
        return x


class SemanticDecoder(nn.Module):
    """Quantised vectors back to teacher features."""

    def __init__(self, config: SemanticConfig, dim: int) -> None:
        super().__init__()
        width, widths = _branch_widths(config, dim)
        side = config.kernel // 2
        self.conv1 = nn.Conv1d(width, widths[0], config.kernel, padding=side, bias=False)
        outputs = [*widths[1:], width]
        self.conv_blocks = nn.ModuleList(
            SemanticDecoderBlock(config, *sizes)
            for sizes in zip(widths, outputs, config.strides, strict=True)
        )
        self.conv2 = nn.Conv1d(width, dim, config.kernel, padding=side, bias=False)

    def forward(self, quantized: Tensor) -> Tensor:
        """``[B, width, F]`` to ``[B, dim, F * product of strides]``."""
        x: Tensor = self.conv1(quantized)
        for block in self.conv_blocks:
            x = block(x)
        x = self.conv2(x)
        return x


class SemanticBranch(nn.Module):
    """All that a codec learns for one teacher: encoder, head and decoder."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: SemanticConfig, dim: int, quantized_dim: int) -> None:
        super().__init__()
        self.encoder = SemanticEncoder(config, dim)
        self.head = nn.Linear(quantized_dim, config.width or dim)
        self.decoder = SemanticDecoder(config, dim)
        # Mean 0 and deviation 1 leave features as they are: see set_statistics.
        self.register_buffer("mean", torch.zeros(dim, 1))
        self.register_buffer("std", torch.ones(dim, 1))

    def normalise(self, features: Tensor) -> Tensor:
        """Teacher features ``[B, dim, F]`` with the corpus' mean and deviation taken out."""
        return (features - self.mean) / self.std

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Quantised vectors ``[B, F, Q]`` to normalised teacher features ``[B, dim, F']``."""
        features: Tensor = self.decoder(self.head(quantized).transpose(1, 2))
        return features

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the corpus' mean and deviation ``[dim]``; a constant feature keeps its scale."""
        self.mean.copy_(mean[:, None])
        self.std.copy_(torch.where(std > 1e-5, std, torch.ones_like(std))[:, None])


@dataclass(frozen=True)
class Part:
    """A stretch of a recording, from sample ``start`` of the codec on, as a part of the whole.

    ``survey``: what :meth:`Teacher.survey` says of that; None where the teacher says nothing.
    """

    survey: Any
    start: int


class Teacher(nn.Module):
    """A frozen semantic encoder, brought to the codec's rates.

    It stays in eval mode and without gradients whatever mode its codec is in: in train mode,
    masking, layer drop and dropout would make its features noisy.
    """

    def __init__(self, encoder: SemanticEncoderProtocol, config: TeacherConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stay in eval mode; ``mode`` is ignored on purpose."""
        del mode
        super().train(False)
        return self

    @torch.no_grad()
    def forward(
        self,
        wav: Tensor,
        sample_rate: int,
        frame_rate: float,
        frames: int,
        part: Part | None = None,
    ) -> Tensor:
        """Features ``[B, D, frames]`` at ``frame_rate`` of ``[B, C, T]`` at ``sample_rate``."""
        features = self.features(wav, sample_rate, part)
        return align_frames(features, self.encoder.frame_rate / frame_rate, frames)

    @torch.no_grad()
    def features(self, wav: Tensor, sample_rate: int, part: Part | None = None) -> Tensor:
        """Features ``[B, D, F]`` at the teacher's own rate, of all audio there is or a ``part``."""
        self.eval()  # someone else may have put the encoder into train mode
        mono = resample_in_graph(wav.mean(dim=1), sample_rate, self.encoder.sample_rate)
        padded = F.pad(mono.float(), (self.padding, self.padding))
        with torch.autocast(wav.device.type, enabled=False):
            if part is None or part.survey is None:
                return self.encoder(padded).float()
            assert isinstance(self.encoder, LongFormEncoder)
            start = part.start * self.encoder.sample_rate // sample_rate
            return self.encoder.within(padded, part.survey, start).float()

    @torch.no_grad()
    def survey(self, pieces: Iterable[Tensor], samples: int, sample_rate: int) -> object:
        """What its encoder must know of a recording to hear a :class:`Part` as a part of it.

        The recording comes in ``pieces`` ``[1, C, t]``; silence follows up to ``samples``. None
        where the encoder hears each stretch by itself.
        """
        self.eval()
        if not isinstance(self.encoder, LongFormEncoder):
            return None
        rate = self.encoder.sample_rate
        total = -(-samples * rate // sample_rate) + 2 * self.padding
        return self.encoder.survey(self._heard(pieces, samples, sample_rate), total)

    def _heard(self, pieces: Iterable[Tensor], samples: int, sample_rate: int) -> Iterator[Tensor]:
        """The encoder's mono input ``[1, t]``, piece by piece, in main memory."""

        def mono() -> Iterator[Tensor]:
            came = 0
            for piece in pieces:
                came += piece.shape[-1]
                yield piece.mean(dim=1).float().cpu()
            yield torch.zeros(1, samples - came)

        silence = torch.zeros(1, self.padding)
        yield silence
        yield from resample_pieces(mono(), sample_rate, self.encoder.sample_rate)
        yield silence

    @property
    def padding(self) -> int:
        """Zeros before and after the encoder's audio, in its samples."""
        if self.config.padding is not None:
            return self.config.padding
        return round(self.encoder.sample_rate / self.encoder.frame_rate / 2)


def align_frames(features: Tensor, ratio: float, frames: int) -> Tensor:
    """Bring ``[B, D, F]`` to ``[B, D, frames]``, ``ratio`` input frames being one output frame.

    Finer features are averaged over each output frame's span, coarser ones interpolated linearly;
    equal rates are copied. Only the nominal rates count, not F, so that a frame doesn't depend on
    how long the audio is; beyond the end the last frame is repeated.
    """
    position = torch.arange(frames, dtype=torch.float64, device=features.device)
    if ratio > 1:
        start = position * ratio
        index = start.floor()[:, None] + torch.arange(math.ceil(ratio) + 1, device=start.device)
        end = (start + ratio)[:, None]
        overlap = torch.minimum(index + 1, end) - torch.maximum(index, start[:, None])
        weight = overlap.clamp_min(0) / ratio
    else:
        centre = (position + 0.5) * ratio - 0.5
        index = centre.floor()[:, None] + torch.arange(2, device=centre.device)
        weight = 1 - (centre[:, None] - index).abs()
    index = index.long().clamp(0, features.shape[-1] - 1)
    weight = weight.to(features.dtype)
    taps = (features[:, :, index[:, k]] * weight[:, k] for k in range(index.shape[1]))
    aligned = sum(taps)
    assert isinstance(aligned, Tensor)
    return aligned


def describe_teacher(name: str, encoder: SemanticEncoderProtocol, weight: float) -> TeacherConfig:
    """What a saved codec remembers of ``encoder``."""
    return TeacherConfig(
        name=name,
        dim=encoder.dim,
        weight=weight,
        sample_rate=encoder.sample_rate,
        frame_rate=float(encoder.frame_rate),
        fingerprint=encoder_fingerprint(encoder),
    )


def encoder_fingerprint(encoder: Any) -> str:
    """Hash of a module's class and every weight: equal for equal behaviour on the same input."""
    digest = hashlib.sha256(type(encoder).__name__.encode())
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
