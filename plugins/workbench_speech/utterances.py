"""Whole utterances of a corpus in batches, for judges that learn what is said or who speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from workbench import AudioDataset, Clip, TrainingSession, resample_in_graph
from workbench_speech.body import SAMPLE_RATE

LENGTH_STEP = 4_000
"""Batches are padded to a multiple of so many samples: fewer shapes, less memory held back."""
LONGEST_SECONDS = 20.0
"""Longer recordings are left out: a batch of them would not fit."""


@dataclass(frozen=True)
class Utterances:
    """Audio float32 ``[B, T]``, its valid ``lengths`` in samples, and where it comes from."""

    wav: Tensor
    lengths: Tensor
    clips: tuple[Clip, ...]


def utterance_batches(
    data: AudioDataset,
    clips: list[Clip],
    session: TrainingSession,
    vary: Callable[[Tensor], Tensor] | None,
    pace: float = 0.0,
) -> Callable[[int], Utterances]:
    """A function from a batch's number to this process' share of it; it depends on that alone.

    Each recording is played faster or slower by up to the share ``pace``.
    """

    def batch(index: int) -> Utterances:
        size = session.round_batch_size
        rng = np.random.default_rng((session.seed, index, 0x0773))
        chosen = [clips[i] for i in rng.integers(0, len(clips), size=size)]
        speeds = 1 + pace * rng.uniform(-1, 1, size=size)
        share = slice(
            session.rank * size // session.world, (session.rank + 1) * size // session.world
        )
        mine = chosen[share]
        wavs = [
            played(heard(data, clip, session.device), speed)
            for clip, speed in zip(mine, speeds[share], strict=True)
        ]
        lengths = torch.tensor([len(wav) for wav in wavs], device=session.device)
        longest = -(-int(lengths.max()) // LENGTH_STEP) * LENGTH_STEP
        wav = torch.zeros(len(wavs), longest, device=session.device)
        for row, samples in enumerate(wavs):
            wav[row, : len(samples)] = samples
        return Utterances(wav if vary is None else vary(wav), lengths, tuple(mine))

    return batch


def heard(data: AudioDataset, clip: Clip, device: torch.device) -> Tensor:
    """A recording as mono audio float32 ``[T]`` at the judges' rate."""
    wav = data.read(clip).mean(dim=0, keepdim=True).to(device)
    return resample_in_graph(wav, data.sample_rate, SAMPLE_RATE)[0]


def played(wav: Tensor, speed: float) -> Tensor:
    """``[T]`` played so many times as fast, which moves pitch and formants: another voice."""
    if speed == 1:
        return wav
    size = max(1, round(len(wav) / speed))
    return F.interpolate(wav[None, None], size=size, mode="linear")[0, 0]


def usable(data: AudioDataset, clips: list[Clip]) -> list[Clip]:
    """Those recordings that are not too long."""
    return [clip for clip in clips if clip.samples <= LONGEST_SECONDS * data.sample_rate]
