import numpy as np
import pytest
from scipy.linalg import sqrtm
from workbench_metrics.gaussian import Gaussian, frechet_distance


def by_definition(x, y):
    """The textbook formula, through a matrix square root."""
    s1, s2 = np.cov(x.T), np.cov(y.T)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real))


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12)) @ rng.normal(size=(12, 12)) + 5
    y = rng.normal(size=(150, 12)) @ rng.normal(size=(12, 12)) + 4.5
    return x, y


def moments(x):
    return Gaussian.of_moments(len(x), x.sum(axis=0), x.T @ x)


def test_agrees_with_the_definition_by_both_routes(sets):
    x, y = sets
    expected = by_definition(x, y)
    samples = frechet_distance(Gaussian.of_samples(x), Gaussian.of_samples(y))
    assert samples == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(expected, rel=1e-9)


def test_one_dimension_by_hand():
    x, y = np.array([[0.0], [2.0]]), np.array([[10.0], [16.0]])
    # means 1 and 13, standard deviations sqrt(2) and sqrt(18)
    expected = 12**2 + (2**0.5 - 18**0.5) ** 2
    assert frechet_distance(Gaussian.of_samples(x), Gaussian.of_samples(y)) == pytest.approx(
        expected
    )


def test_fewer_items_than_dimensions_need_no_shrinkage():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 40)), rng.normal(size=(9, 40))
    one = frechet_distance(Gaussian.of_samples(x), Gaussian.of_samples(y))
    two = frechet_distance(moments(x), moments(y))
    assert one == pytest.approx(two, rel=1e-6)
    # Embedding in more dimensions by a rotation changes nothing.
    basis = np.linalg.qr(rng.normal(size=(60, 40)))[0]
    three = frechet_distance(Gaussian.of_samples(x @ basis.T), Gaussian.of_samples(y @ basis.T))
    assert one == pytest.approx(three, rel=1e-9)


def test_is_zero_for_equal_sets_and_symmetric(sets):
    x, y = Gaussian.of_samples(sets[0]), Gaussian.of_samples(sets[1])
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x))


def test_weights_count_samples_as_often_as_repeating_them(sets):
    x, y = sets
    weights = np.random.default_rng(2).multinomial(200, np.full(200, 1 / 200)).astype(float)
    repeated = Gaussian.of_samples(np.repeat(x, weights.astype(int), axis=0))
    other = Gaussian.of_samples(y)
    assert frechet_distance(Gaussian.of_samples(x, weights), other) == pytest.approx(
        frechet_distance(repeated, other), rel=1e-9
    )


def test_single_samples_are_points():
    x, y = np.array([[1.0, 2.0]]), np.array([[4.0, 6.0]])
    assert frechet_distance(Gaussian.of_samples(x), Gaussian.of_samples(y)) == pytest.approx(25)
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(25)
