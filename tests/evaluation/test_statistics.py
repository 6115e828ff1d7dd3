import math

import numpy as np
import pytest

from workbench.api.errors import PluginError
from workbench.evaluation.statistics import (
    bootstrap_interval,
    clear_of,
    mean_figure,
    paired_difference,
    set_figure,
)


@pytest.mark.parametrize(
    ("draw", "mean", "n"),
    [
        (lambda rng, n: rng.normal(3, 2, n), 3.0, 12),
        (lambda rng, n: rng.lognormal(0, 0.7, n), math.exp(0.245), 40),
        (lambda rng, n: (rng.random(n) < 0.8).astype(float), 0.8, 40),
    ],
    ids=["normal-12", "lognormal-40", "binary-40"],
)
def test_interval_of_a_mean_covers_it_about_19_times_in_20(draw, mean, n):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        interval = bootstrap_interval(draw(rng, n), resamples=1000)
        hits += interval.low <= mean <= interval.high
    assert 0.90 <= hits / 300 <= 0.985


def test_interval_narrows_with_the_square_root_of_n():
    rng = np.random.default_rng(2)
    values = rng.normal(size=1600)
    few, many = bootstrap_interval(values[:100]), bootstrap_interval(values)
    ratio = (few.high - few.low) / (many.high - many.low)
    assert ratio == pytest.approx(4, rel=0.25)


def test_interval_is_the_same_every_time():
    values = [0.1, 0.7, 0.3, 0.9, 0.2]
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_interval_of_a_skewed_mean_reaches_further_on_the_long_side():
    values = np.random.default_rng(3).lognormal(0, 1, 50)
    interval = bootstrap_interval(values)
    assert interval.high - values.mean() > values.mean() - interval.low


def test_one_item_has_no_interval_and_equal_items_one_of_no_width():
    one = mean_figure("f", {"a": 2.0}, True)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert not clear_of(one, mean_figure("f", {"a": 1.0, "b": 1.0}, True))
    equal = mean_figure("f", {"a": 2.0, "b": 2.0}, True)
    assert (equal.low, equal.high) == (2.0, 2.0)


def test_mean_figure_names_the_item_that_is_not_finite():
    with pytest.raises(PluginError, match=r"'f'.*'bad' scored nan"):
        mean_figure("f", {"good": 1.0, "bad": math.nan}, True)
    with pytest.raises(PluginError, match="no items"):
        mean_figure("f", {}, True)


def test_interval_of_a_set_statistic_covers_its_expectation():
    """A variance ratio: biased at small n, and more so for resampled sets."""
    rng = np.random.default_rng(4)
    n = 30

    def weighted_std(values):
        def statistic(weights):
            mean = weights @ values / weights.sum()
            return math.sqrt(weights @ (values - mean) ** 2 / weights.sum())

        return statistic

    expected = np.mean([weighted_std(rng.normal(size=n))(np.ones(n)) for _ in range(2000)])
    hits = 0
    for _ in range(200):
        figure = set_figure("std", n, weighted_std(rng.normal(size=n)), False)
        hits += figure.low <= expected <= figure.high
    assert 0.90 <= hits / 200 <= 0.99


def test_set_figure_gives_the_statistic_of_the_whole_set():
    values = np.arange(10.0)
    figure = set_figure("mean", 10, lambda w: float(w @ values / w.sum()), True)
    assert figure.value == 4.5
    assert figure.low < 4.5 < figure.high
    assert figure.n == 10


def test_set_statistic_that_is_negative_is_refused():
    with pytest.raises(PluginError, match="at least 0"):
        set_figure("f", 3, lambda w: -1.0, True)


def test_paired_difference_sees_what_independent_intervals_hide():
    rng = np.random.default_rng(5)
    hard = rng.normal(0, 5, 60)  # items differ far more than systems do
    base = {f"i{k}": float(hard[k] + rng.normal(0, 0.1)) for k in range(60)}
    plus = {f"i{k}": float(hard[k] + 0.3 + rng.normal(0, 0.1)) for k in range(60)}
    one, two = mean_figure("f", plus, True), mean_figure("f", base, True)
    assert not clear_of(one, two)
    difference = paired_difference(one, two)
    assert difference.method == "paired items"
    assert difference.better == 1
    assert difference.low < 0.3 < difference.high
    assert paired_difference(two, one).better == 2


def test_lower_is_better_turns_the_verdict_round():
    low = mean_figure("f", {"a": 1.0, "b": 1.1, "c": 0.9}, False)
    high = mean_figure("f", {"a": 2.0, "b": 2.1, "c": 1.8}, False)
    assert clear_of(low, high)
    assert not clear_of(high, low)
    assert paired_difference(low, high).better == 1


def test_set_figures_over_the_same_items_are_paired_by_replicate():
    rng = np.random.default_rng(6)
    hard = rng.lognormal(0, 1, 40)
    settings = {"items": "same"}

    def figure(values, given):
        return set_figure("f", 40, lambda w: float(w @ values / w.sum()), False, settings=given)

    one, two = figure(hard, settings), figure(hard * 1.1, settings)
    paired = paired_difference(one, two)
    assert paired.method == "paired replicates"
    assert paired.better == 1
    other = paired_difference(one, figure(hard * 1.1, {"items": "others"}))
    assert other.method == "independent"
    assert other.better is None


def test_no_false_verdicts_beyond_chance():
    """Two systems of equal worth: a clear difference in about 1 of 20 comparisons."""
    rng = np.random.default_rng(7)
    verdicts = 0
    for _ in range(200):
        one = mean_figure("f", {f"i{k}": float(rng.normal()) for k in range(30)}, True)
        two = mean_figure("f", {f"i{k}": float(rng.normal()) for k in range(30)}, True)
        verdicts += paired_difference(one, two).better is not None
    assert verdicts / 200 <= 0.095


WORDS = {"a": 10.0, "b": 1.0, "c": 5.0, "d": 4.0}
RATES = {"a": 0.1, "b": 1.0, "c": 0.4, "d": 0.0}


def test_a_weighted_mean_is_a_ratio_of_sums():
    figure = mean_figure("wer", RATES, False, weights=WORDS)
    assert figure.value == pytest.approx((1 + 1 + 2 + 0) / 20)
    assert figure.low <= figure.value <= figure.high
    assert figure.per_item == RATES
    assert figure.weights == WORDS
    equal = mean_figure("wer", RATES, False, weights=dict.fromkeys(RATES, 3.0))
    plain = mean_figure("wer", RATES, False)
    assert (equal.value, equal.low, equal.high) == pytest.approx(
        (plain.value, plain.low, plain.high)
    )


def test_interval_of_a_weighted_mean_covers_it_about_19_times_in_20():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        words = rng.integers(2, 20, 40).astype(float)
        wrong = rng.binomial(words.astype(int), 0.2) / words
        names = [str(n) for n in range(40)]
        figure = mean_figure(
            "wer", dict(zip(names, wrong, strict=True)), False,
            weights=dict(zip(names, words, strict=True)),
        )  # fmt: skip
        hits += figure.low <= 0.2 <= figure.high
    assert 0.90 <= hits / 200 <= 0.99


def test_weighted_means_are_compared_by_their_own_definition():
    better = {item: rate / 2 for item, rate in RATES.items()}
    one = mean_figure("wer", RATES, False, weights=WORDS)
    two = mean_figure("wer", better, False, weights=WORDS)
    difference = paired_difference(one, two)
    assert difference.value == pytest.approx(one.value - two.value)
    assert difference.method == "paired items"


def test_weights_that_say_nothing_are_refused():
    with pytest.raises(PluginError, match="'wer': its weights must be finite and sum to more"):
        mean_figure("wer", RATES, False, weights=dict.fromkeys(RATES, 0.0))
