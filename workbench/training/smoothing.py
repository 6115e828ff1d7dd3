"""Spectrograms without their grain, for models that are to hear what a codec has smoothed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def smooth_spectrum(spectrum: Tensor, share: float, most: tuple[int, int]) -> Tensor:
    """A copy of ``[B, F, M]`` of which so large a share of the items is averaged over F and M.

    Codecs and language models give noise back without its grain; what it is the noise of can be
    heard still. Each item's window has widths of its own: odd, up to ``most`` frames and bands.
    Draws from torch's global generator.
    """
    drawn = torch.rand(len(spectrum), 3).tolist()
    return torch.stack(
        [
            _averaged(item, (time, bands), most) if chance < share else item
            for item, (chance, time, bands) in zip(spectrum, drawn, strict=True)
        ]
    )


def _averaged(item: Tensor, drawn: tuple[float, float], most: tuple[int, int]) -> Tensor:
    """``[F, M]`` averaged over windows whose widths follow from numbers between 0 and 1."""
    time, bands = (int(part * (width // 2 + 1)) for part, width in zip(drawn, most, strict=True))
    widths = (2 * time + 1, 2 * bands + 1)
    return F.avg_pool2d(item[None], widths, 1, (time, bands), count_include_pad=False)[0]
