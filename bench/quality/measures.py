"""How far images are from others: image by image, and as two sets of features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_BLOCK = 2048  # rows whose kernels are held at a time


def distances(images: npt.NDArray[np.float32], solution: npt.NDArray[np.float32]) -> Array:
    """Root mean square difference over the pixels of each image, (n,), for (n, height, width)."""
    if images.shape != solution.shape:
        raise ValueError(f"images must have the solution's shape {solution.shape}, got {images.shape}")
    each: Array = np.sqrt(np.mean((images.astype(np.float64) - solution) ** 2, axis=(1, 2)))
    return each


class Moments(NamedTuple):
    """Of features (n, d): their mean (d,) and a factor F of their covariance F^T F, (min(n, d), d)."""

    mean: Array
    factor: Array


def moments(x: npt.ArrayLike) -> Moments:
    """Of features (n, d), n >= 2, with the unbiased covariance."""
    features = _features("x", x)
    mean = features.mean(axis=0)
    return Moments(mean, np.linalg.qr(features - mean, mode="r") / np.sqrt(len(features) - 1.0))


def frechet_distance(x: npt.ArrayLike, y: npt.ArrayLike, *, own_moments: Moments | None = None) -> float:
    """The Frechet distance of the normal distributions with the features' means and covariances.

    |m - m'|^2 + tr S + tr S' - 2 tr (S^1/2 S' S^1/2)^1/2 of features (n, d) and (n', d), n and n' >= 2
    (Heusel et al. 2017). With any factors S = F^T F and S' = F'^T F' the last trace is the sum of the
    singular values of F F'^T. The features' own triangular factors serve: no square root is taken of a
    covariance, whose zero eigenvalues come out of rounding as 1e-16, and their roots as 1e-8. `own_moments` are
    `moments(y)`, where one `y` is compared with many `x`.
    """
    x, y = _two_sets(x, y)
    (mean, factor), (other_mean, other) = moments(x), moments(y) if own_moments is None else own_moments
    shift = mean - other_mean
    overlap = np.linalg.svd(factor @ other.T, compute_uv=False).sum()
    return max(float(shift @ shift + np.sum(factor**2) + np.sum(other**2) - 2.0 * overlap), 0.0)


def kernel_distance(
    x: npt.ArrayLike, y: npt.ArrayLike, *, paired: bool = False, own_mean: float | None = None
) -> float:
    """The unbiased kernel distance (KID, Binkowski et al. 2018), kernel (x.y/d + 1)^3; may be below 0.

    Args:
        x: Features, (n, d), n >= 2.
        y: Features, (n', d), n' >= 2.
        paired: x_i and y_i come of the same noise. They depend on each other, so that the kernels of such pairs
            are left out (Gretton et al. 2012, eq. 4); without that equal distributions come out below 0.
        own_mean: `kernel_mean(y)`, where one `y` is compared with many `x`.
    """
    x, y = _two_sets(x, y)
    if paired and len(x) != len(y):
        raise ValueError(f"x must have the {len(y)} rows of y where they are paired, got {len(x)}")
    between = _mean_kernel(x, y, leave_out_diagonal=paired)
    return kernel_mean(x) + (kernel_mean(y) if own_mean is None else own_mean) - 2.0 * between


def kernel_mean(x: npt.ArrayLike) -> float:
    """The mean kernel (x.y/d + 1)^3 of different rows of features (n, d), n >= 2."""
    features = _features("x", x)
    return _mean_kernel(features, features, leave_out_diagonal=True)


def kernel_distance_error(
    x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int, subsets: int = 10, paired: bool = False
) -> float:
    """A standard error of `kernel_distance`, from its deviation over disjoint random subsets.

    It is that of the subsets' mean, which is larger than that of the distance over all pairs: on the safe side.
    Raises ValueError for fewer than 2 subsets, and where a subset has fewer than 2 rows.
    """
    x, y = _two_sets(x, y)
    most = min(len(x), len(y)) // 2
    if not 2 <= subsets <= most:
        raise ValueError(f"subsets must be from 2 to {most}, for two rows in each, got {subsets}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    other = order if paired else rng.permutation(len(y))
    parts = zip(np.array_split(order, subsets), np.array_split(other, subsets), strict=True)
    values = [kernel_distance(x[i], y[j], paired=paired) for i, j in parts]
    return float(np.std(values, ddof=1) / np.sqrt(subsets))


def _mean_kernel(x: Array, y: Array, *, leave_out_diagonal: bool) -> float:
    """Over all pairs of rows, block by block; without those of equal index where asked to."""
    total = 0.0
    for start in range(0, len(x), _BLOCK):
        base = x[start : start + _BLOCK] @ y.T / x.shape[1] + 1.0
        total += float(np.vdot(base * base, base))  # a power takes several times as long
    pairs = len(x) * len(y)
    if leave_out_diagonal:
        total -= float(np.sum((np.einsum("ij,ij->i", x, y) / x.shape[1] + 1.0) ** 3))
        pairs -= len(x)
    return total / pairs


def _two_sets(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    one, other = _features("x", x), _features("y", y)
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"x and y must have as many features, got {one.shape[1]} and {other.shape[1]}")
    return one, other


def _features(name: str, values: npt.ArrayLike) -> Array:
    features: Any = np.asarray(values, dtype=np.float64)
    if features.ndim != 2 or features.shape[0] < 2 or features.shape[1] < 1:
        raise ValueError(f"{name} must have shape (n, d) with n >= 2 and d >= 1, got {features.shape}")
    if not np.all(np.isfinite(features)):
        raise ValueError(f"{name} must be finite")
    checked: Array = features
    return checked
