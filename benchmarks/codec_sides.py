"""What ``benchmarks/codec.py`` compares: transformers' XcodecModel and ours, on the same weights.

The weights are random and of the published size (HuBERT-base, DAC of widths 64 and 1024, hop 320,
8 codebooks of 1,024 entries at width 1,024): nothing is downloaded. They are drawn so that signals
keep their size from layer to layer, and the codebooks are the k-means of latents of synthesised
music, so that an agreement of codes says something.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from workbench import Context, XCodec, load_catalog, load_codec
from workbench.codec.quantizer import kmeans
from workbench.codec.streaming import decode_chunks, encode_long

RATE = 16_000
GAIN = 0.7
"""Deviation of random weights, as a multiple of one over the root of the fan-in."""
LEARNT_SECONDS = 80
BLOCK = 10 * RATE


PEER = "transformers"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """One competitor."""

    name: str
    encode: Callable[[Tensor], Tensor]
    """Codes ``[1, 8, F]`` of audio ``[1, 1, T]``."""
    decode: Callable[[Tensor], Tensor]
    """Audio of codes."""


@dataclass(frozen=True)
class Time:
    """Seconds that a call took: elapsed, and of all processors."""

    elapsed: float
    cpu: float


def timed(call: Callable[[], object]) -> Time:
    """Time of one call."""
    elapsed, cpu = time.perf_counter(), time.process_time()
    call()
    return Time(time.perf_counter() - elapsed, time.process_time() - cpu)


def race(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Time]]:
    """Times of each call, in turns."""
    times: dict[str, list[Time]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(timed(call))
    return times


def cells(times: Mapping[str, Sequence[Time]], name: str, first: str) -> tuple[str, str, str]:
    """Median seconds of a side, and the ratios of ``first``'s times to its own, with their range.

    The ratios are of elapsed and of processor time, round by round.
    """
    own, other = times[name], times.get(first, times[name])
    elapsed = [a.elapsed / b.elapsed for a, b in zip(other, own, strict=True)]
    cpu = [a.cpu / b.cpu for a, b in zip(other, own, strict=True)]
    if first not in times:
        return f"{statistics.median(each.elapsed for each in own):.2f}", "", ""
    return f"{statistics.median(e.elapsed for e in own):.2f}", spread(elapsed), spread(cpu)


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def music(split: str, seconds: int) -> list[Tensor]:
    """Pieces ``[1, 1, 10 s]`` of synthesised music."""
    context = Context(load_catalog(), "cpu", 0)
    options = {"train": 1 + seconds // 10, "validation": 1, "test": 1 + seconds // 10}
    corpus = context.build("corpus", "synthetic-music", options)
    examples = list(corpus.examples(split))[: seconds // 10]
    return [corpus.audio(example).samples[None, :, : 10 * RATE] for example in examples]


def noise(seconds: float) -> Iterable[Tensor]:
    """Blocks ``[1, 1, t]`` of noise, the same whenever they are drawn."""
    generator = torch.Generator().manual_seed(0)
    left = round(seconds * RATE)
    while left:
        size = min(left, BLOCK)
        yield 0.1 * torch.randn(1, 1, size, generator=generator)
        left -= size


@torch.no_grad()
def write_peer(folder: Path) -> None:
    """A random XcodecModel of the published size, in ``folder``."""
    torch.manual_seed(0)
    model: Any = transformers.XcodecModel(transformers.XcodecConfig()).eval()
    for part in (model.acoustic_encoder, model.acoustic_decoder, model.encoder_semantic):
        for layer in part.modules():
            if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
                fan = layer.weight.numel() / layer.out_channels / layer.stride[0]
                fan *= layer.stride[0] if isinstance(layer, nn.Conv1d) else 1
                layer.weight.normal_(0, GAIN * fan**-0.5)
    model.save_pretrained(folder)
    codec = load_codec(folder).for_inference()
    rest = torch.cat([codec.latents(wav)[0] for wav in music("train", LEARNT_SECONDS)])
    for level in model.quantizer.quantizers:
        means, _ = kmeans(rest, codec.codebook_size, iterations=5)
        level.codebook.embed.copy_(means)
        rest = rest - means[torch.cdist(rest, means).argmin(dim=1)]
    model.save_pretrained(folder)


def load_peer(folder: Path) -> Any:
    """Transformers' model."""
    return transformers.XcodecModel.from_pretrained(folder).eval()


def peer_side(model: Any) -> Side:
    """Transformers' model, which takes audio whole."""
    return Side(
        PEER,
        lambda wav: model.encode(wav).audio_codes,
        lambda codes: model.decode(codes).audio_values,
    )


def own_side(name: str, codec: XCodec) -> Side:
    """Our codec, which takes long audio by chunks."""

    def encode(wav: Tensor) -> Tensor:
        return encode_blocks(codec, lambda: wav.split(BLOCK, dim=-1), wav.shape[-1])

    def decode(codes: Tensor) -> Tensor:
        return torch.cat(list(decode_chunks(codec, codes.split(500, dim=-1))), dim=-1)

    return Side(name, encode, decode)


def encode_blocks(codec: XCodec, read: Callable[[], Iterable[Tensor]], samples: int) -> Tensor:
    """Codes ``[1, 8, F]`` of audio in blocks."""
    return torch.cat(list(encode_long(codec, read, samples)), dim=-1)
