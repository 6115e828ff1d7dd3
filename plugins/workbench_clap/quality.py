"""How well captions find their recordings: the figures of the embedded models' cards."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench import AudioDataset, Clip, Figure, Split, TextAudioEncoder, mean_figure

RANKS = (1, 10)
"""Recall is given at these."""
_BATCH = 16


def distinct_pairs(data: AudioDataset, split: Split, most: int) -> list[Clip]:
    """The first recordings of a split that have a caption, each caption once."""
    clips: dict[str, Clip] = {}
    for clip in data.clips(split):
        if clip.example.caption:
            clips.setdefault(clip.example.caption, clip)
    return list(clips.values())[:most]


@torch.no_grad()
def recall(encoder: TextAudioEncoder, data: AudioDataset, clips: Sequence[Clip]) -> list[Figure]:
    """Share of captions whose recording is among the nearest 1 and 10, and the other way round.

    ``clips`` have captions that differ, as :func:`distinct_pairs` gives them. Of N pairs, an
    encoder that knows nothing finds k / N at rank k.
    """
    texts = [clip.example.caption or "" for clip in clips]
    text = _joined(
        [encoder.embed_text(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
    )
    audio = _joined(
        [
            encoder.embed_audio(data.read(clip).mean(dim=0, keepdim=True), data.sample_rate)
            for clip in clips
        ]
    )
    cosines = text @ audio.T
    ids = [clip.example.id for clip in clips]
    figures = []
    for direction, table in (("text-to-audio", cosines), ("audio-to-text", cosines.T)):
        ranks = _ranks(table)
        for most in RANKS:
            hits = {item: float(rank < most) for item, rank in zip(ids, ranks, strict=True)}
            figures.append(mean_figure(f"{direction}-recall-{most}", hits, True))
    return figures


def _ranks(table: Tensor) -> list[int]:
    """How many others are at least as near as the right one; it lies on the diagonal."""
    right = table.diagonal().unsqueeze(1)
    ranks: list[int] = ((table >= right).sum(dim=1) - 1).tolist()
    return ranks


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(parts)).float().cpu()
