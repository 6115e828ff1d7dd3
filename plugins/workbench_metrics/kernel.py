"""Maximum mean discrepancy between generated audio and the truth, on an encoder's features.

Unbiased at any number of clips, free of assumptions on the features' distribution, and negative as
often as positive where there is no difference.

- ``kernel-distance`` with a ``gaussian`` kernel is KAD (Chung et al. 2025, arXiv 2502.15602):
  bandwidth the median distance of the true vectors, times 100;
- with a ``polynomial`` one, (x y / D + 1)^3, it is KID (Bińkowski et al. 2018, arXiv 1801.01401).

Generated clip i and true clip i belong together (one prompt, one caption), so they are not
independent; the estimator is therefore Gretton et al.'s for pairs (2012, JMLR 13, equation 4),
which leaves out the products of a pair with itself. The truth against itself is exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial.distance import pdist

from workbench import EvaluationItem, Figure, metric_settings, set_figure
from workbench_metrics.features import FeatureExtractor
from workbench_metrics.gaussian import Array

Kernel = Callable[[Array, Array], Array]
"""``kernel(x [N, D], y [M, D]) -> [N, M]``."""

SCALES: Mapping[str, float] = {"gaussian": 100.0, "polynomial": 1.0}
"""What the discrepancy is multiplied by, as published."""
RESAMPLES = 1000
DEFINITION = "squared maximum mean discrepancy of clips' mean features, unbiased, over pairs"


class KernelDistance:
    """``kernel-distance``; see the module. ``kernel`` is a key of ``SCALES``."""

    def __init__(self, extractor: FeatureExtractor, kernel: str, encoder: str) -> None:
        self.extractor = extractor
        self.kernel = kernel
        self.encoder = encoder
        self._generated: list[Array] = []
        self._reference: list[Array] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in the mean features of one item."""
        self._generated.append(self.extractor(item.generated).astype(np.float64).mean(axis=0))
        self._reference.append(self.extractor(item.reference).astype(np.float64).mean(axis=0))

    def compute(self) -> list[Figure]:
        """``kernel-distance``, lower is better; nothing where there are fewer than two items."""
        count = len(self._generated)
        if count < 2:
            return []
        generated, reference = np.stack(self._generated), np.stack(self._reference)
        bandwidth = median_distance(reference)
        kernels: Mapping[str, Kernel] = {
            "gaussian": lambda x, y: gaussian_kernel(x, y, bandwidth),
            "polynomial": polynomial_kernel,
        }
        table = pair_table(generated, reference, kernels[self.kernel])
        scale = SCALES[self.kernel]
        stated = metric_settings(
            DEFINITION,
            version=1,
            models={self.encoder: self.extractor.fingerprint},
            heard_at=self.extractor.encoder.sample_rate,
        )
        settings = {**stated, "kernel": self.kernel, "scale": scale}
        return [
            set_figure(
                "kernel-distance",
                count,
                lambda weights: scale * discrepancy(table, weights),
                False,
                settings=settings,
                resamples=RESAMPLES,
                signed=True,
            )
        ]


def pair_table(generated: Array, reference: Array, kernel: Kernel) -> Array:
    """h(z_i, z_j) ``[N, N]`` of Gretton's equation 4, 0 on the diagonal."""
    cross = kernel(generated, reference)
    table = kernel(generated, generated) + kernel(reference, reference) - cross - cross.T
    np.fill_diagonal(table, 0.0)
    return table


def discrepancy(table: Array, weights: Array) -> float:
    """The mean of ``table`` over pairs of different items, each counted ``weights`` times.

    An item drawn twice makes no pair with itself: that would be no independent one.
    """
    pairs = float(weights.sum() ** 2 - weights @ weights)
    return float(weights @ table @ weights) / pairs if pairs > 0 else 0.0


def median_distance(vectors: Array) -> float:
    """The median Euclidean distance of two of the vectors; 1 where all are the same."""
    return float(np.median(pdist(vectors))) or 1.0


def gaussian_kernel(x: Array, y: Array, bandwidth: float) -> Array:
    """exp(-|x - y|^2 / (2 bandwidth^2))."""
    squares = np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1)[None] - 2 * x @ y.T
    kernel: Array = np.exp(-np.maximum(squares, 0.0) / (2 * bandwidth**2))
    return kernel


def polynomial_kernel(x: Array, y: Array) -> Array:
    """(x y / D + 1)^3."""
    kernel: Array = (x @ y.T / x.shape[1] + 1.0) ** 3
    return kernel
