"""Intervals for figures: how far would a figure move if other items had been drawn?

Items (clips, sentences, pieces) are the unit that is resampled, with a fixed seed, so that a table
computed twice is the same table. Three kinds of figure:

- a mean over items: BCa bootstrap (Efron 1987, "Better Bootstrap Confidence Intervals"), its levels
  widened to Student's t for few items (Hesterberg 2015, arXiv 1411.5279, section 3.2);
- a statistic of the whole set that can't be negative (a Fréchet distance, a perplexity): bootstrap
  replicates relative to their median, scaled to the figure. Such statistics are biased for small
  sets and more so for resampled sets, which repeat items; the ratio to the median takes that out.
  The interval is for the figure as it comes out at this N, not at infinite N. A ``signed`` one, an
  unbiased estimate that may be negative, has replicates shifted to the figure instead;
- a difference of two figures over the same items: paired, item by item or replicate by replicate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.api.errors import PluginError
from workbench.api.types import Figure

LEVEL = 0.95
"""Confidence level of every interval."""
SEED = 20240831
"""Seed of the resampling, common to all figures, so that replicates of two systems are paired."""
MEAN_RESAMPLES = 4000
"""Replicates for a mean."""
SET_RESAMPLES = 200
"""Replicates for a statistic of a set, each of which may cost an eigendecomposition."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; both ends are NaN where it is unknown (fewer than two items)."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """First figure minus second, with a 95 % interval.

    ``better`` is 1 or 2 for the figure that is better with an interval clear of zero, else None.
    ``method`` says what was resampled: ``paired items``, ``paired replicates`` or, where the two
    figures share no items, ``independent``.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    better: int | None
    method: str


def bootstrap_interval(
    values: Sequence[float] | Array,
    level: float = LEVEL,
    resamples: int = MEAN_RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """BCa bootstrap interval of the mean of ``values``.

    Equal values give an interval of no width: nothing in the data says how far they could vary.
    """
    x = np.asarray(values, dtype=np.float64)
    n = x.size
    if n < 2:
        return Interval(math.nan, math.nan)
    centred = x - x.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    if spread <= 1e-12 * max(1.0, float(np.abs(x).max())):
        return Interval(float(x.mean()), float(x.mean()))
    replicates = np.sort(_resampled_means(centred, resamples, seed))
    below = np.searchsorted(replicates, 0.0, "left")
    up_to = np.searchsorted(replicates, 0.0, "right")
    share = float(below + up_to) / (2 * resamples)
    bias = _normal_quantile(min(max(share, 1 / resamples), 1 - 1 / resamples))
    acceleration = float(np.mean(centred**3)) / (6 * spread**3 * math.sqrt(n))
    ends = []
    for z in (-_widened_z(level, n), _widened_z(level, n)):
        shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
        ends.append(float(x.mean() + np.quantile(replicates, _normal_share(shifted))))
    return Interval(ends[0], ends[1])


def mean_figure(
    name: str,
    scores: Mapping[str, float],
    higher_is_better: bool,
    unit: str = "",
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
) -> Figure:
    """The mean of ``scores`` (by item id) as a figure that keeps each item's score.

    ``weights`` make it a ratio of sums: a word error rate is the mean of the sentences' rates, each
    weighted by its words. Items are resampled all the same.
    """
    if not scores:
        raise PluginError(f"figure {name!r}: there are no items to take the mean of")
    for item, score in scores.items():
        if not math.isfinite(score):
            raise PluginError(f"figure {name!r}: item {item!r} scored {score}, not a finite number")
    shares = _shares(scores, weights, list(scores))
    if not math.isfinite(float(shares.sum())):
        raise PluginError(f"figure {name!r}: its weights must be finite and sum to more than 0")
    interval = bootstrap_interval(shares)
    return Figure(
        name=name,
        value=float(shares.mean()),
        low=interval.low,
        high=interval.high,
        n=len(scores),
        higher_is_better=higher_is_better,
        unit=unit,
        per_item={item: float(score) for item, score in scores.items()},
        weights=None if weights is None else {item: float(weights[item]) for item in scores},
        settings={**(settings or {}), "interval": _method("BCa", MEAN_RESAMPLES)},
    )


def set_figure(
    name: str,
    n: int,
    statistic: Callable[[Array], float],
    higher_is_better: bool,
    unit: str = "",
    settings: Mapping[str, Any] | None = None,
    resamples: int = SET_RESAMPLES,
    signed: bool = False,
) -> Figure:
    """A statistic of a set of ``n`` items with a bootstrap interval; negative only if ``signed``.

    ``statistic`` gets weights float64 ``[n]``: how often each item is in the set. All ones give the
    figure; multinomial counts with sum ``n`` give the replicates.
    """
    value = float(statistic(np.ones(n)))
    if not (math.isfinite(value) and (signed or value >= 0)):
        least = "" if signed else " of at least 0"
        raise PluginError(f"figure {name!r}: {value} is not a finite number{least}")
    replicates = [float(statistic(w)) for w in _resampling_weights(n, resamples)] if n > 1 else []
    placed = (shifted_replicates if signed else scaled_replicates)(value, replicates)
    interval = percentile_interval(placed, n)
    return Figure(
        name=name,
        value=value,
        low=interval.low,
        high=interval.high,
        n=n,
        higher_is_better=higher_is_better,
        unit=unit,
        settings={**(settings or {}), "interval": _method("bootstrap of the set", resamples)},
        replicates=tuple(replicates),
        signed=signed,
    )


def scaled_replicates(value: float, replicates: Sequence[float]) -> Array:
    """Replicates scaled so that their median is ``value``; all zero where the median is."""
    array = np.asarray(replicates, dtype=np.float64)
    median = float(np.median(array)) if array.size else 0.0
    return array * (value / median) if median > 0 else np.full_like(array, value)


def shifted_replicates(value: float, replicates: Sequence[float]) -> Array:
    """Replicates shifted so that their median is ``value``."""
    array = np.asarray(replicates, dtype=np.float64)
    return array + (value - float(np.median(array))) if array.size else array


def placed_replicates(figure: Figure) -> Array:
    """A set-level figure's replicates around its value."""
    place = shifted_replicates if figure.signed else scaled_replicates
    return place(figure.value, figure.replicates or ())


def paired_difference(first: Figure, second: Figure) -> Difference:
    """``first`` minus ``second``: paired where they share their items, else independent."""
    a, b = first.per_item, second.per_item
    common = sorted(a.keys() & b.keys()) if a is not None and b is not None else []
    if a is not None and b is not None and len(common) > 1:
        gaps = _shares(a, first.weights, common) - _shares(b, second.weights, common)
        value, interval, n = float(gaps.mean()), bootstrap_interval(gaps), len(common)
        method = "paired items"
    elif _share_replicates(first, second):
        one, two = placed_replicates(first), placed_replicates(second)
        value, interval, n = (
            first.value - second.value,
            percentile_interval(one - two, first.n),
            first.n,
        )
        method = "paired replicates"
    else:
        value, interval = first.value - second.value, _independent(first, second)
        n, method = min(first.n, second.n), "independent"
    better = None
    if interval.low > 0 or interval.high < 0:
        better = 1 if (value > 0) == first.higher_is_better else 2
    return Difference(first.name, value, interval.low, interval.high, n, better, method)


def clear_of(first: Figure, second: Figure) -> bool:
    """Whether ``first`` is better than ``second`` with intervals that don't overlap."""
    if first.higher_is_better:
        return first.low > second.high
    return first.high < second.low


def _shares(
    scores: Mapping[str, float], weights: Mapping[str, float] | None, items: Sequence[str]
) -> Array:
    """What each item adds to the figure, so that their plain mean is the figure's value.

    Weighted, an item's share is its influence on a ratio of sums (the delta method).
    """
    x = np.array([scores[item] for item in items], dtype=np.float64)
    if weights is None:
        return x
    w = np.array([weights[item] for item in items], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = float(w @ x / w.sum())
        return np.asarray(ratio + w / w.mean() * (x - ratio), dtype=np.float64)


def _share_replicates(first: Figure, second: Figure) -> bool:
    """Whether replicate i of both is the same draw of the same items."""
    return (
        bool(first.replicates)
        and len(first.replicates or ()) == len(second.replicates or ())
        and first.n == second.n
        and first.settings.get("items") == second.settings.get("items")
    )


def _independent(first: Figure, second: Figure) -> Interval:
    """Interval of a difference from two intervals (MOVER: Zou and Donner 2008)."""
    gap = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(gap - down, gap + up)


def _resampled_means(values: Array, resamples: int, seed: int) -> Array:
    """Means of ``resamples`` draws with replacement, in blocks that bound the memory."""
    rng = np.random.default_rng(seed)
    block = max(1, 4_000_000 // values.size)
    means = []
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        means.append(values[rng.integers(values.size, size=(count, values.size))].mean(axis=1))
    return np.concatenate(means)


def _resampling_weights(n: int, resamples: int) -> Array:
    """Multinomial counts ``[resamples, n]``; the same for every set of ``n`` items."""
    rng = np.random.default_rng(SEED)
    weights: Array = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    return weights


def percentile_interval(replicates: Array, n: int) -> Interval:
    """Percentile interval of a bootstrap over ``n`` items, with levels widened for few of them."""
    if n < 2:
        return Interval(math.nan, math.nan)
    share = _normal_share(_widened_z(LEVEL, n))
    low, high = np.quantile(replicates, [1 - share, share])
    return Interval(float(low), float(high))


def _widened_z(level: float, n: int) -> float:
    """The normal quantile that a bootstrap of ``n`` items needs for an honest two-sided ``level``.

    Student's t with n - 1 degrees of freedom (Cornish-Fisher expansion) times sqrt(n / (n - 1)).
    """
    z = _normal_quantile(0.5 + level / 2)
    df = n - 1
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    return t * math.sqrt(n / (n - 1))


def _normal_quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _normal_share(z: float) -> float:
    return NormalDist().cdf(z)


def _method(name: str, resamples: int) -> str:
    """How an interval was made, as part of a figure's provenance."""
    return f"{name}, {LEVEL:.0%}, {resamples} resamples, seed {SEED}"
