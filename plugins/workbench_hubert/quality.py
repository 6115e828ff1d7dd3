"""How much of what is said an encoder's frames hold: the figures of the embedded models' cards.

For a corpus whose ``Example.details`` hold an alignment (the synthesised speech with
``alignments: true``): the share of the phones' entropy that 100 clusters of frames tell (HuBERT's
PNMI), and the share of frames whose phone a linear probe finds. Clusters and probes are made on
training recordings and scored on test recordings, which share no sentence and no voice with them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench import (
    AudioDataset,
    Clip,
    SemanticEncoder,
    Split,
    cluster_purity,
    linear_probe,
    resample_in_graph,
)

UNKNOWN = -1
"""Label of frames in a pause."""


@dataclass(frozen=True)
class SpeechQuality:
    """Figures of one encoder on one corpus."""

    purity: float
    """PNMI of phones, 100 clusters."""
    phone_accuracy: float
    """Share of test frames whose phone a linear probe finds."""
    chance: float
    """The same for always naming the commonest phone."""
    frames: int
    """Test frames scored."""


def measure_quality(
    encoder: SemanticEncoder, data: AudioDataset, recordings: int, seed: int = 0
) -> SpeechQuality:
    """Probe ``encoder`` on at most so many training recordings and as many test recordings."""
    names = phone_names(data, recordings)
    features, phones = _frames(encoder, data, "train", recordings, names)
    test_features, test_phones = _frames(encoder, data, "test", recordings, names)
    known, test_known = phones != UNKNOWN, test_phones != UNKNOWN
    truth = test_phones[test_known]
    found = linear_probe(features[known], phones[known], test_features[test_known])
    return SpeechQuality(
        purity=cluster_purity(features[known], test_features[test_known], truth, seed=seed),
        phone_accuracy=float((found == truth).double().mean()),
        chance=float((truth == phones[known].mode().values).double().mean()),
        frames=len(truth),
    )


def phone_names(data: AudioDataset, recordings: int) -> dict[str, int]:
    """A number for each phone that the training recordings hold."""
    clips = data.clips("train")[:recordings]
    names = {name for clip in clips for _, _, name in _alignment(clip)}
    return {name: number for number, name in enumerate(sorted(names))}


@torch.no_grad()
def _frames(
    encoder: SemanticEncoder,
    data: AudioDataset,
    split: Split,
    recordings: int,
    names: dict[str, int],
) -> tuple[Tensor, Tensor]:
    """All frames ``[N, D]`` of a split's first recordings and their phones int64 ``[N]``."""
    features, phones = [], []
    for clip in data.clips(split)[:recordings]:
        wav = data.read(clip).mean(dim=0, keepdim=True)
        frames = encoder(resample_in_graph(wav, data.sample_rate, encoder.sample_rate))[0].T
        times = [(index + 0.5) / encoder.frame_rate for index in range(len(frames))]
        features.append(frames)
        phones.append(torch.tensor([_phone_at(clip, time, names) for time in times]))
    return torch.cat(features), torch.cat(phones)


def _phone_at(clip: Clip, time: float, names: dict[str, int]) -> int:
    """The phone's number at a time; ``UNKNOWN`` in a pause."""
    spans = _alignment(clip)
    index = bisect_right([start for start, _, _ in spans], time) - 1
    if index < 0 or time >= spans[index][1]:
        return UNKNOWN
    return names.get(spans[index][2], UNKNOWN)


def _alignment(clip: Clip) -> list[Any]:
    """``[start, end, phone]`` of each phone, stress marks apart."""
    spans: list[Any] = clip.example.details["alignment"]
    return [(start, end, name.strip("ˈˌ")) for start, end, name in spans]
