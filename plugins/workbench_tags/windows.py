"""Windows around the segments of a recording, for models that hear a clip at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def windows(wav: Tensor, sample_rate: int, window_seconds: float, hop_seconds: float) -> Tensor:
    """Audio ``[S, W]`` around each of S = max(1, T // hop) segments of ``[T]``.

    Window i is centred on segment i, which begins at i hops; outside the recording there is
    silence.
    """
    hop, window = round(hop_seconds * sample_rate), round(window_seconds * sample_rate)
    count = max(1, wav.shape[-1] // hop)
    before = max(0, (window - hop) // 2)
    padded = F.pad(wav, (before, window))
    starts = torch.arange(count, device=wav.device)[:, None] * hop
    return padded[starts + torch.arange(window, device=wav.device)]


def pieces(wav: Tensor, sample_rate: int, seconds: float) -> list[Tensor]:
    """``[..., T]`` in pieces of equal length, none longer than ``seconds``; at least one."""
    longest = round(seconds * sample_rate)
    count = max(1, -(-wav.shape[-1] // longest))
    return list(torch.tensor_split(wav, count, dim=-1))
