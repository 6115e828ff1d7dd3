"""How generated codes use the codebooks, beside the truth's codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workbench import EvaluationItem, Figure, metric_settings, set_figure

Array = NDArray[np.float64]


class CodeStatistics:
    """Perplexity of the codes, and their divergence from the truth's.

    A language model that falls into a loop or drifts shows here first. Systems without codes (the
    ground truth, say) have no such figures.
    """

    def __init__(self) -> None:
        self._generated: list[Array] = []
        self._reference: list[Array] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in one item's codes, where it has both."""
        if item.generated_codes is None or item.reference_codes is None:
            return
        size = 1 + int(max(item.generated_codes.max(), item.reference_codes.max()))
        books = min(item.generated_codes.shape[0], item.reference_codes.shape[0])
        self._generated.append(histogram(item.generated_codes[:books], size))
        self._reference.append(histogram(item.reference_codes[:books], size))

    def compute(self) -> list[Figure]:
        """``code-perplexity`` (higher: more entries in use) and ``code-divergence`` in bits."""
        if not self._generated:
            return []
        size = max(h.shape[1] for h in self._generated)
        generated = _stack(self._generated, size)
        reference = _stack(self._reference, size)
        n = len(generated)

        def perplexity(weights: Array) -> float:
            return float(np.mean(2 ** entropy(_shares(generated, weights))))

        def divergence(weights: Array) -> float:
            p, q = _shares(generated, weights), _shares(reference, weights)
            gap = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
            return max(0.0, float(np.mean(gap)))

        return [
            set_figure(
                "code-perplexity", n, perplexity, True,
                settings=metric_settings("2^entropy of the codes, mean over codebooks", 1),
            ),
            set_figure(
                "code-divergence", n, divergence, False, "bits",
                settings=metric_settings(
                    "Jensen-Shannon divergence of the codes' frequencies from the truth's, mean "
                    "over codebooks",
                    1,
                ),
            ),
        ]  # fmt: skip


def histogram(codes: Tensor, size: int) -> Array:
    """How often each of ``size`` entries occurs in each codebook: ``[K, size]`` of ``[K, F]``."""
    rows = [np.bincount(row, minlength=size) for row in codes.cpu().numpy()]
    return np.stack(rows).astype(np.float64)


def entropy(shares: Array) -> Array:
    """Entropy in bits ``[K]`` of distributions ``[K, size]``."""
    logs = np.log2(np.where(shares > 0, shares, 1.0))
    bits: Array = -(shares * logs).sum(axis=1)
    return bits


def _stack(histograms: list[Array], size: int) -> Array:
    return np.stack([np.pad(h, ((0, 0), (0, size - h.shape[1]))) for h in histograms])


def _shares(histograms: Array, weights: Array) -> Array:
    """Frequencies ``[K, size]`` over items weighted ``[N]``."""
    counts = np.tensordot(weights, histograms, axes=1)
    shares: Array = counts / counts.sum(axis=1, keepdims=True)
    return shares
