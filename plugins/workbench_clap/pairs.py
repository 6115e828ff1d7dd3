"""Recordings with their captions, drawn in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench import AudioDataset, Clip, Split, WorkbenchError
from workbench_clap.mel import fill_window

_DRAW = 0xC1A9
"""Told apart from what else is drawn by the same seed."""


@dataclass(frozen=True)
class Pairs:
    """One process' part of a batch, and the captions of the whole batch."""

    wav: Tensor
    """Mono audio float32 ``[B, T]`` at the data's rate."""
    captions: tuple[str, ...]
    """Of these B recordings."""
    all_captions: tuple[str, ...]
    """Of the whole batch: the parts of all processes, in their order."""


class CaptionedClips:
    """A split's recordings that have a caption, ``samples`` of each at a time.

    A recording may have several captions: ``Example.caption`` and, where its details hold a list
    ``captions``, as data sets with five captions a clip have, those.
    """

    def __init__(self, data: AudioDataset, split: Split, samples: int) -> None:
        self.data = data
        self.samples = samples
        self.clips = [clip for clip in data.clips(split) if clip.example.caption]
        if len({clip.example.caption for clip in self.clips}) < 2:
            raise WorkbenchError(
                f"CLAP learns to tell captions apart, and of the corpus' {len(data.clips(split))} "
                f"{split} recordings {len(self.clips)} have one; it needs 2 with different captions"
            )

    def batch(self, size: int, seed: int, index: int, part: tuple[int, int] = (0, 1)) -> Pairs:
        """Batch number ``index``, a function of the arguments alone.

        Recordings come in random order, each once before any comes again; where one is longer than
        ``samples``, a random piece of it, and one of its captions. ``part = (rank, world)`` reads
        only this process' equal share of the audio.
        """
        rng = np.random.default_rng((seed, index, _DRAW))
        chosen = [self.clips[self._place(seed, index * size + row)] for row in range(size)]
        captions = [_draw_caption(clip, rng) for clip in chosen]
        starts = [int(rng.integers(max(1, clip.samples - self.samples + 1))) for clip in chosen]
        rank, world = part
        share = size // world
        mine = slice(rank * share, (rank + 1) * share)
        wav = [
            self.read(clip, start) for clip, start in zip(chosen[mine], starts[mine], strict=True)
        ]
        return Pairs(torch.cat(wav), tuple(captions[mine]), tuple(captions[: share * world]))

    def read(self, clip: Clip, start: int = 0) -> Tensor:
        """Mono ``[1, samples]`` of a recording; a shorter one is repeated, as CLAP does."""
        wav = self.data.read(clip, start, self.samples).mean(dim=0, keepdim=True)
        return fill_window(wav, self.samples)

    def _place(self, seed: int, draw: int) -> int:
        """Which recording draw number ``draw`` of the whole training takes."""
        turn, place = divmod(draw, len(self.clips))
        order = np.random.default_rng((seed, turn, _DRAW + 1)).permutation(len(self.clips))
        return int(order[place])


def _draw_caption(clip: Clip, rng: np.random.Generator) -> str:
    """One of a recording's captions."""
    captions = _captions(clip)
    return captions[int(rng.integers(len(captions)))]


def _captions(clip: Clip) -> Sequence[str]:
    listed = clip.example.details.get("captions")
    if isinstance(listed, list) and listed and all(isinstance(text, str) for text in listed):
        return listed
    return [clip.example.caption or ""]
