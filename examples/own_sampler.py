"""A sampler of your own, in NumPy: two loops over a schedule's noise levels, and how far they end from the solution.

    python examples/own_sampler.py --preset sd21 --nfe 4 6 8
    python examples/own_sampler.py --preset flux-dev

A schedule is nfe + 1 noise levels `schedule.lambdas`, half log-SNR; `noise.alpha` and `noise.sigma` scale signal and
noise there, `schedule.timesteps` is what a network is told. The network is called at the first nfe. The last level,
where it is not, is infinite (sigma 0) for terminals "zero" and "skip". That is all that a sampler needs; the family
(VP, flow, VE) makes no difference.

The denoiser is exact, for points of four Gaussians in the plane: the table says what the schedules do to this
problem, and nothing about images.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

import hso

Array = npt.NDArray[np.float64]
Denoiser = Callable[[Array, float, float], Array]
"""x0-prediction of points x (n, 2) = alpha x0 + sigma eps, for (x, alpha, sigma)."""

CENTRES = np.array([[-1.5, -1.0], [-0.5, 1.2], [0.8, -0.4], [1.5, 1.0]])
WIDTH = 0.15


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    noise = hso.NoiseSchedule.preset(options.preset)
    start = np.random.default_rng(options.seed).standard_normal((options.points, 2))
    solution = dpm_solver(denoise, noise, hso.schedules.uniform_lambda(noise, options.reference), start)

    print(f"{options.preset}: RMSE to {options.reference} steps over {options.points} points")
    for nfe in options.nfe:
        schedules = {
            "uniform t": hso.schedules.uniform_t(noise, nfe),
            "uniform lambda": hso.schedules.uniform_lambda(noise, nfe),
            "HSO": hso.optimize(noise, nfe),
        }
        for solver in (ddim, dpm_solver):
            errors = {name: rmse(solver(denoise, noise, s, start), solution) for name, s in schedules.items()}
            cells = "   ".join(f"{name} {error:.4f}" for name, error in errors.items())
            print(f"nfe {nfe:2d}  {solver.__name__:10}  {cells}   least: {min(errors, key=errors.__getitem__)}")


def levels(noise: hso.NoiseSchedule, schedule: hso.Schedule) -> tuple[Array, Array]:
    """alpha and sigma at the nfe + 1 levels; at an infinite lambda no noise is left."""
    finite = np.isfinite(schedule.lambdas)
    lam = schedule.lambdas[finite]
    alpha, sigma = np.ones(finite.size), np.zeros(finite.size)
    alpha[finite], sigma[finite] = noise.alpha(lam), noise.sigma(lam)
    return alpha, sigma


def ddim(denoise: Denoiser, noise: hso.NoiseSchedule, schedule: hso.Schedule, start: Array) -> Array:
    """Song et al. 2021: keeps the noise that the x0-prediction implies (for a flow model that is Euler's method)."""
    alpha, sigma = levels(noise, schedule)
    x = initial(start, alpha[0], sigma[0], noise)
    for i in range(schedule.steps):
        x0 = denoise(x, alpha[i], sigma[i])
        x = alpha[i + 1] * x0 + sigma[i + 1] / sigma[i] * (x - alpha[i] * x0)
    return x


def dpm_solver(denoise: Denoiser, noise: hso.NoiseSchedule, schedule: hso.Schedule, start: Array) -> Array:
    """DPM-Solver++ 2M (Lu et al. 2022): extrapolates x0 linearly in lambda; the step to sigma 0 is DDIM's."""
    alpha, sigma = levels(noise, schedule)
    lam = schedule.lambdas
    x = initial(start, alpha[0], sigma[0], noise)
    before = None
    for i in range(schedule.steps):
        x0 = denoise(x, alpha[i], sigma[i])
        direction = x0
        if before is not None and np.isfinite(lam[i + 1]):
            ahead = 0.5 * (lam[i + 1] - lam[i]) / (lam[i] - lam[i - 1])
            direction = x0 + ahead * (x0 - before)
        ratio = sigma[i + 1] / sigma[i]
        x = ratio * x + (alpha[i + 1] - ratio * alpha[i]) * direction
        before = x0
    return x


def initial(start: Array, alpha: float, sigma: float, noise: hso.NoiseSchedule) -> Array:
    """Pure noise at the first level; where alpha = 1 (EDM) the data's own spread is part of it."""
    spread = np.sqrt(np.mean(CENTRES**2) + WIDTH**2) if noise.family == "ve" else 0.0
    return start * np.hypot(sigma, alpha * spread)


def denoise(x: Array, alpha: float, sigma: float) -> Array:
    """E[x0 | x] for the four Gaussians. A network in its place is told the timestep; turn its answer into x0."""
    variance = alpha**2 * WIDTH**2 + sigma**2
    offset = x[:, None, :] - alpha * CENTRES
    score = -0.5 * np.sum(offset**2, axis=2) / variance
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    means = CENTRES + alpha * WIDTH**2 / variance * offset
    return np.einsum("nk,nkd->nd", weight, means)


def rmse(x: Array, other: Array) -> float:
    return float(np.sqrt(np.mean((x - other) ** 2)))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="two samplers in NumPy under three schedules, on an exact denoiser")
    parser.add_argument("--preset", choices=hso.presets.names(), metavar="NAME", default="sd21", help="(%(default)s)")
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 6, 8], help="network calls")
    parser.add_argument("--points", type=int, default=2000, help="(%(default)s)")
    parser.add_argument("--reference", type=int, default=2000, help="steps of the solution (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the initial noise (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
