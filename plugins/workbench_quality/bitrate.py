"""The bit rate that codes need once each codebook's entries are coded by how often they occur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench import EvaluationItem, Figure, metric_settings, set_figure

Array = NDArray[np.float64]


class CodeBitrate:
    """``code-bitrate``: entropy of the codes over their duration, in kbit/s.

    What an ideal entropy coder with one fixed table a codebook would send; at most the nominal rate
    log2(entries) * codebooks * frame rate. The entropy of few frames comes out too low: over N
    frames it can't exceed log2 N bits. Systems without codes have no such figure.
    """

    def __init__(self) -> None:
        self._counts: list[Array] = []
        self._seconds: list[float] = []

    def update(self, item: EvaluationItem) -> None:
        """Take in one item's codes, where it has some."""
        codes = item.generated_codes
        if codes is None or codes.shape[-1] == 0:
            return
        rows = codes.cpu().numpy()
        size = 1 + int(rows.max())
        self._counts.append(np.stack([np.bincount(row, minlength=size) for row in rows]))
        self._seconds.append(item.generated.seconds)

    def compute(self) -> list[Figure]:
        """``code-bitrate`` in kbit/s, lower is better at equal quality."""
        if not self._counts:
            return []
        books = max(len(counts) for counts in self._counts)
        size = max(counts.shape[1] for counts in self._counts)
        counts = np.stack(
            [np.pad(c, ((0, books - len(c)), (0, size - c.shape[1]))) for c in self._counts]
        )
        seconds = np.array(self._seconds)

        def rate(weights: Array) -> float:
            total = np.tensordot(weights, counts, axes=1)
            return float(ideal_bits(total) / (weights @ seconds) / 1000)

        definition = "bits of an ideal coder with one table a codebook, over the audio's duration"
        settings = metric_settings(definition, 1)
        return [set_figure("code-bitrate", len(seconds), rate, False, "kbit/s", settings)]


def ideal_bits(counts: Array) -> float:
    """Bits for all codes of ``[K, entries]`` counts when each entry costs -log2 of its share."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    bits: float = -(counts * np.log2(np.where(shares > 0, shares, 1.0))).sum()
    return max(0.0, bits)
