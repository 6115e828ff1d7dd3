"""Two arms of an ablation, each trained with several seeds: difference, ratio, and a verdict.

Both arms are measured on the same items with the same seeds. Intervals resample items and seeds
together (a two-level bootstrap), the same items and the same seeds for both arms, so that what is
common to a pair cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.api.errors import WorkbenchError
from workbench.api.types import Figure
from workbench.evaluation.statistics import SEED, Interval, mean_figure, percentile_interval

RESAMPLES = 10_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class ArmComparison:
    """One figure of two arms over all seeds.

    ``first`` and ``second`` are means over seeds; ``difference`` is second minus first, ``ratio``
    first over second (how many times fewer errors the second makes), None where a value is not
    above 0. ``by_seed`` holds each seed's pair of values. ``better`` is 1 or 2 where the
    difference's interval is clear of zero and every seed's difference points the same way.
    """

    name: str
    higher_is_better: bool
    first: float
    second: float
    difference: float
    difference_interval: Interval
    ratio: float | None
    ratio_interval: Interval | None
    by_seed: tuple[tuple[float, float], ...]
    items: int
    better: int | None


def compare_arms(first: Sequence[Figure], second: Sequence[Figure]) -> ArmComparison:
    """Compare two arms; entry s of each is the figure of its run with the s-th seed.

    Figures must have a score for each item, the same items in all of them.
    """
    items = sorted((first[0].per_item or {}).keys())
    one, two = (_matrix(arm, items) for arm in (first, second))
    pairs = tuple((a.value, b.value) for a, b in zip(first, second, strict=True))
    draws = _draws(one, two, _weights(first[0], items))
    means = (sum(a for a, _ in pairs) / len(pairs), sum(b for _, b in pairs) / len(pairs))
    difference = means[1] - means[0]
    interval = percentile_interval(draws[1] - draws[0], len(items))
    sign = np.sign(difference)
    agree = all(np.sign(b - a) == sign for a, b in pairs)
    better = None
    if agree and (interval.low > 0 or interval.high < 0):
        better = 2 if (difference > 0) == first[0].higher_is_better else 1
    positive = min(means) > 0 and bool((draws > 0).all())
    return ArmComparison(
        name=first[0].name,
        higher_is_better=first[0].higher_is_better,
        first=means[0],
        second=means[1],
        difference=difference,
        difference_interval=interval,
        ratio=means[0] / means[1] if positive else None,
        ratio_interval=percentile_interval(draws[0] / draws[1], len(items)) if positive else None,
        by_seed=pairs,
        items=len(items),
        better=better,
    )


def beyond(result: Figure, ceiling: Figure) -> Figure:
    """What a result's figure holds beyond its own ceiling's: item by item, result minus ceiling.

    For error rates: the errors that the language model makes beside those that its codec makes.
    """
    own = ceiling.per_item or {}
    gaps = {item: score - own[item] for item, score in (result.per_item or {}).items()}
    return mean_figure(
        f"{result.name} beyond the round trip",
        gaps,
        result.higher_is_better,
        result.unit,
        result.settings,
        result.weights,
    )


def _matrix(figures: Sequence[Figure], items: Sequence[str]) -> Array:
    """Scores ``[seeds, items]``."""
    for figure in figures:
        if sorted((figure.per_item or {}).keys()) != list(items):
            raise WorkbenchError(
                f"figure {figure.name!r}: the runs of the two arms were not scored on the same "
                "items, so that they can't be paired"
            )
    return np.array([[(f.per_item or {})[item] for item in items] for f in figures])


def _weights(figure: Figure, items: Sequence[str]) -> Array:
    """What each item's score counts."""
    if figure.weights is None:
        return np.ones(len(items))
    return np.array([figure.weights[item] for item in items])


def _draws(one: Array, two: Array, weights: Array) -> Array:
    """Replicates ``[2, resamples]`` of both arms' means over resampled seeds and items.

    Drawing from a few seeds shows too little of their variance, by (S - 1) / S; their distances
    from the mean are stretched to make up for it.
    """
    seeds, items = one.shape
    if seeds > 1:
        stretch = math.sqrt(seeds / (seeds - 1))
        one, two = (arm.mean(0) + (arm - arm.mean(0)) * stretch for arm in (one, two))
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(items, np.full(items, 1 / items), size=RESAMPLES) * weights
    counts = counts / counts.sum(axis=1, keepdims=True)
    chosen = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
    return np.stack([np.einsum("ri,si,rs->r", counts, arm, chosen) for arm in (one, two)])


def sentence(comparison: ArmComparison, system: str, first: str, second: str) -> str:
    """The comparison of two arms' ``system`` in plain words."""
    c = comparison
    low, high = c.difference_interval.low, c.difference_interval.high
    said = (
        f"{c.name} of “{system}”: {first} {c.first:.4g}, {second} {c.second:.4g}; "
        f"difference {c.difference:+.3g} [{low:.3g}, {high:.3g}]"
    )
    if c.ratio is not None and c.ratio_interval is not None:
        ends = c.ratio_interval
        said += f", ratio {c.ratio:.3g} [{ends.low:.3g}, {ends.high:.3g}]"
    runs = len(c.by_seed)
    said += f" ({c.items} items, {runs} seed{'s' if runs > 1 else ''})"
    return f"{said}: {_verdict(c, first, second)}."


def _verdict(c: ArmComparison, first: str, second: str) -> str:
    if c.better is not None:
        return f"{(first, second)[c.better - 1]} is clearly better"
    clear = c.difference_interval.low > 0 or c.difference_interval.high < 0
    if clear and not math.isclose(c.difference, 0):
        return "the seeds do not agree on which is better"
    return "no clear difference"
