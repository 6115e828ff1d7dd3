"""The Fréchet distance of infinitely many clips, extrapolated from fewer.

A Fréchet distance of N clips is too large by about c / N, and c is another for every model. Chong
and Forsyth (2020, arXiv 1911.07023) measure it on parts of a set and extend the line over 1 / N to
0; Gui et al. (2024, arXiv 2311.01616) brought this to audio as FAD-infinity. Two things differ
here. They cut down the generated set alone, against a reference far larger than it; here the truth
has as many clips and is as much to blame for the bias, so both are cut down, to the same items. And
where they draw parts at random, a set is split into 1, 2, 3 and 4 equal parts, so that each size's
mean distance is of all clips, which makes the line steadier.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench import EvaluationItem, Figure, metric_settings, set_figure
from workbench_metrics.features import FeatureExtractor
from workbench_metrics.frechet import ClipSums
from workbench_metrics.gaussian import Array, frechet_distance

SPLITS = (1, 2, 3, 4)
"""Equal parts that the clips are split into: a point of the line each."""
RESAMPLES = 200
FEWEST = max(SPLITS)
"""Clips that it takes at least."""
SEED = 20240831
"""Of the order before splitting; the same for all systems of a table."""


class FrechetInfinity:
    """``frechet-infinity``: ``frechet-set`` without its bias; see the module."""

    def __init__(self, extractor: FeatureExtractor, encoder: str) -> None:
        self.extractor = extractor
        self.encoder = encoder
        self._generated = ClipSums()
        self._reference = ClipSums()

    def update(self, item: EvaluationItem) -> None:
        """Take in the features of one item."""
        reference = self.extractor(item.reference).astype(np.float64)
        self._reference.add(reference)
        generated = self.extractor(item.generated).astype(np.float64)
        self._generated.add(generated, origin=self._reference.origin)

    def compute(self) -> list[Figure]:
        """``frechet-infinity``, lower is better; nothing where there are fewer than 4 items."""
        groups = len(self._reference.counts)
        if self._reference.clips < FEWEST:
            return []
        stated = metric_settings(
            "Gaussians over all frames of all clips, extrapolated to infinitely many clips",
            version=1,
            models={self.encoder: self.extractor.fingerprint},
            heard_at=self.extractor.encoder.sample_rate,
        )
        figure = set_figure(
            "frechet-infinity",
            groups,
            lambda weights: extrapolated(self._generated, self._reference, weights),
            False,
            settings={**stated, "splits": list(SPLITS)},
            resamples=RESAMPLES,
            signed=True,
        )
        return [replace(figure, n=self._reference.clips)]


def extrapolated(generated: ClipSums, reference: ClipSums, weights: Array) -> float:
    """The distance at 1 / N = 0, by a straight line through the means of equal parts.

    The parts are of groups of clips, each as often as ``weights`` has it, in a fixed random order.
    """
    listed = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
    shuffled = np.random.default_rng(SEED).permutation(listed)
    sizes, means = [], []
    for parts in SPLITS:
        size = len(shuffled) // parts
        distances = []
        for part in range(parts):
            chosen = shuffled[part * size : (part + 1) * size]
            counts = np.bincount(chosen, minlength=len(weights)).astype(np.float64)
            one, two = generated.gaussian(counts), reference.gaussian(counts)
            distances.append(frechet_distance(one, two))
        sizes.append(size)
        means.append(float(np.mean(distances)))
    return intercept(sizes, means)


def intercept(sizes: list[int], distances: list[float]) -> float:
    """Where the line through ``distances`` over 1 / ``sizes`` meets 0 (least squares)."""
    inverse = 1.0 / np.asarray(sizes, dtype=np.float64)
    values = np.asarray(distances)
    centred = inverse - inverse.mean()
    slope = float(centred @ values / (centred @ centred))
    return float(values.mean() - slope * inverse.mean())
