"""A Gaussian mixture, whose denoiser, score and density at every noise level have closed forms.

With x0 ~ sum_k w_k N(mu_k, S_k) and x = alpha x0 + sigma noise, the noisy x is a mixture of
N(alpha mu_k, alpha^2 S_k + sigma^2 I) with the same weights, and E[x0 | x] is the responsibilities'
average of mu_k + alpha S_k (alpha^2 S_k + sigma^2 I)^-1 (x - alpha mu_k). All in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """`weights` (k,), `means` (k, d) and `covariances` (k, d, d), positive definite."""

    weights: Array
    means: Array
    covariances: Array

    @property
    def dimensions(self) -> int:
        """d."""
        return int(self.means.shape[1])

    @cached_property
    def _axes(self) -> tuple[Array, Array]:
        """Every covariance's eigenvalues (k, d) and eigenvectors (k, d, d), the latter in columns."""
        values, vectors = np.linalg.eigh(self.covariances)
        if values.min() <= 0.0:
            raise ValueError(f"covariances must be positive definite, got an eigenvalue of {values.min():g}")
        return values, vectors

    def log_density(self, x: Array, alpha: float, sigma: float) -> Array:
        """log p(x), (n,), of noisy points x (n, d)."""
        joint, _, _ = self._joint(x, alpha, sigma)
        density: Array = _log_sum_exp(joint)
        return density

    def denoise(self, x: Array, alpha: float, sigma: float) -> Array:
        """E[x0 | x], (n, d), for noisy points x (n, d); alpha and sigma at least 0 and not both 0."""
        values, vectors = self._axes
        joint, rotated, variances = self._joint(x, alpha, sigma)
        responsibilities = np.exp(joint - _log_sum_exp(joint)[:, None])
        gains = alpha * values / variances
        denoised: Array = responsibilities @ self.means
        for k, vector in enumerate(vectors):
            denoised += responsibilities[:, k, None] * (rotated[k] * gains[k]) @ vector.T
        return denoised

    def score(self, x: Array, alpha: float, sigma: float) -> Array:
        """The gradient of `log_density` in x, (n, d), by Tweedie's formula; sigma > 0."""
        if not sigma > 0.0:
            raise ValueError(f"sigma must be above 0 for a score, got {sigma}")
        gradient: Array = (alpha * self.denoise(x, alpha, sigma) - x) / sigma**2
        return gradient

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """`count` independent x0, (count, d)."""
        values, vectors = self._axes
        chosen = rng.choice(len(self.weights), size=count, p=self.weights)
        standard = rng.standard_normal((count, self.dimensions)) * np.sqrt(values[chosen])
        points: Array = self.means[chosen] + np.einsum("nij,nj->ni", vectors[chosen], standard)
        return points

    def _joint(self, x: Array, alpha: float, sigma: float) -> tuple[Array, Array, Array]:
        """log w_k N(x; k), (n, k), the points on each component's axes (k, n, d), the variances there (k, d)."""
        if x.ndim != 2 or x.shape[1] != self.dimensions:
            raise ValueError(f"x must have shape (n, {self.dimensions}), got {x.shape}")
        if not (alpha >= 0.0 and sigma >= 0.0 and alpha + sigma > 0.0):
            raise ValueError(f"alpha and sigma must be at least 0 and not both 0, got {alpha} and {sigma}")
        values, vectors = self._axes
        variances = alpha**2 * values + sigma**2
        rotated = np.stack([(x - alpha * mean) @ vector for mean, vector in zip(self.means, vectors, strict=True)])
        squares = np.stack([np.square(r) @ (1.0 / v) for r, v in zip(rotated, variances, strict=True)], axis=1)
        normalizers = np.log(2.0 * np.pi * variances).sum(axis=1)
        return np.log(self.weights) - 0.5 * (squares + normalizers), rotated, variances


@dataclass(frozen=True, eq=False)
class ImageMixture:
    """A mixture in the first d principal components of images: x0 = mean + components^T z, z from the mixture.

    `mean` is (pixels,), `components` (d, pixels) with orthonormal rows. Across the rows x0 does not
    vary, so that there the denoiser gives the mean: exact for noisy images, not only for their components.
    """

    latent: GaussianMixture
    mean: Array
    components: Array

    def denoise(self, x: Array, alpha: float, sigma: float) -> Array:
        """E[x0 | x], (n, pixels), for noisy flat images x (n, pixels)."""
        z = (x - alpha * self.mean) @ self.components.T
        return self.mean + self.latent.denoise(z, alpha, sigma) @ self.components

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """`count` clean flat images, (count, pixels)."""
        return self.mean + self.latent.sample(count, rng) @ self.components

    def save(self, path: Path) -> None:
        """Write float32; covariances as their lower triangles, which is all there is to them."""
        rows, columns = np.tril_indices(self.latent.dimensions)
        arrays = {
            "weights": self.latent.weights,
            "means": self.latent.means,
            "covariances": self.latent.covariances[:, rows, columns],
            "mean": self.mean,
            "components": self.components,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            savez: Any = np.savez_compressed
            savez(file, **{name: value.astype(np.float32) for name, value in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> ImageMixture:
        """Read what `save` wrote, into float64. The rounded weights and axes are made exact again."""
        with np.load(path) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
        d = arrays["means"].shape[1]
        rows, columns = np.tril_indices(d)
        covariances = np.zeros((len(arrays["means"]), d, d))
        covariances[:, rows, columns] = arrays["covariances"]
        covariances[:, columns, rows] = arrays["covariances"]
        # float32 rounding leaves the rows orthonormal to 1e-7 only; the nearest orthonormal ones are U V^T
        left, _, right = np.linalg.svd(arrays["components"], full_matrices=False)
        weights = arrays["weights"] / arrays["weights"].sum()
        return cls(GaussianMixture(weights, arrays["means"], covariances), arrays["mean"], left @ right)


def _log_sum_exp(values: Array) -> Array:
    """Over the last axis, without overflow."""
    top = values.max(axis=-1)
    total: Array = top + np.log(np.exp(values - top[..., None]).sum(axis=-1))
    return total
