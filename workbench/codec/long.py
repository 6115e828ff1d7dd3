"""Audio of any length through any codec, in bounded memory.

Codecs that know how to do it themselves (:class:`~workbench.StreamingCodec`) are asked. Others get
windows with some seconds around each, which are dropped: exact for what sees no further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from workbench.api.protocols import Codec, StreamingCodec
from workbench.api.types import Codes
from workbench.audio.stream import Stream

WINDOW_SECONDS = 30.0
"""Length of a window."""
CONTEXT_SECONDS = 10.0
"""What the codec is given on each side of a window beside it."""


def encode_long(
    codec: Codec, read: Callable[[], Iterable[Tensor]], samples: int
) -> Iterator[Tensor]:
    """Codes ``[1, K, f]``, piece by piece, of a recording of any length.

    ``read`` gives its pieces ``[1, C, t]``, ``samples`` in all, from the beginning each time it is
    called. Audio of up to half a minute gets the codes that ``codec.encode`` gives.
    """
    if isinstance(codec, StreamingCodec):
        yield from codec.encode_long(read, samples)
        return
    grid = _Grid.of(codec)
    stream = Stream(read())
    total = math.ceil(samples / grid.hop)
    for first, begin, end, last in grid.windows(total):
        final = last == total
        low, high = grid.sample(first), samples if final else grid.sample(last)
        stream.pull(high + final)
        codes = codec.encode(stream.cut(low, high)).values
        yield codes[..., begin - first : None if end == total else end - first]
        stream.forget(grid.sample(max(0, end - grid.context)))
    if stream.came != samples:
        raise ValueError(f"the audio ended after {stream.came} of {samples} samples")


def decode_stream(codec: Codec, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """Audio ``[1, C, t]``, piece by piece, of codes that come in pieces ``[1, k, f]``."""
    if isinstance(codec, StreamingCodec):
        yield from codec.decode_stream(pieces)
        return
    grid = _Grid.of(codec)
    stream = Stream(pieces)
    begin = 0
    while True:
        last = begin + grid.size + grid.context
        stream.pull(last + 1)
        final = stream.came <= last
        first, end = max(0, begin - grid.context), stream.came if final else begin + grid.size
        values = stream.cut(first, stream.came if final else last)
        if begin < end:
            wav = codec.decode(Codes(values, codec.codebook_size, codec.frame_rate))
            low = grid.sample(begin) - grid.sample(first)
            yield wav[..., low : None if final else grid.sample(end) - grid.sample(first)]
        if final:
            return
        begin = end
        stream.forget(begin - grid.context)


@dataclass(frozen=True)
class _Grid:
    """Windows of ``size`` frames with ``context`` frames around; a frame takes ``hop`` samples.

    Both are multiples of the frames after which frames and samples, and the codec's own segments
    where it has some, start together.
    """

    hop: Fraction
    size: int
    context: int

    @classmethod
    def of(cls, codec: Codec) -> _Grid:
        hop = Fraction(codec.sample_rate) / Fraction(codec.frame_rate).limit_denominator(10_000)
        unit = math.lcm(hop.denominator, max(1, int(getattr(codec, "segment_frames", 1))))
        size, context = (
            max(1, round(seconds * codec.frame_rate / unit)) * unit
            for seconds in (WINDOW_SECONDS, CONTEXT_SECONDS)
        )
        return cls(hop, size, context)

    def sample(self, frame: int) -> int:
        """Where a frame starts, rounded for frames between the grid's."""
        return round(frame * self.hop)

    def windows(self, total: int) -> Iterator[tuple[int, int, int, int]]:
        """First frame given, first and last frame kept, last frame given, of each window."""
        begin = 0
        while begin < total:
            last = min(total, begin + self.size + self.context)
            end = total if last == total else begin + self.size
            yield max(0, begin - self.context), begin, end, last
            begin = end
