"""Fréchet distances between generated audio and the truth, on an encoder's features.

Three of them, since each answers another question about a continuation:

- ``frechet-item``: how far is each clip from its own truth? Gaussians over the frames of the two
  clips, averaged over clips (FAD by song: Gui et al. 2024, arXiv 2311.01616). It has a score for
  each item, hence narrow intervals and paired comparisons. Another piece's continuation is a floor.
- ``frechet-joint``: does it go with its prompt as the truth does? One vector a clip, its mean
  prompt features and its mean continuation features side by side (Fréchet Joint Distance: DeVries
  et al. 2019, arXiv 1907.08175, with one encoder for both parts, hence no scale between them).
  Another piece's continuation has the right marginals and still scores badly.
- ``frechet-set``: is the set as a whole like real music? Gaussians over the frames of all clips
  together (FAD: Kilgour et al. 2019, arXiv 1812.08466). It is blind to the prompt: another piece's
  continuation is a reordering of the truth and scores 0 by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench import EvaluationItem, Figure, ItemLacks, mean_figure, metric_settings, set_figure
from workbench_metrics.features import FeatureExtractor
from workbench_metrics.gaussian import Array, Gaussian, frechet_distance

DEFINITIONS = {
    "item": "Gaussians over the frames of each clip and of its truth; mean over clips",
    "joint": "Gaussians over clips of mean prompt features beside mean continuation features",
    "set": "Gaussians over all frames of all clips; blind to the prompt, so another piece's "
    "continuation, a reordering of the truth, scores 0 by construction",
}
GROUPS = 64
"""Clips are pooled into at most this many groups for resampling, which bounds the memory of the
sums at 128 D^2 numbers."""


class FrechetMetric:
    """See the module; ``kinds`` are among ``item``, ``joint`` and ``set``."""

    def __init__(self, extractor: FeatureExtractor, kinds: Sequence[str], encoder: str) -> None:
        self.extractor = extractor
        self.kinds = kinds
        self.encoder = encoder
        self._items: dict[str, float] = {}
        self._generated = ClipSums()
        self._reference = ClipSums()
        self._joint_generated: list[Array] = []
        self._joint_reference: list[Array] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in the features of one item."""
        generated = self.extractor(item.generated).astype(np.float64)
        reference = self.extractor(item.reference).astype(np.float64)
        if "item" in self.kinds:
            self._items[item.id] = frechet_distance(
                Gaussian.of_samples(generated), Gaussian.of_samples(reference)
            )
        if "joint" in self.kinds:
            prompt = self._prompt(item)
            self._joint_generated.append(np.concatenate([prompt, generated.mean(axis=0)]))
            self._joint_reference.append(np.concatenate([prompt, reference.mean(axis=0)]))
        if "set" in self.kinds:
            self._reference.add(reference)
            self._generated.add(generated, origin=self._reference.origin)

    def compute(self) -> list[Figure]:
        """One figure for each kind, in the order of the options."""
        makers: Mapping[str, Callable[[], Figure]] = {
            "item": self._item_figure,
            "joint": self._joint_figure,
            "set": self._set_figure,
        }
        return [makers[kind]() for kind in self.kinds]

    def _item_figure(self) -> Figure:
        return mean_figure("frechet-item", self._items, False, settings=self._settings("item"))

    def _joint_figure(self) -> Figure:
        generated, reference = np.stack(self._joint_generated), np.stack(self._joint_reference)

        def distance(weights: Array) -> float:
            return frechet_distance(
                Gaussian.of_samples(generated, weights), Gaussian.of_samples(reference, weights)
            )

        settings = self._settings("joint")
        return set_figure("frechet-joint", len(generated), distance, False, settings=settings)

    def _set_figure(self) -> Figure:
        generated, reference = self._generated, self._reference

        def distance(weights: Array) -> float:
            return frechet_distance(generated.gaussian(weights), reference.gaussian(weights))

        settings = self._settings("set")
        groups = len(reference.counts)
        figure = set_figure("frechet-set", groups, distance, False, settings=settings)
        return replace(figure, n=reference.clips)

    def _prompt(self, item: EvaluationItem) -> Array:
        if item.prompt is None:
            raise ItemLacks(
                f"frechet-joint: item {item.id!r} has no prompt; take 'joint' out of kinds"
            )
        mean: Array = self.extractor(item.prompt).astype(np.float64).mean(axis=0)
        return mean

    def _settings(self, kind: str) -> dict[str, Any]:
        return metric_settings(
            DEFINITIONS[kind],
            version=1,
            models={self.encoder: self.extractor.fingerprint},
            heard_at=self.extractor.encoder.sample_rate,
        )


class ClipSums:
    """Sufficient sums of clips' frames, in groups that can be weighted when resampling."""

    def __init__(self) -> None:
        self.origin: Array | None = None
        """Subtracted from all frames of both sets, so that a common mean costs no digits."""
        self.clips = 0
        self.counts: list[float] = []
        self.totals: list[Array] = []
        self.products: list[Array] = []

    def add(self, frames: Array, origin: Array | None = None) -> None:
        """Take in a clip's frames [F, D]."""
        if self.origin is None:
            self.origin = frames.mean(axis=0) if origin is None else origin
        centred = frames - self.origin
        group = self.clips % GROUPS
        self.clips += 1
        if group == len(self.counts):
            self.counts.append(0.0)
            self.totals.append(np.zeros(centred.shape[1]))
            self.products.append(np.zeros((centred.shape[1], centred.shape[1])))
        self.counts[group] += len(centred)
        self.totals[group] += centred.sum(axis=0)
        self.products[group] += centred.T @ centred

    def gaussian(self, weights: Array) -> Gaussian:
        """The Gaussian of all frames, group g counted ``weights[g]`` times."""
        chosen = np.flatnonzero(weights)
        products = np.zeros_like(self.products[0])
        for group in chosen:
            products += weights[group] * self.products[group]
        return Gaussian.of_moments(
            float(weights @ np.array(self.counts)), weights @ np.array(self.totals), products
        )
