"""Crops of a corpus' recordings with what is to be heard in them, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench import AudioDataset, Clip, Split
from workbench_tags.truth import SoundEvent, annotated


@dataclass(frozen=True)
class Scenes:
    """Audio float32 ``[B, T]`` and its truth.

    ``clips`` ``[B, C]`` is 1 where a class is audible, ``frames`` ``[B, S, C]`` where and when;
    ``timed`` ``[B]`` is 1 for recordings of which the times are known.
    """

    wav: Tensor
    clips: Tensor
    frames: Tensor
    timed: Tensor


def known_classes(data: AudioDataset, split: Split = "train") -> tuple[str, ...]:
    """The kinds of events that a split's recordings name, in alphabetical order."""
    return tuple(
        sorted({event.kind for clip in data.clips(split) for event in annotated(clip.example)})
    )


def targets(
    clips: Sequence[Clip],
    starts: Sequence[float],
    frames: int,
    rate: float,
    classes: Sequence[str],
) -> tuple[Tensor, Tensor, Tensor]:
    """``clips``, ``frames`` and ``timed`` of :class:`Scenes`.

    Crops begin at ``starts`` (seconds) and have ``frames`` frames, ``rate`` a second. An event
    counts in a frame whose middle it covers, and a crop has those whose frames it holds.
    """
    number = {kind: index for index, kind in enumerate(classes)}
    whole = torch.zeros(len(clips), len(classes))
    truth = torch.zeros(len(clips), frames, len(classes))
    timed = torch.zeros(len(clips))
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        events = [event for event in annotated(clip.example) if event.kind in number]
        timed[row] = float(all(event.start is not None for event in events))
        for event in events:
            column = number[event.kind]
            if event.start is None or event.end is None:
                whole[row, column] = 1.0
                continue
            first, last = span(event, start, frames, rate)
            truth[row, first:last, column] = 1.0
            whole[row, column] = max(float(whole[row, column]), float(last > first))
    return whole, truth, timed


def span(event: SoundEvent, start: float, frames: int, rate: float) -> tuple[int, int]:
    """First frame, and the one after the last, of a timed event; at least one if it is inside."""
    begin = ((event.start or 0.0) - start) * rate
    end = ((event.end or 0.0) - start) * rate
    first = max(0, round(begin))
    last = min(frames, max(round(end), first + 1 if 0 <= begin < frames else first))
    return min(first, frames), max(last, min(first, frames))
