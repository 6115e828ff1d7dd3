"""Audio of any length in bounded memory: decoding and encoding by chunks.

Convolutions see a bounded stretch of their input. Each chunk is computed with that much of its
neighbours around it, which is then dropped, so that chunks put together equal the whole: see
:mod:`workbench.codec.reach`.

A bidirectional teacher sees everything. It hears a longer stretch around each chunk, its look-ahead
being a setting; and one that can be told what the whole recording is like, by a survey of it, hears
the stretch as a part of the whole. :func:`agreement` measures what is still lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.api.types import Codes
from workbench.audio.stream import Stream
from workbench.codec.reach import decoder_reach, encoder_reach
from workbench.codec.semantic import Part
from workbench.codec.xcodec import XCodec

DECODED_SECONDS = 10.0
"""Audio that is decoded at a time, unless said otherwise."""


@dataclass(frozen=True)
class Chunking:
    """How long audio is encoded. Audio that a first chunk with its look-ahead covers is whole."""

    seconds: float = 30.0
    """Length of a chunk."""
    look_ahead: float = 2.0
    """Seconds that a teacher hears on each side of a chunk beside it."""
    survey: bool = True
    """Whether teachers are told, where they can be, what the whole recording is like. It takes a
    first pass over the audio."""

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.look_ahead < 0:
            raise ValueError(
                f"chunks must be longer than 0 s (got {self.seconds:g}) and the look-ahead at "
                f"least 0 s (got {self.look_ahead:g})"
            )


# --- decoding -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Latency:
    """What must have come before the first audio leaves: frames of codes, and their seconds."""

    frames: int
    seconds: float


def decoding_latency(codec: XCodec, chunk_frames: int = 1) -> Latency:
    """Latency of :func:`decode_chunks`: the chunk itself and what the decoder sees beyond it."""
    frames = chunk_frames + decoder_reach(codec).after
    return Latency(frames, frames / codec.frame_rate)


@torch.no_grad()
def decode_chunks(
    codec: XCodec, pieces: Iterable[Tensor], chunk_frames: int | None = None
) -> Iterator[Tensor]:
    """Audio ``[B, C, n * hop]`` as codes ``[B, k, f]`` arrive, in pieces of any length.

    Put together it equals decoding all codes at once, within 1e-5. Audio of a frame leaves when
    ``chunk_frames`` frames (10 s where None) and the decoder's look-ahead have come:
    :func:`decoding_latency`.
    """
    reach = decoder_reach(codec)
    chunk = chunk_frames or max(1, round(DECODED_SECONDS * codec.frame_rate))
    hop = codec.config.hop
    stream = Stream(pieces)
    begin = 0
    while True:
        stream.pull(begin + chunk + reach.after)
        end = min(begin + chunk, stream.came)
        if end == begin:
            return
        first = max(0, begin - reach.before)
        codes = stream.cut(first, min(end + reach.after, stream.came))
        wav = codec.synthesise(codec.quantizer.decode(codes))
        yield wav[..., (begin - first) * hop : (end - first) * hop]
        begin = end
        stream.forget(begin - reach.before)


# --- encoding -----------------------------------------------------------------------------------


@torch.no_grad()
def encode_long(
    codec: XCodec,
    read: Callable[[], Iterable[Tensor]],
    samples: int,
    chunking: Chunking | None = None,
    codebooks: int | None = None,
) -> Iterator[Tensor]:
    """Codes ``[1, K, f]``, chunk by chunk, of a recording of any length.

    ``read`` gives its pieces ``[1, C, t]``, ``samples`` in all, from the beginning each time it is
    called: once for each teacher that is told what the recording is like, and once to encode.
    """
    chunking = chunking or Chunking()
    surveys: list[object] = []
    if chunking.survey and codec.frames(samples) > sum(_sizes(codec, chunking)):
        after = -samples % codec.config.hop if codec.config.framing == "whole" else 0
        surveys = [
            teacher.survey(read(), samples + after, codec.sample_rate) for teacher in codec.teachers
        ]
    yield from encode_chunks(codec, read(), samples, chunking, surveys, codebooks)


@torch.no_grad()
def encode_chunks(
    codec: XCodec,
    pieces: Iterable[Tensor],
    samples: int | None = None,
    chunking: Chunking | None = None,
    surveys: Sequence[object] = (),
    codebooks: int | None = None,
) -> Iterator[Tensor]:
    """Codes ``[B, K, f]`` as audio ``[B, C, t]`` arrives, in pieces of any length.

    Without a teacher they equal the whole recording's. A teacher hears each chunk with the
    look-ahead on both sides; where ``surveys`` (:meth:`Teacher.survey`) says what the recording is
    like, as a part of it. ``samples`` in all may be left out but for transformers' framing.
    """
    if samples is None and codec.config.framing != "whole":
        raise ValueError("this codec's framing depends on the number of samples: say how many")
    chunking = chunking or Chunking()
    stream = Stream(pieces)
    chunk = _chunk(codec, stream, 0, samples, chunking)
    while chunk.begin < chunk.end:
        vectors = _chunk_latents(codec, stream, chunk, surveys)
        yield codec.quantizer.encode(vectors, codebooks)
        if chunk.final:
            break
        chunk = _chunk(codec, stream, chunk.end, samples, chunking)
        stream.forget((chunk.first - 1) * codec.config.hop)
    if samples not in (None, stream.came):
        raise ValueError(f"the audio ended after {stream.came} of {samples} samples")


@dataclass(frozen=True)
class _Chunk:
    """Code frames ``begin`` to ``end``, which teachers hear with ``first`` to ``last``.

    ``samples``: those of the whole recording, where they are known.
    """

    first: int
    begin: int
    end: int
    last: int
    samples: int | None
    final: bool


def _sizes(codec: XCodec, chunking: Chunking) -> tuple[int, int]:
    """Frames of a chunk, and frames that are heard beyond it."""
    grid, reach = codec.config.teacher_grid, encoder_reach(codec)
    sight = math.ceil(chunking.look_ahead * codec.frame_rate) if codec.config.teachers else 0
    size = max(grid, round(chunking.seconds * codec.frame_rate / grid) * grid)
    return size, max(sight, reach.before, reach.after)


def _chunk(
    codec: XCodec, stream: Stream, begin: int, samples: int | None, chunking: Chunking
) -> _Chunk:
    """The chunk from frame ``begin`` on; all of the rest where the look-ahead covers that."""
    size, sight = _sizes(codec, chunking)
    grid = codec.config.teacher_grid
    first = max(0, begin - sight) // grid * grid
    last = begin + size + sight
    needed = last * codec.config.hop + 1  # more than fits into frames up to `last`
    stream.pull(needed)
    if samples is None and stream.came < needed:
        samples = stream.came
    if samples is None or codec.frames(samples) > last:
        end = begin + size if stream.came >= needed else begin
        return _Chunk(first, begin, end, last, samples, final=False)
    stream.pull(samples + 1)
    end = codec.frames(samples) if stream.came == samples else begin
    return _Chunk(first, begin, end, end, samples, final=True)


def _chunk_latents(
    codec: XCodec, stream: Stream, chunk: _Chunk, surveys: Sequence[object]
) -> Tensor:
    """Fused vectors of the frames ``begin`` to ``end`` of ``chunk``."""
    hop, factor = codec.config.hop, math.prod(codec.config.semantic.strides)
    reach = encoder_reach(codec)
    begin = max(chunk.first, chunk.begin - reach.before)
    end = chunk.end if chunk.final else chunk.end + reach.after
    before, after = (0, 0) if chunk.samples is None else codec.padding(chunk.samples)
    acoustic_end, heard_end = end * hop - before, chunk.last * hop
    if chunk.final and chunk.samples is not None:
        acoustic_end, heard_end = chunk.samples + after, chunk.samples
    acoustic = stream.cut(begin * hop - before, acoustic_end)
    heard = stream.cut(chunk.first * hop, heard_end)
    parts = [Part(survey, chunk.first * hop) for survey in surveys]
    inside = slice((begin - chunk.first) * factor, (end - chunk.first) * factor)
    features = [each[..., inside] for each in codec.features(heard, parts)]
    fused = codec.fuse(codec.acoustic_encoder(acoustic), features)
    return fused[:, chunk.begin - begin : chunk.end - begin]


def agreement(codec: XCodec, wav: Tensor, chunking: Chunking) -> list[float]:
    """Share of codes, for each codebook, that chunks have in common with the whole of ``wav``.

    ``wav`` is one recording ``[1, C, T]``.
    """
    whole: Codes = codec.encode(wav)
    parts = encode_long(codec, lambda: [wav], wav.shape[-1], chunking)
    same = torch.cat(list(parts), dim=-1) == whole.values
    return [float(share) for share in same.float().mean(dim=(0, 2))]
