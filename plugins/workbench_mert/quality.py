"""How much of a score an encoder's frames hold: the figures of the embedded model's card.

For a corpus whose ``Example.details`` hold a score (the synthesised music), linear probes tell from
single frames which chord sounds, which pitch class the melody has and which instrument plays it.
Probes are fitted on training pieces and scored on test pieces, which share no music with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
"""Label of frames at which a target is undefined: before the first chord, between two notes."""


@dataclass(frozen=True)
class Quality:
    """Probe accuracies (0 to 1) and purity figures of one encoder on one corpus."""

    accuracy: Mapping[str, float]
    """Share of test frames whose label a linear probe finds, by target."""
    chance: Mapping[str, float]
    """The same for always naming the commonest label."""
    chord_purity: float
    """PNMI (HuBERT's measure): share of the chord's entropy that 100 clusters of frames tell."""
    frames: int
    """Test frames scored."""


def measure_quality(
    encoder: SemanticEncoder, data: AudioDataset, pieces: int = 150, seed: int = 0
) -> Quality:
    """Probe ``encoder`` on at most ``pieces`` training pieces and as many test pieces."""
    features, labels = _frames(encoder, data, "train", pieces)
    test_features, test_labels = _frames(encoder, data, "test", pieces)
    accuracy, chance = {}, {}
    for target, values in labels.items():
        known, test_known = values != UNKNOWN, test_labels[target] != UNKNOWN
        truth = test_labels[target][test_known]
        found = linear_probe(features[known], values[known], test_features[test_known])
        accuracy[target] = float((found == truth).double().mean())
        chance[target] = float((truth == values[known].mode().values).double().mean())
    chords = test_labels["chord"]
    known = chords != UNKNOWN
    purity = cluster_purity(features, test_features[known], chords[known], seed=seed)
    return Quality(accuracy, chance, purity, len(test_features))


@torch.no_grad()
def _frames(
    encoder: SemanticEncoder, data: AudioDataset, split: Split, pieces: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """All frames ``[N, D]`` of a split's first pieces and their labels int64 ``[N]`` by target."""
    features: list[Tensor] = []
    labels: dict[str, list[Tensor]] = {target: [] for target in _LABELS}
    for clip in data.clips(split)[:pieces]:
        wav = data.read(clip).mean(dim=0, keepdim=True)
        frames = encoder(resample_in_graph(wav, data.sample_rate, encoder.sample_rate))[0].T
        times = (torch.arange(len(frames)) + 0.5) / encoder.frame_rate
        features.append(frames)
        for target, label in _LABELS.items():
            labels[target].append(label(clip, times))
    return torch.cat(features), {target: torch.cat(parts) for target, parts in labels.items()}


def _chord(clip: Clip, times: Tensor) -> Tensor:
    """Chord at each time: root pitch class, 12 added where it is minor."""
    spans = [
        (chord["start"], chord["end"], chord["root"] + 12 * (chord["quality"] == "minor"))
        for chord in clip.example.details["chords"]
    ]
    return _label_spans(spans, times)


def _melody(clip: Clip, times: Tensor) -> Tensor:
    """Pitch class of the melody's note at each time."""
    notes: Any = clip.example.details["notes"]
    spans = [
        (onset, onset + duration, pitch % 12)
        for onset, duration, pitch, role in notes
        if role == "melody"
    ]
    return _label_spans(spans, times)


def _instrument(clip: Clip, times: Tensor) -> Tensor:
    """The melody's instrument, while it sounds."""
    name = clip.example.details["instruments"]["melody"]
    number = int.from_bytes(name.encode()[:4], "big")  # a number a name, the same in all splits
    sounding = _melody(clip, times) != UNKNOWN
    return torch.where(sounding, torch.tensor(number), torch.tensor(UNKNOWN))


_LABELS: Mapping[str, Callable[[Clip, Tensor], Tensor]] = {
    "chord": _chord,
    "melody pitch class": _melody,
    "melody instrument": _instrument,
}


def _label_spans(spans: list[tuple[float, float, int]], times: Tensor) -> Tensor:
    labels = torch.full((len(times),), UNKNOWN)
    for start, end, value in spans:
        labels[(times >= start) & (times < end)] = value
    return labels
