"""Audio that arrives in pieces, of which no more is held than is still needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.audio.signal import resample_in_graph

RESAMPLED_SECONDS = 10
"""Audio that :func:`resample_pieces` resamples at a time."""


class Stream:
    """Pieces ``[..., t]`` of any length, seen as one signal that is zero outside of them.

    ``came`` samples have come so far; ``ended`` tells that no more will.
    """

    def __init__(self, pieces: Iterable[Tensor]) -> None:
        self._pieces = iter(pieces)
        self._held: list[Tensor] = []
        self._start = 0  # sample: the first one held
        self.came = 0
        self.ended = False

    def pull(self, until: int) -> None:
        """Take pieces in until ``until`` samples have come, or all there are."""
        while self.came < until and not self.ended:
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
            else:
                self._held.append(piece)
                self.came += piece.shape[-1]

    def cut(self, first: int, last: int) -> Tensor:
        """Samples ``first`` to ``last``; zeros where they lie outside of what came."""
        if not self._held:
            raise ValueError("no audio has come")
        held = self._held[0] if len(self._held) == 1 else torch.cat(self._held, dim=-1)
        self._held = [held]
        low, high = max(first, self._start), min(last, self.came)
        inside = held[..., low - self._start : max(low, high) - self._start]
        return F.pad(inside, (max(0, low - first), max(0, last - max(low, high))))

    def forget(self, before: int) -> None:
        """Let go of samples that nobody will ask for again."""
        while len(self._held) > 1 and self._start + self._held[0].shape[-1] <= before:
            self._start += self._held.pop(0).shape[-1]
        spare = min(before, self.came) - self._start
        if self._held and spare > 0:
            self._held[0] = self._held[0][..., spare:].clone()
            self._start += spare


def resample_pieces(
    pieces: Iterable[Tensor], source_rate: int, target_rate: int
) -> Iterator[Tensor]:
    """:func:`~workbench.audio.signal.resample_in_graph` of a signal that comes in pieces.

    Put together it equals resampling the whole, wherever the pieces were cut.
    """
    if source_rate == target_rate:
        yield from pieces
        return
    stream = Stream(pieces)
    margin = source_rate  # a second is far more than the filter sees
    begin = 0
    while True:
        end = begin + RESAMPLED_SECONDS * source_rate
        stream.pull(end + margin)
        end = min(end, stream.came)
        if end == begin:
            return
        wav = resample_in_graph(stream.cut(begin - margin, end + margin), source_rate, target_rate)
        count = -(-(end - begin) * target_rate // source_rate)
        yield wav[..., target_rate : target_rate + count]
        begin = end
        stream.forget(begin - margin)
