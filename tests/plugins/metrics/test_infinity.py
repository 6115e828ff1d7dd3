"""The extrapolated Fréchet distance: as defined, and without the bias of small sets."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from workbench_metrics.features import FeatureExtractor
from workbench_metrics.frechet import ClipSums, FrechetMetric
from workbench_metrics.infinity import SEED, FrechetInfinity, extrapolated, intercept


def sums(clips):
    made = ClipSums()
    for clip in clips:
        made.add(clip, origin=np.zeros(clip.shape[1]))
    return made


def clips(n, frames=1, dim=6, gap=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((frames, dim)) + gap for _ in range(n)]


def scipy_distance(x, y):
    one, two = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(one + two - 2 * np.real(sqrtm(one @ two))))


def test_the_line_is_numpys():
    sizes, values = [10, 20, 40, 80], [5.0, 3.2, 2.1, 1.7]
    line = np.polyfit(1 / np.array(sizes), values, 1)
    assert intercept(sizes, values) == pytest.approx(line[1])
    assert intercept([10, 100], [1.0 + 3 / 10, 1.0 + 3 / 100]) == pytest.approx(1.0)


def test_it_is_the_line_through_scipys_distances_of_equal_parts():
    one, two = clips(42, frames=5, gap=0.3, seed=1), clips(42, frames=5, seed=2)
    got = extrapolated(sums(one), sums(two), np.ones(42))
    order = np.random.default_rng(SEED).permutation(42)
    sizes, means = [42, 21, 14, 10], []
    for parts, size in enumerate(sizes, start=1):
        chosen = [order[k * size : (k + 1) * size] for k in range(parts)]
        distances = [
            scipy_distance(
                np.concatenate([one[i] for i in part]), np.concatenate([two[i] for i in part])
            )
            for part in chosen
        ]
        means.append(np.mean(distances))
    line = np.polyfit(1 / np.array(sizes), means, 1)
    assert got == pytest.approx(line[1], rel=1e-6)


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_the_bias_of_few_clips_is_gone(gap):
    truth = 6 * gap**2
    plain, limit = [], []
    for seed in range(30):
        one, two = clips(48, gap=gap, seed=seed), clips(48, seed=1000 + seed)
        plain.append(scipy_distance(np.concatenate(one), np.concatenate(two)))
        limit.append(extrapolated(sums(one), sums(two), np.ones(48)))
    assert abs(np.mean(limit) - truth) < 0.2 * abs(np.mean(plain) - truth)


def test_in_a_table_it_lies_below_the_plain_distance_with_an_interval(pieces, encoder_class):
    extractor = FeatureExtractor(encoder_class(), "cpu")
    metrics = [FrechetInfinity(extractor, "power"), FrechetMetric(extractor, ["set"], "power")]
    for item in pieces(noise=0.5):
        for metric in metrics:
            metric.update(item)
    (limit,), (plain,) = (metric.compute() for metric in metrics)
    assert limit.name == "frechet-infinity"
    assert limit.n == plain.n == 12
    assert limit.low < limit.value < limit.high
    assert limit.signed
    assert not limit.higher_is_better


def test_the_truth_itself_is_at_zero(pieces, encoder_class):
    metric = FrechetInfinity(FeatureExtractor(encoder_class(), "cpu"), "power")
    for item in pieces(noise=0):
        metric.update(item)
    (figure,) = metric.compute()
    assert figure.value == pytest.approx(0, abs=1e-9)


def test_few_items_give_no_figure(pieces, encoder_class):
    metric = FrechetInfinity(FeatureExtractor(encoder_class(), "cpu"), "power")
    for item in pieces(n=3):
        metric.update(item)
    assert metric.compute() == []
