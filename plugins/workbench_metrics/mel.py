"""Log-mel distance at several resolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench import EvaluationItem, Figure, log_mel, mean_figure, metric_settings
from workbench_metrics.pairs import aligned


class MelDistance:
    """Mean absolute difference of log10 mel magnitudes, averaged over resolutions.

    0.1 is a mean level error of 2 dB. ``fft_sizes`` are windows in samples with hops of a quarter;
    ``mels`` gives the number of bands for each. Magnitudes are floored at 1e-5.
    """

    def __init__(self, fft_sizes: Sequence[int], mels: Sequence[int]) -> None:
        self.resolutions = list(zip(fft_sizes, mels, strict=True))
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        generated, reference = aligned(item)
        rate = item.reference.sample_rate
        distances = []
        for size, bands in self.resolutions:
            one = log_mel(generated, rate, size, size // 4, bands)
            two = log_mel(reference, rate, size, size // 4, bands)
            distances.append(float((one - two).abs().mean()) / math.log(10))
        self._scores[item.id] = sum(distances) / len(distances)

    def compute(self) -> list[Figure]:
        """``mel-distance``, lower is better."""
        settings = metric_settings("mean |log10 mel - log10 mel of the truth|; 0.1 is 2 dB", 1)
        return [mean_figure("mel-distance", self._scores, False, settings=settings)]
