"""Maximum mean discrepancy: its published definition, and no bias."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel as sklearn_polynomial
from sklearn.metrics.pairwise import rbf_kernel
from workbench_metrics.features import FeatureExtractor
from workbench_metrics.kernel import (
    KernelDistance,
    discrepancy,
    gaussian_kernel,
    median_distance,
    pair_table,
    polynomial_kernel,
)

from workbench import paired_difference, set_figure


def sets(n, gap=0.0, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dim)) + gap, rng.standard_normal((n, dim))


def figure(items, encoder_class, kernel="gaussian"):
    metric = KernelDistance(FeatureExtractor(encoder_class(), "cpu"), kernel, "power")
    for item in items:
        metric.update(item)
    return metric.compute()[0]


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_it_is_the_sum_of_the_definition_over_sklearns_kernels(kernel):
    x, y = sets(20, gap=0.4)
    width = median_distance(y)
    pairs = [np.linalg.norm(y[i] - y[j]) for i in range(20) for j in range(i)]
    assert width == pytest.approx(np.median(pairs))

    def theirs(a, b):
        if kernel == "gaussian":
            return rbf_kernel(a, b, gamma=1 / (2 * width**2))
        return sklearn_polynomial(a, b, degree=3, gamma=1 / 8, coef0=1)

    xx, yy, xy = theirs(x, x), theirs(y, y), theirs(x, y)
    total = sum(
        xx[i, j] + yy[i, j] - xy[i, j] - xy[j, i] for i in range(20) for j in range(20) if i != j
    )
    ours = {"gaussian": lambda a, b: gaussian_kernel(a, b, width), "polynomial": polynomial_kernel}
    got = discrepancy(pair_table(x, y, ours[kernel]), np.ones(20))
    assert got == pytest.approx(total / (20 * 19), rel=1e-9)


def test_items_drawn_twice_make_no_pair_with_themselves():
    x, y = sets(6, gap=0.5)
    table = pair_table(x, y, polynomial_kernel)
    weights = np.array([2.0, 0, 1, 1, 1, 1])
    drawn = [0, 0, 2, 3, 4, 5]
    kept = [table[i, j] for i in drawn for j in drawn if i != j]
    assert discrepancy(table, weights) == pytest.approx(np.mean(kept))


def test_it_is_unbiased_at_any_number_of_clips():
    for n in (6, 24):
        values = []
        for seed in range(300):
            x, y = sets(n, seed=seed)
            table = pair_table(x, y, lambda a, b: gaussian_kernel(a, b, 4.0))
            values.append(discrepancy(table, np.ones(n)))
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values)) < 3 * error
        assert min(values) < 0


def test_the_truth_itself_is_at_zero_and_noise_is_further_away(pieces, encoder_class):
    zero = figure(pieces(noise=0), encoder_class)
    assert (zero.value, zero.low, zero.high) == (0, 0, 0)
    values = [figure(pieces(noise=noise), encoder_class) for noise in (0.05, 0.3, 1.0)]
    assert [v.value for v in values] == sorted(v.value for v in values)
    assert values[2].low > values[0].high
    assert not values[0].higher_is_better
    assert values[0].signed


def test_two_figures_below_zero_are_compared_by_how_they_vary(pieces, encoder_class):
    rng = np.random.default_rng(3)
    shared, one, two = rng.standard_normal((3, 40))

    def signed(values):
        return set_figure(
            "x", 40, lambda w: float(w @ values) / 40, False, signed=True, settings={"items": "i"}
        )

    first, second = signed(shared + one / 10 - 2), signed(shared + two / 10 - 2)
    gap = paired_difference(first, second)
    assert first.high < 0
    assert gap.method == "paired replicates"
    assert gap.low < 0 < gap.high
    assert gap.high - gap.low < 0.5 * (first.high - first.low)  # what they share is no uncertainty
    close, far = (figure(pieces(noise=noise), encoder_class) for noise in (0.02, 1.0))
    assert paired_difference(close, far).better == 1


def test_kernels_differ_in_scale_and_settings(pieces, encoder_class):
    items = pieces(noise=0.5)
    one, two = (figure(items, encoder_class, kernel) for kernel in ("gaussian", "polynomial"))
    assert (one.settings["kernel"], two.settings["kernel"]) == ("gaussian", "polynomial")
    assert (one.settings["scale"], two.settings["scale"]) == (100, 1)


def test_one_item_gives_no_figure(pieces, encoder_class):
    metric = KernelDistance(FeatureExtractor(encoder_class(), "cpu"), "gaussian", "power")
    metric.update(pieces(n=1)[0])
    assert metric.compute() == []
