"""Batches of unequal lengths, for any codec."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def encode_by_length(
    encode: Callable[[Tensor], Tensor], wav: Tensor, lengths: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Codes ``[B, K, F]`` of padded audio ``[B, C, T]``, and the valid frames ``[B]`` of each.

    ``encode`` gives codes ``[b, K, f]`` of ``[b, C, t]`` without padding. Items of equal length
    share a pass and no item is padded longer, since padding would change what a normalisation or an
    attention over time sees: so each item's codes are those it gets alone. Where ``lengths`` is
    None, all of T is valid and so are all frames (None is returned).
    """
    if lengths is None:
        return encode(wav), None
    items: list[Tensor] = [wav.new_empty(0)] * len(wav)
    for length in sorted({int(n) for n in lengths}):
        rows = [index for index, n in enumerate(lengths) if int(n) == length]
        for row, item in zip(rows, encode(wav[rows, :, :length]), strict=True):
            items[row] = item
    frames = torch.tensor([item.shape[-1] for item in items], device=wav.device)
    longest = int(frames.max())
    return torch.stack([F.pad(item, (0, longest - item.shape[-1])) for item in items]), frames
