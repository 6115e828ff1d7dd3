"""The Fréchet distance between Gaussians, for any rank and any number of dimensions.

Dowson and Landau 1982: d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). With covariances
factored as S = A A^T, the trace of the root is the sum of the singular values of A1^T A2, which
needs neither a matrix square root nor full rank: a set with fewer items than dimensions is handled
exactly, without shrinkage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""A distance below this share of the total variance is rounding error and counts as none."""


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian by its mean ``[D]`` and a factor ``[D, R]`` of its covariance (A A^T)."""

    mean: Array
    factor: Array

    @classmethod
    def of_samples(cls, samples: Array, weights: Array | None = None) -> Gaussian:
        """Fit to ``samples`` [N, D], each counted ``weights`` [N] times (covariance over N - 1)."""
        count = np.ones(len(samples)) if weights is None else weights
        kept = count > 0
        rows, count = samples[kept], count[kept]
        total = float(count.sum())
        mean = count @ rows / total
        scaled = (rows - mean) * np.sqrt(count / max(total - 1, 1.0))[:, None]
        if len(scaled) > scaled.shape[1]:
            scaled = np.asarray(np.linalg.qr(scaled, mode="r"))
        return cls(mean, np.ascontiguousarray(scaled.T))

    @classmethod
    def of_moments(cls, count: float, total: Array, products: Array) -> Gaussian:
        """From sufficient sums: ``count``, vectors' sum ``[D]``, outer products' sum ``[D, D]``.

        Sums of centred vectors keep the digits that a large common mean would cost.
        """
        mean = total / count
        covariance = (products - count * np.outer(mean, mean)) / max(count - 1, 1.0)
        return cls(mean, _pivoted_cholesky(covariance))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """The squared 2-Wasserstein distance, which this field calls Fréchet distance."""
    gap = first.mean - second.mean
    own = float(np.sum(first.factor**2) + np.sum(second.factor**2))
    cross = first.factor.T @ second.factor
    shared = float(np.linalg.svd(cross, compute_uv=False).sum()) if cross.size else 0.0
    distance = float(gap @ gap) + own - 2 * shared
    return distance if distance > ROUNDING * own else 0.0


def _pivoted_cholesky(covariance: Array) -> Array:
    """``A`` [D, R] with A A^T = covariance, for a positive semi-definite matrix of any rank R."""
    lower, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    factor = np.zeros((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower)[:, :rank]
    return factor
