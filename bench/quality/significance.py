"""What a comparison of paired numbers is worth: tests, intervals, a correction for many, rank correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]


class Comparison(NamedTuple):
    """ours - rival over pairs: the mean difference, its interval, and Wilcoxon's p-value."""

    difference: float
    low: float
    high: float
    p: float


class Correlation(NamedTuple):
    """Spearman's rho with its interval, Kendall's tau-b with its own."""

    spearman: float
    low: float
    high: float
    kendall: float
    kendall_low: float
    kendall_high: float


def compare(ours: npt.ArrayLike, rival: npt.ArrayLike, *, seed: int, resamples: int = 2000) -> Comparison:
    """Two measurements of the same things, (n,) each, n >= 2: see `Comparison`, the interval at 95 %."""
    one, other = _pairs("ours", ours, "rival", rival)
    difference = one - other
    low, high = mean_interval(difference, seed=seed, resamples=resamples)
    return Comparison(float(difference.mean()), low, high, signed_rank_p(difference))


def signed_rank_p(differences: npt.ArrayLike) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test; pairs without a difference are left out."""
    values = _vector("differences", differences)
    if not values.any():
        return 1.0
    return float(stats.wilcoxon(values[values != 0.0]).pvalue)


def mean_interval(
    values: npt.ArrayLike, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean of (n,), n >= 2."""
    sample = _vector("values", values)
    means = sample[_resampled(sample.size, seed, resamples)].mean(axis=1)
    return _interval(means, level)


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979): those below a level hold together at that level."""
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not np.all((values >= 0.0) & (values <= 1.0)):
        raise ValueError(f"p must be a list of numbers from 0 to 1, got {p!r}")
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return [float(value) for value in adjusted]


def rank_correlation(
    x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> Correlation:
    """Spearman's and Kendall's correlation of (n,) and (n,), neither constant, with percentile bootstrap intervals."""
    one, other = _pairs("x", x, "y", y)
    for name, values in (("x", one), ("y", other)):
        if np.all(values == values[0]):
            raise ValueError(f"{name} must not be constant, it has no ranks: all are {values[0]}")
    chosen = _resampled(one.size, seed, resamples)
    spearman = _spearman(one[chosen], other[chosen])
    kendall = _kendall(one, other, chosen)
    return Correlation(
        float(stats.spearmanr(one, other).statistic),
        *_interval(spearman, level),
        float(stats.kendalltau(one, other).statistic),
        *_interval(kendall, level),
    )


def _spearman(x: Array, y: Array) -> Array:
    """Of every row: Pearson's correlation of the ranks."""
    ranks = [stats.rankdata(values, axis=1) for values in (x, y)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):  # a resample of one point many times has no correlation
        rho: Array = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return rho


def _kendall(x: Array, y: Array, chosen: npt.NDArray[np.intp]) -> Array:
    """tau-b of every resample: a quadratic form in how often each point was drawn, points once compared."""
    counts = np.stack([np.bincount(row, minlength=x.size) for row in chosen]).astype(np.float64)
    one, other = (np.sign(values[:, None] - values) for values in (x, y))
    agreement, *pairs = (_form(counts, signs) for signs in (one * other, np.abs(one), np.abs(other)))
    with np.errstate(invalid="ignore"):
        tau: Array = agreement / np.sqrt(pairs[0] * pairs[1])
    return tau


def _form(counts: Array, matrix: Array) -> Array:
    """counts_r^T matrix counts_r of every row r."""
    form: Array = ((counts @ matrix) * counts).sum(axis=1)
    return form


def _resampled(size: int, seed: int, resamples: int) -> npt.NDArray[np.intp]:
    """Indices drawn with replacement, (resamples, size)."""
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    drawn: npt.NDArray[np.intp] = np.random.default_rng(seed).integers(size, size=(resamples, size), dtype=np.intp)
    return drawn


def _interval(values: Array, level: float) -> tuple[float, float]:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be above 0 and below 1, got {level}")
    low, high = np.nanquantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _pairs(name: str, values: npt.ArrayLike, other_name: str, others: npt.ArrayLike) -> tuple[Array, Array]:
    one, other = _vector(name, values), _vector(other_name, others)
    if one.size != other.size:
        raise ValueError(f"{name} and {other_name} must have as many values, got {one.size} and {other.size}")
    return one, other


def _vector(name: str, values: npt.ArrayLike) -> Array:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size < 2:
        raise ValueError(f"{name} must have shape (n,), n >= 2, got {vector.shape}")
    if not np.all(np.isfinite(vector)):
        raise ValueError(f"{name} must be finite")
    return vector
