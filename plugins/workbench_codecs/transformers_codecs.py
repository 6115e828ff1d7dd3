"""DAC, Mimi and X-Codec by transformers, behind the codec protocol."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn

from workbench import Codes, WeightsError, encode_by_length, weights_folder
from workbench_codecs.plugin import DacOptions, HFXCodecOptions, MimiOptions


@dataclass(frozen=True)
class Calls:
    """How one kind of model encodes and decodes whole frames.

    ``encode(model, wav [B, 1, F * hop], K)`` gives codes ``[B, K, F]``; ``decode(model, codes)``
    gives audio ``[B, 1, T]``, T within a few samples of F * hop.
    ``vectors(model, codes)`` gives what the decoder makes that of, ``[B, D, F]``.
    """

    encode: Callable[[Any, Tensor, int], Tensor]
    decode: Callable[[Any, Tensor], Tensor]
    vectors: Callable[[Any, Tensor], Tensor]


class TransformersCodec(nn.Module):
    """A mono codec of transformers.

    Audio is padded at its end to whole frames, so F = ceil(T / hop), and codes decode to F * hop
    samples.
    """

    channels = 1

    def __init__(self, model: Any, calls: Calls, rate: int, hop: int, codebooks: int) -> None:
        super().__init__()
        self.model = model
        self.calls = calls
        self.sample_rate = rate
        self.hop = hop
        self.frame_rate = rate / hop
        self.num_codebooks = codebooks
        self.codebook_size = int(model.config.codebook_size)
        self.eval()

    @torch.no_grad()
    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, K, F]`` of audio ``[B, 1, T]``; each item's are those it gets alone."""
        values, frames = encode_by_length(self._encode_padded, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def _encode_padded(self, wav: Tensor) -> Tensor:
        padded = F.pad(wav, (0, -wav.shape[-1] % self.hop))
        return self.calls.encode(self.model, padded, self.num_codebooks)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, 1, F * hop]`` of codes with any number of codebooks from 1 to K."""
        wav = self.calls.decode(self.model, codes.values)
        samples = codes.frames * self.hop
        # Odd strides make DAC's decoder a few samples short.
        return F.pad(wav, (0, max(0, samples - wav.shape[-1])))[..., :samples]

    @torch.no_grad()
    def vectors(self, codes: Codes) -> Tensor:
        """Quantised vectors ``[B, D, F]`` of codes with any number of codebooks from 1 to K."""
        return self.calls.vectors(self.model, codes.values)


def _codebooks(asked: int | None, available: int) -> int:
    if asked is not None and not 1 <= asked <= available:
        raise ValueError(f"codebooks must lie in 1 to {available}; got {asked}")
    return asked or available


DAC = Calls(
    encode=lambda model, wav, count: model.encode(wav, count).audio_codes,
    decode=lambda model, codes: model.decode(audio_codes=codes).audio_values[:, None],
    vectors=lambda model, codes: model.quantizer.from_codes(codes)[0],
)
MIMI = Calls(
    encode=lambda model, wav, count: model.encode(wav, num_quantizers=count).audio_codes,
    decode=lambda model, codes: model.decode(codes).audio_values,
    vectors=lambda model, codes: model.quantizer.decode(codes),
)
XCODEC = Calls(
    encode=lambda model, wav, count: model.encode(wav).audio_codes[:, :count],
    decode=lambda model, codes: model.decode(codes).audio_values,
    vectors=lambda model, codes: model.quantizer.decode(codes.transpose(0, 1)),
)
DAC_SIZES: dict[int, tuple[list[int], int]] = {
    16000: ([2, 4, 5, 8], 12),
    24000: ([2, 4, 5, 8], 32),
    44100: ([2, 4, 8, 8], 9),
}
"""Strides and number of codebooks of the published models, by rate."""


def build_dac(options: DacOptions, seed: int) -> TransformersCodec:
    """DAC (arXiv 2306.06546) from an id or folder, or random at the published size."""
    ratios, count = DAC_SIZES[options.sample_rate]
    weights = options.weights
    if weights == "pretrained":
        weights = f"descript/dac_{options.sample_rate // 1000}khz"
    size = transformers.DacConfig(
        downsampling_ratios=ratios, n_codebooks=count, sampling_rate=options.sample_rate
    )
    model = _load(transformers.DacModel, size, weights, seed)
    config = model.config
    codebooks = _codebooks(options.codebooks, config.n_codebooks)
    hop = math.prod(config.downsampling_ratios)
    return TransformersCodec(model, DAC, config.sampling_rate, hop, codebooks)


def build_mimi(options: MimiOptions, seed: int) -> TransformersCodec:
    """Mimi (arXiv 2410.00037) from an id or folder, or random at the published size."""
    model = _load(transformers.MimiModel, transformers.MimiConfig(), options.weights, seed)
    config = model.config
    codebooks = _codebooks(options.codebooks, config.num_quantizers)
    hop = round(config.sampling_rate / config.frame_rate)
    return TransformersCodec(model, MIMI, config.sampling_rate, hop, codebooks)


def build_hf_xcodec(options: HFXCodecOptions, seed: int) -> TransformersCodec:
    """Transformers' X-Codec from an id or folder, or random at the published size."""
    model = _load(transformers.XcodecModel, transformers.XcodecConfig(), options.weights, seed)
    config = model.config
    codebooks = _codebooks(options.codebooks, config.num_quantizers)
    return TransformersCodec(model, XCODEC, config.sample_rate, config.hop_length, codebooks)


def _load(kind: Any, config: Any, weights: str, seed: int) -> Any:
    """A model of class ``kind`` from ``weights``; ``random`` makes one of ``config``."""
    if weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _spread_codebooks(kind(config))
    folder = weights_folder(weights)
    try:
        return kind.from_pretrained(folder)
    except (OSError, TypeError, ValueError) as error:
        raise WeightsError(
            f"weights {weights!r}: can't be loaded as {kind.__name__} ({error})"
        ) from error


def _spread_codebooks(model: Any) -> Any:
    """Draw codebooks that transformers leaves at zero, so that random codes differ."""
    for name, buffer in model.named_buffers():
        if name.endswith(("codebook.embed", "codebook.embed_sum")):
            buffer.normal_()
    return model
