"""Scale-invariant signal-to-distortion ratio."""

from __future__ import annotations

import torch

from workbench import EvaluationItem, Figure, mean_figure, metric_settings
from workbench_metrics.pairs import aligned

LIMIT = 100.0
"""Scores are held within this many dB either way: equal signals would score infinity."""


class SiSdr:
    """SI-SDR in dB (Le Roux et al. 2019, arXiv 1811.02508), channels averaged, means removed.

    Meaningful where the generated audio should follow the truth sample by sample: a codec's round
    trip, not a continuation.
    """

    def __init__(self) -> None:
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = (part.double() for part in aligned(item))
        generated = generated - generated.mean(dim=-1, keepdim=True)
        reference = reference - reference.mean(dim=-1, keepdim=True)
        power = reference.square().sum(dim=-1, keepdim=True)
        projection = (generated * reference).sum(dim=-1, keepdim=True) / power.clamp_min(1e-20)
        target = projection * reference
        signal = target.square().sum(dim=-1)
        noise = (generated - target).square().sum(dim=-1)
        ratio = 10 * torch.log10((signal + 1e-20) / (noise + 1e-20))
        self._scores[item.id] = float(ratio.clamp(-LIMIT, LIMIT).mean())

    def compute(self) -> list[Figure]:
        """``si-sdr`` in dB, higher is better."""
        definition = f"scale-invariant SDR to the truth, within +-{LIMIT:g} dB"
        settings = metric_settings(definition, 1, loudness="scaled to the truth's")
        return [mean_figure("si-sdr", self._scores, True, "dB", settings)]
