"""Arms of an ablation: planted differences are found, absent ones are not."""

from __future__ import annotations

import numpy as np
import pytest

from workbench import Figure, WorkbenchError, mean_figure
from workbench.evaluation.arms import compare_arms, sentence

ITEMS = 80


def runs(
    rate: float, seeds: int, rng: np.random.Generator, spread: float = 0.02, items: int = ITEMS
) -> list[Figure]:
    """Word error rates of some seeds: sentences of 3 to 8 words, each word wrong by chance."""
    words = np.random.default_rng(5).integers(3, 9, size=items)
    hard = np.random.default_rng(6).normal(0, 0.1, size=items)  # common to all runs
    figures = []
    for _ in range(seeds):
        chance = np.clip(rate + rng.normal(0, spread) + hard, 0.01, 0.99)
        wrong = rng.binomial(words, chance)
        scores = {f"item{i}": float(wrong[i] / words[i]) for i in range(items)}
        weights = {f"item{i}": float(words[i]) for i in range(items)}
        figures.append(mean_figure("wer", scores, False, weights=weights))
    return figures


def test_a_planted_difference_is_found_with_its_ratio() -> None:
    rng = np.random.default_rng(0)
    found = compare_arms(runs(0.6, 3, rng), runs(0.2, 3, rng))
    assert found.better == 2
    assert found.ratio is not None
    assert found.ratio_interval is not None
    assert found.ratio_interval.low < 3.0 < found.ratio_interval.high
    assert found.difference == pytest.approx(found.second - found.first)
    words = sentence(found, "generated", "acoustic", "semantic")
    assert "semantic is clearly better" in words
    assert "80 items, 3 seeds" in words


def test_no_difference_is_seldom_found() -> None:
    rng = np.random.default_rng(1)
    verdicts = [compare_arms(runs(0.3, 3, rng), runs(0.3, 3, rng)).better for _ in range(60)]
    assert sum(verdict is not None for verdict in verdicts) <= 8


def test_seeds_that_disagree_give_no_verdict() -> None:
    rng = np.random.default_rng(2)
    first = [*runs(0.3, 2, rng, 0.0), *runs(0.2, 1, rng, 0.0)]
    second = [*runs(0.05, 2, rng, 0.0), *runs(0.3, 1, rng, 0.0)]
    assert compare_arms(first, second).better is None


def test_means_are_the_runs_own_figures() -> None:
    rng = np.random.default_rng(3)
    first, second = runs(0.4, 2, rng), runs(0.3, 2, rng)
    found = compare_arms(first, second)
    assert found.first == pytest.approx(sum(f.value for f in first) / 2)
    assert found.by_seed == tuple((a.value, b.value) for a, b in zip(first, second, strict=True))
    low, high = found.difference_interval.low, found.difference_interval.high
    assert low < found.difference < high


def test_a_rate_of_zero_has_no_ratio() -> None:
    zero = [mean_figure("wer", {"a": 0.0, "b": 0.0}, False)]
    some = [mean_figure("wer", {"a": 0.5, "b": 0.1}, False)]
    assert compare_arms(some, zero).ratio is None


def test_other_items_cannot_be_paired() -> None:
    one = [mean_figure("wer", {"a": 0.0, "b": 0.2}, False)]
    two = [mean_figure("wer", {"a": 0.5, "c": 0.1}, False)]
    with pytest.raises(WorkbenchError, match="not scored on the same items"):
        compare_arms(one, two)
