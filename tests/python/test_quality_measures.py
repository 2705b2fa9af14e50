"""Frechet and kernel distances against closed forms and direct sums."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

linalg = pytest.importorskip("scipy.linalg")

measures = importlib.import_module("measures")


def with_moments(mean: Any, covariance: Any, count: int, rng: Any) -> Any:
    """Features (count, d) whose sample mean and unbiased covariance are exactly these."""
    points = rng.standard_normal((count, len(mean)))
    points -= points.mean(axis=0)
    points = np.linalg.qr(points)[0] * np.sqrt(count - 1.0)  # uncorrelated, unit variance
    values, vectors = np.linalg.eigh(covariance)
    return mean + points @ (vectors * np.sqrt(np.maximum(values, 0.0))).T


def random_covariance(dimensions: int, rng: Any) -> Any:
    factor = rng.standard_normal((dimensions, dimensions))
    return factor @ factor.T + 0.1 * np.eye(dimensions)


def test_rmse_is_one_number_an_image() -> None:
    rng = np.random.default_rng(0)
    images, solution = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    expected = [np.linalg.norm(a.astype(float) - b) / np.sqrt(20) for a, b in zip(images, solution, strict=True)]
    np.testing.assert_allclose(measures.distances(images, solution), expected, rtol=1e-12)


def test_rmse_does_not_broadcast() -> None:
    with pytest.raises(ValueError, match="images must have the solution's shape"):
        measures.distances(np.zeros((3, 4, 4)), np.zeros((1, 4, 4)))


def test_frechet_distance_of_commuting_covariances() -> None:
    """|m - m'|^2 + sum (s - s')^2 for diagonal covariances s^2 and s'^2."""
    rng = np.random.default_rng(1)
    s, other = np.array([1.0, 2.0, 0.3]), np.array([0.5, 2.5, 1.0])
    m = np.array([0.2, -1.0, 3.0])
    x = with_moments(np.zeros(3), np.diag(s**2), 40, rng)
    y = with_moments(m, np.diag(other**2), 70, rng)
    assert measures.frechet_distance(x, y) == pytest.approx(m @ m + np.sum((s - other) ** 2), rel=1e-12)


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    """Against SciPy's matrix square root of S S', the formula's usual form."""
    rng = np.random.default_rng(2)
    s, other = random_covariance(6, rng), random_covariance(6, rng)
    m = rng.standard_normal(6)
    x, y = with_moments(np.zeros(6), s, 50, rng), with_moments(m, other, 30, rng)
    expected = m @ m + np.trace(s + other) - 2.0 * np.trace(linalg.sqrtm(s @ other)).real
    assert measures.frechet_distance(x, y) == pytest.approx(expected, rel=1e-10)


def test_frechet_distance_of_fewer_images_than_features() -> None:
    """Both covariances have rank 1, along unit vectors u and v: tr (S^1/2 S' S^1/2)^1/2 = s s' |u.v|."""
    u, v = np.eye(50)[0], (np.eye(50)[0] + np.eye(50)[1]) / np.sqrt(2.0)
    x, y = np.stack([3.0 * u, -3.0 * u]), np.stack([5.0 * v, -5.0 * v])  # variances 18 and 50
    assert measures.frechet_distance(x, y) == pytest.approx(18 + 50 - 2 * np.sqrt(18 * 50 / 2), rel=1e-12)


def test_frechet_distance_of_a_set_to_itself_is_rounding() -> None:
    """Rank 15 in 64 dimensions, far from the origin; a root of a rounded covariance leaves 1e-6 here."""
    x = np.random.default_rng(3).standard_normal((16, 64)) + 10.0
    assert measures.frechet_distance(x, x[::-1]) < 1e-11


def test_features_that_never_vary_count_by_their_means() -> None:
    x = np.hstack([np.random.default_rng(4).standard_normal((30, 2)), np.zeros((30, 1))])
    assert measures.frechet_distance(x, x + np.array([0.0, 0.0, 2.0])) == pytest.approx(4.0, rel=1e-12)


def direct_kernel_distance(x: Any, y: Any, *, paired: bool = False) -> float:
    def kernel(a: Any, b: Any) -> float:
        return float((a @ b / len(a) + 1.0) ** 3)

    def mean(one: Any, other: Any, leave_out: bool) -> float:
        values = [kernel(a, b) for i, a in enumerate(one) for j, b in enumerate(other) if not (leave_out and i == j)]
        return sum(values) / len(values)

    return mean(x, x, True) + mean(y, y, True) - 2.0 * mean(x, y, paired)


@pytest.mark.parametrize("block", [4, 5, 2048])
@pytest.mark.parametrize("paired", [False, True])
def test_kernel_distance_is_the_sum_over_pairs(monkeypatch: pytest.MonkeyPatch, block: int, paired: bool) -> None:
    monkeypatch.setattr(measures, "_BLOCK", block)
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((11, 3)), rng.standard_normal((11 if paired else 7, 3)) + 0.3
    expected = direct_kernel_distance(x, y, paired=paired)
    assert measures.kernel_distance(x, y, paired=paired) == pytest.approx(expected, rel=1e-12)
    known = measures.kernel_mean(y)
    assert measures.kernel_distance(x, y, paired=paired, own_mean=known) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_is_unbiased() -> None:
    """Its mean over many draws of one distribution is 0 within its error; the biased one is far from it."""
    rng = np.random.default_rng(6)
    values = [measures.kernel_distance(*rng.standard_normal((2, 12, 4))) for _ in range(3000)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3.0 * error
    # the kernel of a point with itself is (|x|^2/4 + 1)^3, about 12 here, once in 12 pairs
    assert error < 0.05


def test_kernel_distance_of_shifted_points() -> None:
    """d = 1, x around a, y around b, both of variance v: closed form of E k for Gaussian x and y."""
    rng = np.random.default_rng(7)
    a, b, v = 0.2, 0.5, 0.3

    def expected_kernel(p: float, q: float) -> float:
        """E (x y + 1)^3 for independent x and y of means p and q."""
        first = (p, q)
        second = (p**2 + v, q**2 + v)
        third = (p**3 + 3 * p * v, q**3 + 3 * q * v)
        return 1 + 3 * np.prod(first) + 3 * np.prod(second) + np.prod(third)

    expected = expected_kernel(a, a) + expected_kernel(b, b) - 2 * expected_kernel(a, b)
    draws = [rng.standard_normal((2, 200, 1)) * np.sqrt(v) + np.array([[[a]], [[b]]]) for _ in range(200)]
    values = [measures.kernel_distance(x, y) for x, y in draws]
    assert abs(np.mean(values) - expected) < 3.0 * np.std(values) / np.sqrt(200)
    assert expected > 20 * np.std(values) / np.sqrt(200)


def test_pairs_of_one_noise_are_left_out() -> None:
    """Equal sets are at distance 0 then; with all pairs they come out below."""
    x = np.random.default_rng(8).standard_normal((20, 4))
    assert measures.kernel_distance(x, x, paired=True) == pytest.approx(0.0, abs=1e-12)
    assert measures.kernel_distance(x, x) < -0.1


def test_kernel_distance_error_covers_what_is_seen() -> None:
    """Against the deviation over independent draws, where the distance is far from 0."""
    rng = np.random.default_rng(9)
    draws = [(rng.standard_normal((120, 3)), rng.standard_normal((120, 3)) + 0.7) for _ in range(60)]
    seen = np.std([measures.kernel_distance(x, y) for x, y in draws])
    errors = [measures.kernel_distance_error(x, y, seed=i, subsets=6) for i, (x, y) in enumerate(draws)]
    assert 0.8 * seen < np.mean(errors) < 1.6 * seen


def test_kernel_distance_error_is_a_function_of_its_seed() -> None:
    x, y = np.random.default_rng(10).standard_normal((2, 40, 3))
    first = measures.kernel_distance_error(x, y, seed=1)
    assert first == measures.kernel_distance_error(x, y, seed=1)
    assert first != measures.kernel_distance_error(x, y, seed=2)
    assert measures.kernel_distance_error(x, x, seed=1, paired=True) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), "as many features, got 3 and 4"),
        (np.zeros((1, 3)), np.zeros((5, 3)), r"x must have shape \(n, d\) with n >= 2 and d >= 1, got \(1, 3\)"),
        (np.zeros((5, 3)), np.zeros(5), r"y must have shape .* got \(5,\)"),
        (np.zeros((5, 3)), np.full((5, 3), np.nan), "y must be finite"),
    ],
)
def test_features_that_make_no_sense(x: Any, y: Any, message: str) -> None:
    for distance in (measures.frechet_distance, measures.kernel_distance):
        with pytest.raises(ValueError, match=message):
            distance(x, y)


def test_pairs_and_subsets_that_do_not_fit() -> None:
    x, y = np.zeros((8, 2)), np.zeros((6, 2))
    with pytest.raises(ValueError, match="x must have the 6 rows of y where they are paired, got 8"):
        measures.kernel_distance(x, y, paired=True)
    with pytest.raises(ValueError, match="subsets must be from 2 to 3, for two rows in each, got 4"):
        measures.kernel_distance_error(x, y, seed=0, subsets=4)
