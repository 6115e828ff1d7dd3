"""Audio of any length in bounded memory: decoding and encoding by chunks.

Convolutions see a bounded stretch of their input. Each chunk is computed with that much of its
neighbours around it, which is then dropped, so that chunks put together equal the whole. How far
they see is measured, not derived: see :func:`decoder_reach`.

A bidirectional teacher sees everything, so codes of chunks can differ from the whole file's; its
context is a setting, and :func:`agreement` measures what it costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.api.types import Codes
from workbench.codec.xcodec import XCodec

CONTEXT_SECONDS = 4.0
"""What a teacher sees on each side of a chunk, unless said otherwise."""
CHUNK_SECONDS = 10.0
"""Length of chunks, unless said otherwise."""


@dataclass(frozen=True)
class Reach:
    """Neighbouring frames that one frame of output depends on, before and after it."""

    before: int
    after: int


def decoder_reach(codec: XCodec) -> Reach:
    """Frames of codes around a frame that its audio depends on."""
    hop = codec.config.hop

    def affected(frames: int, centre: int) -> Tensor:
        vectors = torch.zeros(1, frames, codec.config.quantized_dim, device=codec.device)
        vectors[:, centre] = math.nan
        return (
            codec.synthesise(vectors).reshape(codec.channels, frames, hop).isnan().any(dim=(0, 2))
        )

    return _probe(affected)


def encoder_reach(codec: XCodec) -> Reach:
    """Frames of audio around a frame that its codes depend on, apart from what a teacher sees."""
    config = codec.config
    factor = math.prod(config.semantic.strides)

    def affected(frames: int, centre: int) -> Tensor:
        wav = torch.zeros(1, codec.channels, frames * config.hop, device=codec.device)
        wav[..., centre * config.hop : (centre + 1) * config.hop] = math.nan
        features = []
        for teacher in config.teachers:
            one = torch.zeros(1, teacher.dim, frames * factor, device=wav.device)
            one[..., centre * factor : (centre + 1) * factor] = math.nan
            features.append(one)
        fused = codec.fuse(codec.acoustic_encoder(wav), features)
        return fused[0].isnan().any(dim=1)

    return _probe(affected)


@torch.no_grad()
def _probe(affected: Callable[[int, int], Tensor]) -> Reach:
    """Follow a value that is not a number: whatever depends on it is not one either."""
    side = 16
    while True:
        hit = affected(2 * side + 1, side).nonzero()
        first, last = int(hit.min()), int(hit.max())
        if first > 0 and last < 2 * side:
            return Reach(before=last - side, after=side - first)
        side *= 2


def decoding_latency(codec: XCodec, chunk_frames: int = 1) -> float:
    """Seconds of codes that must have come before the first audio leaves the decoder."""
    return (chunk_frames + decoder_reach(codec).after) / codec.frame_rate


@torch.no_grad()
def decode_chunks(
    codec: XCodec, pieces: Iterable[Tensor], chunk_frames: int | None = None
) -> Iterator[Tensor]:
    """Audio ``[B, C, n * hop]`` as codes ``[B, k, f]`` arrive, in pieces of any length.

    Put together it equals decoding all codes at once, within 1e-5. Audio of a frame leaves when
    ``chunk_frames`` frames (10 s where None) and the decoder's look-ahead have come.
    """
    reach = decoder_reach(codec)
    chunk = chunk_frames or round(CHUNK_SECONDS * codec.frame_rate)
    hop = codec.config.hop
    held: Tensor | None = None
    start = done = 0  # frames: the first one held, and the first one not yet decoded

    def decode(until: int) -> Tensor:
        assert held is not None
        last = min(until + reach.after - start, held.shape[-1])
        wav = codec.synthesise(codec.quantizer.decode(held[..., :last]))
        return wav[..., (done - start) * hop : (until - start) * hop]

    for piece in pieces:
        held = piece if held is None else torch.cat([held, piece], dim=-1)
        while start + held.shape[-1] >= done + chunk + reach.after:
            yield decode(done + chunk)
            done += chunk
            kept = max(start, done - reach.before)
            held, start = held[..., kept - start :], kept
    if held is not None and start + held.shape[-1] > done:
        yield decode(start + held.shape[-1])


@torch.no_grad()
def encode_chunks(
    codec: XCodec,
    pieces: Iterable[Tensor],
    samples: int,
    chunk_seconds: float = CHUNK_SECONDS,
    context_seconds: float = CONTEXT_SECONDS,
) -> Iterator[Tensor]:
    """Codes ``[B, K, f]`` of audio that comes in pieces ``[B, C, t]``, ``samples`` in all.

    Without a teacher they equal the whole file's. A teacher sees ``context_seconds`` on each side
    of a chunk; :func:`agreement` tells how many codes that changes.
    """
    hop = codec.config.hop
    chunks = iter(_plan(codec, samples, chunk_seconds, context_seconds))
    chunk = next(chunks)
    held: Tensor | None = None
    start = 0  # sample: the first one held
    for piece in pieces:
        held = piece if held is None else torch.cat([held, piece], dim=-1)
        while start + held.shape[-1] >= min(samples, chunk.needs):
            vectors = _chunk_latents(codec, held, start, samples, chunk)
            yield codec.quantizer.encode(vectors)
            following = next(chunks, None)
            if following is None:
                return
            chunk = following
            kept = max(start, chunk.first * hop - hop)
            held, start = held[..., kept - start :], kept
    came = 0 if held is None else start + held.shape[-1]
    raise ValueError(f"the audio ended after {came} of {samples} samples")


@dataclass(frozen=True)
class _Chunk:
    """Frames: seen from ``first`` to ``last``, of which ``begin`` to ``end`` are kept."""

    first: int
    begin: int
    end: int
    last: int
    needs: int
    """Samples that must have come."""


def _plan(codec: XCodec, samples: int, chunk_seconds: float, context: float) -> list[_Chunk]:
    total = codec.frames(samples)
    reach = encoder_reach(codec)
    sight = math.ceil(context * codec.frame_rate) if codec.config.teachers else 0
    grid = codec.config.teacher_grid
    size = max(grid, round(chunk_seconds * codec.frame_rate))
    plan = []
    for begin in range(0, total, size):
        end = min(total, begin + size)
        first = max(0, begin - max(sight, reach.before)) // grid * grid
        last = min(total, end + max(sight, reach.after))
        needs = samples if last == total else (last + 1) * codec.config.hop
        plan.append(_Chunk(first, begin, end, last, needs))
    return plan


def _chunk_latents(codec: XCodec, held: Tensor, start: int, samples: int, chunk: _Chunk) -> Tensor:
    """Fused vectors of the frames that ``chunk`` keeps."""
    hop = codec.config.hop
    before, after = codec.padding(samples)
    final = chunk.last == codec.frames(samples)
    acoustic_end = samples + after if final else chunk.last * hop - before
    acoustic = _cut(held, start, chunk.first * hop - before, acoustic_end)
    whole = codec.config.framing == "whole"
    semantic_end = acoustic_end if whole or not final else samples
    semantic = _cut(held, start, chunk.first * hop, semantic_end)
    fused = codec.fuse(codec.acoustic_encoder(acoustic), codec.features(semantic))
    return fused[:, chunk.begin - chunk.first : chunk.end - chunk.first]


def _cut(held: Tensor, start: int, first: int, last: int) -> Tensor:
    """Samples ``first`` to ``last`` of the audio, zeros where they lie outside of it."""
    stop = start + held.shape[-1]
    inside = held[..., max(first, start) - start : min(last, stop) - start]
    return F.pad(inside, (max(0, start - first), max(0, last - max(stop, first))))


def agreement(
    codec: XCodec, wav: Tensor, chunk_seconds: float, context_seconds: float
) -> list[float]:
    """Share of codes, for each codebook, that chunks have in common with the whole of ``wav``."""
    whole: Codes = codec.encode(wav)
    parts = encode_chunks(codec, [wav], wav.shape[-1], chunk_seconds, context_seconds)
    same = torch.cat(list(parts), dim=-1) == whole.values
    return [float(share) for share in same.float().mean(dim=(0, 2))]
