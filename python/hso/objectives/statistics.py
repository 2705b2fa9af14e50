"""What a network says of noisy data at known levels, and the schedules that follow from it.

For data x0 and y = x0 + s n at the VE sigma s, mmse(s) = E||x0 - D(y)||^2 / d of the x0-prediction D, and score = (D -
y) / s^2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from .._arrays import Array, as_array, as_vector, read_only
from ..chain import shortest_chains
from ..checks import as_integer
from ..network import FloatArray, Network, Program, initial
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ..trajectories import teacher_nodes, teacher_steps
from ._common import Counts, Terminal, as_terminal, at_lambdas, ends, schedules
from ._curves import spline_matrix
from .densities import from_density

_FINE = 2049  # points that measured curves are tabulated at
_APART = 0.1  # in lambda, of two scores that are compared: far above the rounding of 16 bits


@dataclass(frozen=True, eq=False)
class Statistics:
    """A denoiser's errors at L noise levels, which hold for any noise schedule: they depend on the VE sigma alone.

    Attributes:
        lambdas: Shape (L,), L >= 2, increasing half log-SNRs.
        mmse: Shape (L,), E||x0 - D||^2 / d, positive.
        fisher: Shape (L,), s^2 E||d score / d lambda||^2 / d at fixed y, positive: for a short step, what correcting
            its end costs (Williams et al.), over the step's square.
        evaluations: Network evaluations of single samples that were spent.
    """

    lambdas: Array
    mmse: Array
    fisher: Array
    evaluations: int = 0

    def __post_init__(self) -> None:
        for name in ("lambdas", "mmse", "fisher"):
            object.__setattr__(self, name, read_only(as_vector(name, getattr(self, name)).copy()))
        levels = self.lambdas
        if levels.size < 2 or not np.all(np.isfinite(levels)) or not np.all(np.diff(levels) > 0.0):
            raise ValueError(f"lambdas must be 2 or more finite, strictly increasing numbers, got {levels}")
        for name, values in (("mmse", self.mmse), ("fisher", self.fisher)):
            if values.shape != levels.shape or not (np.all(values > 0.0) and np.all(np.isfinite(values))):
                raise ValueError(f"{name} must be positive and finite, of shape {levels.shape}, got {values}")

    def mmse_at(self, lam: Array) -> Array:
        """mmse at `lam` (m,): its logarithm is a natural spline of lambda. ValueError outside of the levels."""
        return self._curve(self.mmse, lam)

    def fisher_at(self, lam: Array) -> Array:
        """The same for fisher."""
        return self._curve(self.fisher, lam)

    def _curve(self, values: Array, lam: Array) -> Array:
        return np.asarray(np.exp(spline_matrix(self.lambdas, self._inside(lam)) @ np.log(values)))

    def _inside(self, lam: Array) -> Array:
        low, high = float(self.lambdas[0]), float(self.lambdas[-1])
        slack = 1e-6 * (high - low)
        if np.min(lam) < low - slack or np.max(lam) > high + slack:
            raise ValueError(
                f"statistics must reach from lambda = {np.min(lam):g} to {np.max(lam):g}, got {low:g}..{high:g}: "
                "give t_min and t_max, or measure with other lambdas"
            )
        return np.clip(lam, low, high)


def measure(
    network: Network,
    *,
    data: npt.ArrayLike | None = None,
    count: int = 64,
    seed: int = 0,
    lambdas: npt.ArrayLike | None = None,
    teacher: int = 64,
) -> Statistics:
    """Statistics of a network by 2 L calls for each of `count` samples, besides those that make the data.

    Args:
        network: See `hso.network.as_network`.
        data: Samples x0, shape (m, *shape), of which `count` are drawn with replacement. None: the network's own
            samples. They take `teacher` calls each; given data take one, where sampling would start.
        count: Noisy samples, at least 1. The same noise is used at all levels.
        seed: Of noise and draws.
        lambdas: Shape (L,), L >= 2, increasing, within the noise schedule's range; None: 24, half of them even in
            lambda over the whole range and half as dense as a teacher's nodes.
        teacher: Network calls that a sample of the network's own is made with, at least 4.

    Raises:
        ValueError: an argument makes no sense, or data do not have the network's shape.
    """
    noise = network.noise
    levels = _default_levels(noise) if lambdas is None else as_vector("lambdas", lambdas)
    low, high = noise.lambda_range
    slack = 1e-9 * (high - low)
    if levels.size < 2 or not (
        np.all(np.diff(levels) > 0.0) and levels[0] >= low - slack and levels[-1] <= high + slack
    ):
        raise ValueError(f"lambdas must be 2 or more, strictly increasing within {low:g}..{high:g}, got {levels}")
    samples = None if data is None else as_array("data", data)
    if samples is not None and (samples.ndim < 2 or samples.size == 0 or not np.all(np.isfinite(samples))):
        raise ValueError(f"data must be finite, of shape (m, *shape), got shape {samples.shape}")
    # networks in pipelines begin where sampling starts, also with data given
    made = teacher_nodes(noise, teacher) if samples is None else levels[:1]
    near = levels - np.where(levels - _APART >= low, _APART, -_APART)
    before = network.evaluations
    parts = network.run(
        Program(
            lambdas=[float(lam) for lam in np.concatenate([made, np.stack([levels, near], axis=1).ravel()])],
            steps=lambda eps: _ask(noise, made, levels, near, samples, eps),
        ),
        as_integer("count", count, least=1),
        as_integer("seed", seed, least=0),
    )
    # no network is right to more than rounding
    means = np.maximum(np.concatenate(parts).mean(axis=0), np.finfo(np.float64).tiny)
    return Statistics(levels, means[: levels.size], means[levels.size :], network.evaluations - before)


def _default_levels(noise: NoiseSchedule) -> Array:
    return np.union1d(np.linspace(*noise.lambda_range, 12), teacher_nodes(noise, 14)[1:-1])


def _ask(
    noise: NoiseSchedule, made: Array, levels: Array, near: Array, samples: Array | None, eps: FloatArray
) -> Generator[FloatArray, FloatArray, Array]:
    """mmse and fisher of each sample, (n, 2 L)."""
    start = initial(noise, eps, float(made[0]))
    if samples is None:
        predictions, _ = yield from teacher_steps(noise, made, start)
        x0 = np.asarray(predictions[-1], dtype=np.float64)
    else:
        if samples.shape[1:] != eps.shape[1:]:
            raise ValueError(f"data must have shape (m, {', '.join(map(str, eps.shape[1:]))}), got {samples.shape}")
        yield start
    # independent of eps, which the network's own samples are made of, and of how the batch is cut
    streams = [np.random.default_rng(_seed(row)) for row in eps]
    if samples is not None:
        x0 = samples[[stream.integers(len(samples)) for stream in streams]]
    normal = np.stack([stream.standard_normal(eps.shape[1:]) for stream in streams])
    errors, rates = [], []
    for lam, other in zip(levels.tolist(), near.tolist(), strict=True):
        s = np.exp(-lam)
        y = x0 + s * normal
        denoised = np.asarray((yield (noise.alpha(lam) * y).astype(eps.dtype)), dtype=np.float64)
        errors.append(_mean_square(x0 - denoised))
        beside = np.asarray((yield (noise.alpha(other) * y).astype(eps.dtype)), dtype=np.float64)
        change = (denoised - y) / s**2 - (beside - y) * np.exp(2.0 * other)
        rates.append(s**2 * _mean_square(change / (lam - other)))
    return np.stack([*errors, *rates], axis=1)


def _seed(eps: FloatArray) -> int:
    return int.from_bytes(hashlib.blake2b(eps.tobytes(), digest_size=16).digest(), "little")


def _mean_square(difference: Array) -> Array:
    """Of each sample."""
    return np.asarray(np.square(difference.reshape(len(difference), -1)).mean(axis=1))


@overload
def klub(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    grid: int = ...,
) -> Schedule: ...
@overload
def klub(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: Counts,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    grid: int = ...,
) -> list[Schedule]: ...
def klub(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int | Counts,
    *,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
    grid: int = 1024,
) -> Schedule | list[Schedule]:
    """Align Your Steps (Sabour et al. 2024, 2404.14507): the least upper bound on the divergence of an SDE solver's
    paths.

    A step from the VE sigma b down to a costs the integral over s in a..b of s^-3 E||D(y_s) - D(y_b)||^2, y_b being y_s
    with more noise. For the exact denoiser D(y_b) = E[D(y_s) | y_b], so that this is mmse(b) - mmse(s): the statistics
    suffice, and the optimum over the grid is exact where the paper searches by coordinates and stops early. It proves
    in its appendix that the bound's optimum is not that of an ODE solver: many nodes at little noise.

    Args:
        statistics: Of the denoiser, by `measure`.
        noise: The model's noise schedule.
        nfe: Network calls, 1..10000 and fewer than `grid`; a list gives a list of schedules from one sweep.
        terminal: "t_min": nfe + 1 nodes, ends included. "zero": with sigma 0 in place of the last, as users of the
            published tables do; the bound is infinite for a step to sigma 0 itself.
        t_min: Of the last node; None: the lowest that `noise` has.
        t_max: Of the first; None: the highest.
        grid: Nodes to choose from, 2..10000, even in lambda.

    Raises:
        ValueError: an argument makes no sense, there are fewer nodes than calls, or the ends were not measured.
    """
    as_terminal(terminal)
    points = as_integer("grid", grid, least=2, most=10_000)
    lam = np.linspace(*ends(noise, t_min, t_max), points)
    cost = _klub_costs(statistics, lam)

    def make(counts: list[int]) -> list[Schedule]:
        if max(counts) > points - 1:
            raise ValueError(f"nfe must be below grid = {points}, got {max(counts)}")
        chains = shortest_chains(cost, max_edges=max(counts))
        nodes = [chains[count - 1].nodes[: count + (terminal == "t_min")] for count in counts]
        return [at_lambdas(noise, lam[chosen], terminal, "klub") for chosen in nodes]

    return schedules(nfe, make)


def _klub_costs(statistics: Statistics, lam: Array) -> Array:
    """cost[i, j] of the step from lam_i to lam_j > lam_i; in lambda s^-3 ds is e^(2 lambda) dlambda."""
    fine = np.union1d(np.linspace(lam[0], lam[-1], _FINE), lam)
    rate = statistics.mmse_at(fine) * np.exp(2.0 * fine)
    integral = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(fine) * (rate[1:] + rate[:-1]))])[
        np.searchsorted(fine, lam)
    ]
    weight = 0.5 * np.exp(2.0 * lam)
    cost: Array = statistics.mmse_at(lam)[:, None] * (weight - weight[:, None]) - (integral - integral[:, None])
    return cost


@overload
def entropic(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int,
    *,
    rescaled: bool = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> Schedule: ...
@overload
def entropic(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: Counts,
    *,
    rescaled: bool = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> list[Schedule]: ...
def entropic(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int | Counts,
    *,
    rescaled: bool = False,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule | list[Schedule]:
    """Equal shares of the data's entropy (Stancevic et al. 2025, 2504.13612): mmse / s^3 ds, or mmse / s^2 ds
    `rescaled`.

    For Gaussian data the first is the density that `klub` tends to for many steps, the second the tan law,
    `hso.schedules.kl_optimal`. Other arguments and errors as for `from_density`; the ends must have been measured.
    """
    lam = np.linspace(*ends(noise, t_min, t_max), _FINE)
    density = statistics.mmse_at(lam) * np.exp((1.0 if rescaled else 2.0) * lam)
    name = "entropic (rescaled)" if rescaled else "entropic"
    return from_density(noise, nfe, lam, density, terminal=terminal, t_min=t_min, t_max=t_max, name=name)


@overload
def score_optimal(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> Schedule: ...
@overload
def score_optimal(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: Counts,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> list[Schedule]: ...
def score_optimal(
    statistics: Statistics,
    noise: NoiseSchedule,
    nfe: int | Counts,
    *,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule | list[Schedule]:
    """Score-optimal schedules (Williams et al. 2024, 2412.07877): equal lengths along the path of noisy distributions.

    A step's cost is that of correcting its end, s^2 E||score - score'||^2, the square of a length for small steps; its
    sum is least where all steps are equally long. The path is taken in y = x / alpha, as for the paper's EDM models.
    Arguments and errors as for `from_density`; the ends must have been measured.
    """
    lam = np.linspace(*ends(noise, t_min, t_max), _FINE)
    density = np.sqrt(statistics.fisher_at(lam))
    return from_density(noise, nfe, lam, density, terminal=terminal, t_min=t_min, t_max=t_max, name="score_optimal")
