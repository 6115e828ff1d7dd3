"""WARP-Q, run by the Python of its own environment, which has nothing of the workbench."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from warpq.core import warpqMetric

WORST = 3.5
"""The highest cost of its authors' scale: what audio without speech scores."""


def score(generated: Any, reference: Any, sample_rate: int) -> dict[str, float | None]:
    """Cost of the speech ``generated`` [T] beside ``reference`` [T]; None where that has none."""
    metric = warpqMetric(sr=sample_rate, n_jobs=1)
    loudest = max(1.0, np.abs(generated).max(), np.abs(reference).max())  # it refuses more than 1
    if math.isnan(_cost(metric, reference / loudest, reference / loudest)):
        return {"warp-q": None}
    cost = _cost(metric, generated / loudest, reference / loudest)
    return {"warp-q": WORST if math.isnan(cost) else cost}


def _cost(metric: Any, generated: Any, reference: Any) -> float:
    return float(metric.evaluate(reference, generated, metric.sr)["raw_warpq_score"])
