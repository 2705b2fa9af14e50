"""Schedules from the data's power spectrum alone: what a solver makes of Gaussian data, exactly.

For data N(mu, C) and its exact denoiser every solver that is linear in the network's predictions acts on each of C's
eigenvectors by itself: noise eps comes out as gain * eps, where the ODE's solution has the data's standard deviation.
Benita, Elad and Keshet 2025 (2502.00180) place nodes by the distance between the two distributions.

In y = x / alpha with VE sigma s, and theta = arctan(s / c) for a standard deviation c, a step of DDIM shrinks a
direction by cos(theta - theta') against the ODE's solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from .._arrays import Array, as_array, as_vector
from ..chain import shortest_chains
from ..checks import as_integer, one_of
from ..network import initial
from ..noise_schedule import NoiseSchedule, core_noise
from ..schedule import Schedule
from ._common import Counts, Terminal, as_terminal, at_lambdas, ends, schedules
from ._newton import minimize

LinearSolver: TypeAlias = Literal["ddim", "dpm-solver++"]
Distance: TypeAlias = Literal["w2", "kl"]

_FEW_STEPS = 15  # below it the last step of DPM-Solver++ is of order 1, as in diffusers
_LEAST = 0.25  # of a gap stays: 2M would else let nodes merge, whose predictions' difference says nothing in practice
_NEAR = 1e-6  # of the range: where the search starts that begins at its end


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Variances (k,), how many directions have each, and the mean's energy along these directions."""

    variances: Array
    multiplicity: Array
    mean_energy: Array


def _spectrum(
    eigenvalues: npt.ArrayLike, multiplicity: npt.ArrayLike | None, mean_energy: npt.ArrayLike = 0.0
) -> _Spectrum:
    variances = as_vector("eigenvalues", eigenvalues)
    if not (np.all(variances >= 0.0) and np.all(np.isfinite(variances)) and np.any(variances > 0.0)):
        raise ValueError(f"eigenvalues must be finite and at least 0, one above 0, got {variances}")
    counts = np.ones_like(variances) if multiplicity is None else as_vector("multiplicity", multiplicity)
    if counts.shape != variances.shape or not (np.all(counts > 0.0) and np.all(np.isfinite(counts))):
        raise ValueError(f"multiplicity must be positive and finite, of shape {variances.shape}, got {counts}")
    energy = as_array("mean_energy", mean_energy)
    if energy.shape not in ((), variances.shape) or not (np.all(energy >= 0.0) and np.all(np.isfinite(energy))):
        raise ValueError(f"mean_energy must be at least 0, a number or of shape {variances.shape}, got {energy}")
    if energy.ndim == 0:
        energy = energy * counts / counts.sum()
    return _Spectrum(variances, counts, energy)


def _shrink(sigmas: Array, variances: Array, solver: LinearSolver) -> Array:
    """What a solver makes of y = x / alpha = 1 between VE sigmas (b, steps+1), a schedule in each row: (b, k)."""
    s = sigmas[:, :, None]
    keeps = variances / (variances + s[:, :-1] ** 2)  # D = keeps * y
    steps = s.shape[1] - 1
    y = np.ones((s.shape[0], variances.size))
    previous = y
    for i in range(steps):
        direction = prediction = keeps[:, i] * y
        first_order = i == 0 or (i == steps - 1 and (steps < _FEW_STEPS or not np.all(s[:, i + 1])))
        if solver == "dpm-solver++" and not first_order:
            # the midpoint's prediction on the line through the last two, in lambda
            weight = 0.5 * np.log(s[:, i] / s[:, i + 1]) / np.log(s[:, i - 1] / s[:, i])
            direction = prediction + weight * (prediction - previous)
        ratio = s[:, i + 1] / s[:, i]
        y = ratio * y + (1.0 - ratio) * direction
        previous = prediction
    return y


def _start(noise: NoiseSchedule, lam: float) -> float:
    """y that sampling starts from at `lam` for eps = 1."""
    return float(initial(noise, np.ones(1), lam)[0]) / noise.alpha(lam)


def transfer(
    noise: NoiseSchedule, schedule: Schedule, eigenvalues: npt.ArrayLike, solver: LinearSolver = "ddim"
) -> Array:
    """The gain from noise to sample in every eigenvector of the data's covariance, shape of `eigenvalues` (k,).

    Noise eps ~ N(0, I) comes out of `solver` as x = gain * eps, but for the mean's share, at the schedule's last node.
    "ddim" is Euler's method for flow models; "dpm-solver++" is 2M, whose last step is of order 1 below 15 steps and to
    sigma 0. The schedule's own gain is included. ValueError for a schedule of another noise schedule.
    """
    variances = _spectrum(eigenvalues, None).variances
    one_of("solver", solver, ("ddim", "dpm-solver++"))
    _check_fingerprint(noise, schedule)
    gains = _shrink(np.exp(-schedule.lambdas)[None], variances, solver)[0]
    alpha = 1.0 if schedule.terminal == "zero" else noise.alpha(float(schedule.lambdas[-1]))
    return np.asarray(schedule.gain * alpha * _start(noise, float(schedule.lambdas[0])) * gains)


def _check_fingerprint(noise: NoiseSchedule, schedule: Schedule) -> None:
    core_noise(noise)
    if schedule.noise_fingerprint != noise.fingerprint:
        raise ValueError(
            f"schedule must be of the noise schedule {noise.fingerprint}, got one of {schedule.noise_fingerprint}"
        )
    if schedule.terminal == "skip":
        raise ValueError("schedule must have the terminal 'zero' or 't_min', got 'skip'")


def predicted_gain(
    noise: NoiseSchedule,
    schedule: Schedule,
    eigenvalues: npt.ArrayLike,
    *,
    multiplicity: npt.ArrayLike | None = None,
    solver: LinearSolver = "ddim",
    minimize: Literal["w2", "rmse"] = "w2",
) -> float:
    """The factor on the initial noise that undoes a schedule's shrinkage of Gaussian data: see `Schedule.with_gain`.

    Args:
        noise: The schedule's noise schedule.
        schedule: With terminal "zero" or "t_min"; its own gain is not counted.
        eigenvalues: Shape (k,), of the data's covariance; see `power_spectrum`.
        multiplicity: Shape (k,), how many directions have each; None: one.
        solver: "ddim" or "dpm-solver++" (2M).
        minimize: "w2": the Wasserstein-2 distance of the samples' distribution to the data's (at the last node's
            noise). "rmse": the distance of samples to the ODE's exact solutions from the same noise.

    Raises:
        ValueError: an argument makes no sense, or nothing of the noise comes through.
    """
    one_of("minimize", minimize, ("w2", "rmse"))
    spectrum = _spectrum(eigenvalues, multiplicity)
    gains = transfer(noise, schedule.with_gain(1.0), spectrum.variances, solver)
    zero = schedule.terminal == "zero"
    last = float(schedule.lambdas[-1])
    alpha, sigma = (1.0, 0.0) if zero else (noise.alpha(last), noise.sigma(last))
    targets = np.sqrt(alpha**2 * spectrum.variances + sigma**2)
    if minimize == "w2":
        gains = np.abs(gains)
    else:
        # the ODE keeps y / sqrt(c^2 + s^2)
        first = float(schedule.lambdas[0])
        targets = targets * _start(noise, first) / np.hypot(np.sqrt(spectrum.variances), np.exp(-first))
    power = float(np.sum(spectrum.multiplicity * gains**2))
    gain = float(np.sum(spectrum.multiplicity * gains * targets)) / power if power > 0.0 else 0.0
    if not gain > 0.0:
        raise ValueError(f"schedule must let some of the noise through, got gains {gains}")
    return gain


def power_spectrum(samples: npt.ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues of samples' covariance and their multiplicities, (k,) each, from the largest variance down.

    Flat samples (n, d): of the covariance itself, each once. Images (n, h, w) or (n, c, h, w): the power of their
    Fourier coefficients, averaged over samples, channels and all frequencies whose radius rounds to the same number of
    cycles over the longer side, as for data whose statistics are the same everywhere and in all directions. Samples are
    centered by their mean. ValueError for fewer than 2 samples or another shape.
    """
    data = as_array("samples", samples)
    if data.ndim not in (2, 3, 4) or data.shape[0] < 2 or data.size == 0:
        raise ValueError(f"samples must have shape (n, d), (n, h, w) or (n, c, h, w), n at least 2, got {data.shape}")
    if not np.all(np.isfinite(data)):
        raise ValueError("samples must be finite")
    centered = data - data.mean(axis=0)
    freedom = data.shape[0] - 1
    if data.ndim == 2:
        variances = np.linalg.svd(centered, compute_uv=False) ** 2 / freedom
        return variances, np.ones_like(variances)
    height, width = data.shape[-2:]
    power = np.abs(np.fft.fft2(centered, norm="ortho")) ** 2
    power = power.sum(axis=0).reshape(-1, height, width) / freedom
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * max(height, width)
    ring = np.broadcast_to(np.rint(radius).astype(np.int64), power.shape).ravel()
    counts = np.bincount(ring)
    sums = np.bincount(ring, weights=power.ravel())
    variances, multiplicity = sums[counts > 0] / counts[counts > 0], counts[counts > 0].astype(np.float64)
    order = np.argsort(-variances, kind="stable")
    return variances[order], multiplicity[order]


@overload
def spectral(
    noise: NoiseSchedule,
    nfe: int,
    eigenvalues: npt.ArrayLike,
    *,
    multiplicity: npt.ArrayLike | None = ...,
    mean_energy: npt.ArrayLike = ...,
    solver: LinearSolver = ...,
    distance: Distance = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    grid: int = ...,
) -> Schedule: ...
@overload
def spectral(
    noise: NoiseSchedule,
    nfe: Counts,
    eigenvalues: npt.ArrayLike,
    *,
    multiplicity: npt.ArrayLike | None = ...,
    mean_energy: npt.ArrayLike = ...,
    solver: LinearSolver = ...,
    distance: Distance = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    grid: int = ...,
) -> list[Schedule]: ...
def spectral(
    noise: NoiseSchedule,
    nfe: int | Counts,
    eigenvalues: npt.ArrayLike,
    *,
    multiplicity: npt.ArrayLike | None = None,
    mean_energy: npt.ArrayLike = 0.0,
    solver: LinearSolver = "ddim",
    distance: Distance = "w2",
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
    grid: int = 256,
) -> Schedule | list[Schedule]:
    """The schedule whose samples of Gaussian data are nearest to the data (Benita, Elad and Keshet 2025, 2502.00180).

    The search starts from the cheapest chain of DDIM's shrinkages -log cos(theta - theta') on a grid and follows the
    exact distance downhill from there, without closing a gap by more than three quarters: a local optimum.

    Samples are all that the distance is of: for 2M it is met by errors that cancel, and each sample ends farther from
    the ODE's solution than by DDIM's schedule, which serves 2M well, too.

    Args:
        noise: The model's noise schedule.
        nfe: Network calls, 1..10000; a list gives a list of schedules.
        eigenvalues: Shape (k,), of the data's covariance, at least 0; see `power_spectrum`.
        multiplicity: Shape (k,), how many directions have each; None: one.
        mean_energy: Squared length of the data's mean along each eigenvalue's directions, shape (k,), or in all, spread
            evenly over them.
        solver: "ddim" or "dpm-solver++" (2M).
        distance: "w2": the Wasserstein-2 distance. "kl": the Kullback-Leibler divergence of the data from the samples,
            eigenvalues above 0.
        terminal: "zero": `nfe` nodes and sigma 0; only the first is fixed. "t_min": nfe + 1 nodes, both ends fixed, and
            the distance is to noisy data there.
        t_min: The lowest t of a node; None: the lowest that `noise` has.
        t_max: The first node's t; None: the highest.
        grid: Nodes that the chain is chosen from, at least 2.

    Raises:
        ValueError: an argument makes no sense, or the grid has too few nodes.
    """
    spectrum = _spectrum(eigenvalues, multiplicity, mean_energy)
    one_of("solver", solver, ("ddim", "dpm-solver++"))
    one_of("distance", distance, ("w2", "kl"))
    if distance == "kl" and not np.all(spectrum.variances > 0.0):
        raise ValueError(f"eigenvalues must be above 0 for distance 'kl', got {spectrum.variances}")
    zero = as_terminal(terminal) == "zero"
    first, last = ends(noise, t_min, t_max)
    lam = _grid(spectrum, first, last, as_integer("grid", grid, least=2, most=10_000))
    cost = _shrinkage_costs(spectrum, lam, zero, distance)
    start = _start(noise, first)
    # in y all directions' variances at the last node are the data's and its noise's
    noisy = spectrum.variances if zero else spectrum.variances + np.exp(-2.0 * last)

    def objective(nodes: Array) -> Array:
        sigmas = np.exp(-nodes)
        if zero:
            sigmas = np.concatenate([sigmas, np.zeros((len(sigmas), 1))], axis=1)
        shrink = _shrink(sigmas, spectrum.variances, solver)
        return _distances(spectrum, noisy, start * shrink, shrink, distance)

    def make(counts: list[int]) -> list[Schedule]:
        if max(counts) > len(cost) - 1:
            raise ValueError(f"nfe must be at most {len(cost) - 1} with grid = {lam.size}, got {max(counts)}")
        chains = shortest_chains(cost, max_edges=max(counts))
        made = []
        for count in counts:
            nodes = lam[chains[count - 1].nodes[: count + (not zero)]]
            nodes = _downhill(objective, nodes, last, zero)
            made.append(at_lambdas(noise, nodes, terminal, "spectral"))
        return made

    return schedules(nfe, make)


def _downhill(objective: Callable[[Array], Array], nodes: Array, last: float, zero: bool) -> Array:
    """A local minimum near `nodes`, with the first fixed, and the last too unless `zero`, where it may rise to `last`.

    The variables are log-ratios of gaps, what is left up to `last` included; each is in excess of _LEAST of itself.
    """
    total, gaps = last - nodes[0], np.diff(nodes)
    least = _LEAST * gaps
    if zero:
        gaps = np.append(gaps, max(last - nodes[-1], _NEAR * total))
        least = np.append(least, 0.0)

    def at(variables: Array) -> Array:
        ratios = np.concatenate([variables, np.zeros((len(variables), 1))], axis=1)
        shares = np.exp(ratios - ratios.max(axis=1, keepdims=True))
        opened = least + (total - least.sum()) * shares / shares.sum(axis=1, keepdims=True)
        moved = nodes[0] + np.cumsum(opened[:, : nodes.size - 1], axis=1)
        return np.concatenate([np.full((len(moved), 1), nodes[0]), moved], axis=1)

    start = np.log((gaps - least)[:-1] / (gaps - least)[-1])
    return at(minimize(lambda variables: objective(at(variables)), start)[None])[0] if start.size else nodes


def _grid(spectrum: _Spectrum, first: float, last: float, count: int) -> Array:
    """Lambdas from first to last, evenly in the spectrum's mean theta but for a tenth that is even in lambda."""
    lam = np.linspace(first, last, 4097)
    std = np.sqrt(spectrum.variances[spectrum.variances > 0.0])
    share = (spectrum.multiplicity * spectrum.variances)[spectrum.variances > 0.0]
    theta = np.zeros_like(lam)
    for c, weight in zip(std, share / share.sum(), strict=True):
        theta -= weight * np.arctan2(np.exp(-lam), c)
    theta = 0.9 * (theta - theta[0]) / (theta[-1] - theta[0]) + 0.1 * (lam - first) / (last - first)
    return np.interp(np.linspace(0.0, theta[-1], count), theta, lam)


def _shrinkage_costs(spectrum: _Spectrum, lam: Array, zero: bool, distance: Distance) -> Array:
    """-log cos(theta_i - theta_j), summed over directions: by variance for "w2", evenly for "kl"."""
    s = np.append(np.exp(-lam), 0.0) if zero else np.exp(-lam)
    weights = spectrum.multiplicity * (spectrum.variances if distance == "w2" else 1.0)
    cost = np.zeros((s.size, s.size))
    for variance, weight in zip(spectrum.variances, weights, strict=True):
        if variance > 0.0:
            theta = np.arctan2(s, np.sqrt(variance))
            # of angles below pi/2, whose cosine rounding may not take to 0
            cost -= weight * np.log(np.maximum(np.cos(theta[:, None] - theta), np.finfo(np.float64).tiny))
    return cost


def _distances(spectrum: _Spectrum, variances: Array, gains: Array, shrink: Array, distance: Distance) -> Array:
    """Squared Wasserstein-2 distance or divergence of the data from samples of gains (b, k): (b,).

    The mean is missed by `shrink` times itself, since sampling starts from noise of mean 0.
    """
    missed = spectrum.mean_energy * shrink**2
    if distance == "w2":
        return np.asarray(np.sum(spectrum.multiplicity * (np.abs(gains) - np.sqrt(variances)) ** 2 + missed, axis=1))
    ratio = variances / gains**2
    divergence = spectrum.multiplicity * (ratio - 1.0 - np.log(ratio)) + missed / gains**2
    return np.asarray(0.5 * np.sum(divergence, axis=1))
