"""The Gaussian mixture's closed forms against integrals, SciPy's densities, differences and samples."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

integrate = pytest.importorskip("scipy.integrate")
stats = pytest.importorskip("scipy.stats")

mixtures = importlib.import_module("mixture")
fit_mixture = importlib.import_module("fit_mixture")

COMMITTED = Path(mixtures.__file__).parent / "models" / "fashion_mnist_mixture" / "mixture.npz"
LEVELS = [(0.99, 0.14), (0.7, 0.7), (0.3, 0.95), (0.4, 0.6), (1.0, 5.0)]


def one_dimensional() -> Any:
    """A narrow, a wide and a far component on the line."""
    return mixtures.GaussianMixture(
        np.array([0.5, 0.3, 0.2]), np.array([[-1.0], [0.5], [3.0]]), np.array([[[0.05]], [[1.5]], [[0.4]]])
    )


def random_mixture(components: int, dimensions: int) -> Any:
    """Full covariances with eigenvalues that differ by an order of magnitude."""
    rng = np.random.default_rng(3)
    factors = rng.standard_normal((components, dimensions, dimensions)) * 0.6
    covariances = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(dimensions)
    weights = rng.random(components) + 0.2
    return mixtures.GaussianMixture(weights / weights.sum(), rng.standard_normal((components, dimensions)), covariances)


def density(mixture: Any, points: Any, alpha: float = 1.0, sigma: float = 0.0) -> Any:
    """The noisy density by SciPy's normal distribution."""
    total = 0.0
    for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        noisy = alpha**2 * covariance + sigma**2 * np.eye(mixture.dimensions)
        total = total + weight * stats.multivariate_normal(alpha * mean, noisy).pdf(points)
    return total


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
@pytest.mark.parametrize("x", [-2.0, 0.1, 1.7])
def test_denoiser_is_bayes_integral_on_the_line(alpha: float, sigma: float, x: float) -> None:
    """E[x0 | x] = int x0 p(x0) N(x; alpha x0, sigma^2) / int p(x0) N(x; alpha x0, sigma^2)."""
    mixture = one_dimensional()

    def joint(x0: float) -> float:
        return float(density(mixture, x0) * stats.norm.pdf(x, alpha * x0, sigma))

    options = {"points": [-1.0, 0.5, 3.0, x / alpha], "limit": 400, "epsabs": 1e-13}
    ends = (-12.0, 12.0)
    evidence = integrate.quad(joint, *ends, **options)[0]
    expected = integrate.quad(lambda x0: x0 * joint(x0), *ends, **options)[0] / evidence
    point = np.array([[x]])
    assert mixture.denoise(point, alpha, sigma)[0, 0] == pytest.approx(expected, abs=1e-8)
    assert mixture.log_density(point, alpha, sigma)[0] == pytest.approx(np.log(evidence), abs=1e-8)


@pytest.mark.parametrize(("alpha", "sigma"), [(0.7, 0.7), (0.3, 0.95)])
def test_denoiser_is_bayes_integral_in_the_plane(alpha: float, sigma: float) -> None:
    """The same on a fine grid: the trapezoidal rule is exponentially accurate for such integrands."""
    mixture = random_mixture(4, 2)
    axis = np.linspace(-16.0, 16.0, 601)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    prior = density(mixture, grid)
    for x in np.array([[0.3, -0.8], [1.5, 1.0]]):
        posterior = prior * np.exp(-0.5 * np.square(x - alpha * grid).sum(axis=1) / sigma**2)
        expected = posterior @ grid / posterior.sum()
        np.testing.assert_allclose(mixture.denoise(x[None], alpha, sigma)[0], expected, atol=1e-9)


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_density_and_score(alpha: float, sigma: float) -> None:
    """log p is SciPy's, and its central differences are the score: Tweedie's formula."""
    mixture = random_mixture(5, 4)
    x = np.random.default_rng(5).standard_normal((6, 4)) * 1.5
    np.testing.assert_allclose(
        mixture.log_density(x, alpha, sigma), np.log(density(mixture, x, alpha, sigma)), atol=1e-10
    )
    step = 1e-5
    differences = np.stack(
        [
            (mixture.log_density(x + step * e, alpha, sigma) - mixture.log_density(x - step * e, alpha, sigma))
            / (2.0 * step)
            for e in np.eye(4)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.score(x, alpha, sigma), differences, rtol=1e-6, atol=1e-7)


def test_denoiser_has_the_least_error_by_monte_carlo() -> None:
    """Its residual is uncorrelated with itself, and its error below those of nearby denoisers."""
    mixture = random_mixture(4, 3)
    rng = np.random.default_rng(9)
    alpha, sigma = 0.6, 0.8
    x0 = mixture.sample(200_000, rng)
    x = alpha * x0 + sigma * rng.standard_normal(x0.shape)
    denoised = mixture.denoise(x, alpha, sigma)
    residual = x0 - denoised
    # each mean is over 200,000 samples of deviation near 1: 5 standard errors are 0.012
    assert np.abs(residual.mean(axis=0)).max() < 0.012
    assert np.abs(residual.T @ denoised / len(x)).max() < 0.012
    error = np.square(residual).mean()
    for other in (0.95 * denoised, denoised + 0.05 * x, mixture.denoise(x, alpha, 0.9 * sigma)):
        assert np.square(x0 - other).mean() > error


def test_samples_have_the_mixtures_moments() -> None:
    """Mean and covariance of a mixture, by the law of total covariance."""
    mixture = random_mixture(4, 3)
    samples = mixture.sample(200_000, np.random.default_rng(1))
    mean = mixture.weights @ mixture.means
    spread = mixture.means - mean
    covariance = np.einsum("k,kij->ij", mixture.weights, mixture.covariances) + (mixture.weights * spread.T) @ spread
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(samples, rowvar=False), covariance, atol=0.05)


def test_ends() -> None:
    """Without noise x / alpha is all there is to know, without signal the prior's mean; far out nothing overflows."""
    mixture = random_mixture(5, 4)
    x = np.random.default_rng(5).standard_normal((6, 4))
    np.testing.assert_allclose(mixture.denoise(x, 0.8, 0.0), x / 0.8, atol=1e-12)
    prior = np.broadcast_to(mixture.weights @ mixture.means, x.shape)
    np.testing.assert_allclose(mixture.denoise(x, 0.0, 1.0), prior, atol=1e-12)
    assert np.isfinite(mixture.denoise(1e6 * x, 1.0, 1e-3)).all()
    assert np.isfinite(mixture.log_density(1e6 * x, 1.0, 1e-3)).all()


def test_image_mixture_is_the_full_space_mixture(tmp_path: Path) -> None:
    """In pixels the covariance is C^T S C, singular; the denoiser is the limit of positive definite ones."""
    latent = random_mixture(3, 2)
    axes = np.linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))[0][:2]
    mean = np.array([0.2, -0.4, 0.1, 0.0, 0.6])
    image = mixtures.ImageMixture(latent, mean, axes)
    full = mixtures.GaussianMixture(
        latent.weights, mean + latent.means @ axes, axes.T @ latent.covariances @ axes + 1e-10 * np.eye(5)
    )
    x = np.random.default_rng(5).standard_normal((6, 5))
    for alpha, sigma in LEVELS:
        np.testing.assert_allclose(image.denoise(x, alpha, sigma), full.denoise(x, alpha, sigma), atol=1e-6)
    image.save(tmp_path / "kept.npz")
    again = mixtures.ImageMixture.load(tmp_path / "kept.npz")
    np.testing.assert_allclose(again.denoise(x, 0.7, 0.7), image.denoise(x, 0.7, 0.7), atol=1e-5)
    np.testing.assert_allclose(again.components @ again.components.T, np.eye(2), atol=1e-14)
    assert again.latent.weights.sum() == pytest.approx(1.0, abs=1e-15)


def test_bad_input() -> None:
    """Named, with its value and its limit."""
    mixture = random_mixture(2, 2)
    x = np.zeros((1, 2))
    with pytest.raises(ValueError, match=r"x must have shape \(n, 2\), got \(1, 3\)"):
        mixture.denoise(np.zeros((1, 3)), 1.0, 1.0)
    for alpha, sigma in [(0.0, 0.0), (-1.0, 1.0), (1.0, float("nan"))]:
        with pytest.raises(ValueError, match="alpha and sigma must be at least 0 and not both 0, got"):
            mixture.denoise(x, alpha, sigma)
    with pytest.raises(ValueError, match=r"sigma must be above 0 for a score, got 0\.0"):
        mixture.score(x, 1.0, 0.0)
    singular = mixtures.GaussianMixture(np.ones(1), np.zeros((1, 2)), np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="covariances must be positive definite, got an eigenvalue of 0"):
        singular.denoise(x, 1.0, 1.0)
    with pytest.raises(ValueError, match="components must be at most the 1 points, got 2"):
        fit_mixture.fit(x, 2, floor=1e-3, iterations=1, tolerance=0.0, seed=0)


def test_fit_recovers_a_mixture() -> None:
    """EM never loses likelihood, ends at least as likely as the truth, and finds its components."""
    truth = mixtures.GaussianMixture(
        np.array([0.6, 0.4]),
        np.array([[-2.0, 0.0], [2.0, 1.0]]),
        np.array([[[1.0, 0.5], [0.5, 0.6]], [[0.3, -0.1], [-0.1, 0.8]]]),
    )
    points = truth.sample(20_000, np.random.default_rng(4))
    fitted, history = fit_mixture.fit(points, 2, floor=1e-6, iterations=50, tolerance=1e-9, seed=0)
    assert min(np.diff(history)) > -1e-6
    assert history[-1] > np.log(density(truth, points)).mean()
    order = np.argsort(fitted.means[:, 0])
    np.testing.assert_allclose(fitted.weights[order], truth.weights, atol=0.02)
    np.testing.assert_allclose(fitted.means[order], truth.means, atol=0.05)
    np.testing.assert_allclose(fitted.covariances[order], truth.covariances, atol=0.06)


def test_floor_keeps_covariances_positive() -> None:
    """Points on a line leave a variance of exactly the floor across it."""
    along = np.random.default_rng(4).standard_normal(200)
    points = np.stack([along, along], axis=1)
    fitted, _ = fit_mixture.fit(points, 3, floor=0.01, iterations=10, tolerance=0.0, seed=0)
    assert np.linalg.eigvalsh(fitted.covariances).min() == pytest.approx(0.01, rel=1e-6)


def test_committed_mixture() -> None:
    """About 60 full covariances in 64 orthonormal components, none below the floor that it was fitted with."""
    image = mixtures.ImageMixture.load(COMMITTED)
    assert image.latent.means.shape == (60, 64)
    assert image.components.shape == (64, 784)
    assert image.latent.weights.min() > 0.0
    np.testing.assert_allclose(image.components @ image.components.T, np.eye(64), atol=1e-12)
    assert np.linalg.eigvalsh(image.latent.covariances).min() > 0.0099
    off_diagonal = image.latent.covariances - np.eye(64) * image.latent.covariances
    assert np.abs(off_diagonal).max() > 0.1
    x = image.sample(4, np.random.default_rng(0))
    # Tweedie at the size that is sampled from
    z = (x - image.mean) @ image.components.T
    direction = np.random.default_rng(1).standard_normal(64)
    step = 1e-5 * direction
    ahead, behind = (image.latent.log_density(z + s, 0.8, 0.6) for s in (step, -step))
    np.testing.assert_allclose(
        (ahead - behind) / 2e-5, image.latent.score(z, 0.8, 0.6) @ direction, rtol=1e-5, atol=1e-5
    )
