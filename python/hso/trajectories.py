"""Teacher trajectories: a model followed in many small steps, and what its network said on the way."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from ._arrays import Array
from .checks import as_integer
from .network import FloatArray
from .noise_schedule import NoiseSchedule

ORDER = 3
"""Of the teacher's exponential Adams-Bashforth method."""

_LEAST_SIGMA = 0.01  # VE sigma below which x0-predictions are taken to be final
_FLOOR = 0.15  # share of the nodes that is spread evenly in lambda, whatever the density says
_FAR = 50.0  # VE sigma above which images drown and predictions hardly change


@dataclass(frozen=True, eq=False)
class Trajectories:
    """n samples followed over M noise levels, as flat vectors of d numbers.

    Attributes:
        noise: The model's noise schedule.
        lambdas: Shape (M,), increasing half log-SNR, from the most noise to where predictions are final.
        eps: Shape (n, d), the standard normal noise that each started from.
        x0: Shape (M, n, d), the network's x0-predictions D(y, lambda).
        states: Shape (M, n, d), the states y = x / alpha that they were made at. At sigma 0, y is x0[-1].
    """

    noise: NoiseSchedule
    lambdas: Array
    eps: FloatArray
    x0: FloatArray
    states: FloatArray


def teacher_nodes(noise: NoiseSchedule, count: int) -> Array:
    """`count` >= 4 half log-SNRs, shape (count,), where a teacher calls the network.

    Their density is that of MEP's optimum at p = 2, sigma (1 + 3 alpha^2)^(1/3) with alpha and sigma of the
    variance-preserving model of the same SNR, which serves all families, since the ODE in y = x / alpha knows the VE
    sigma alone; thinned out where the VE sigma is above 50, with a share spread evenly.
    """
    count = as_integer("nodes", count, least=4, most=10_000)
    low, high = noise.lambda_range
    lam = np.linspace(low, min(high, -math.log(_LEAST_SIGMA)), 4096)
    ve_sigma = np.exp(-lam)
    alpha = 1.0 / np.hypot(1.0, ve_sigma)
    density = ve_sigma * alpha * np.cbrt(1.0 + 3.0 * alpha**2) / (1.0 + ve_sigma / _FAR)
    density = (1.0 - _FLOOR) * density / density.mean() + _FLOOR
    share = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    nodes: Array = np.interp(np.linspace(0.0, share[-1], count), share, lam)
    return nodes


def step(h: float, places: Array, predictions: list[FloatArray], state: FloatArray) -> FloatArray:
    """The exponential integrator's state at lambda + h, from the `state` y at lambda.

    y' = e^-h y + the integral of e^-(h-u) D(u) over u in 0..h, with D the polynomial through `predictions` at
    `places` (lambda of each, less that of the state): Lu et al. 2022 (2211.01095) in y = x / alpha.
    """
    points, weights = np.polynomial.legendre.leggauss(8)
    u = 0.5 * h * (points + 1.0)
    decays = 0.5 * h * weights * np.exp(-(h - u))
    moments = [float(np.sum(decays * u**k)) for k in range(len(places))]
    factors = np.linalg.solve(np.vander(places, increasing=True).T, moments)
    total = math.exp(-h) * state
    for factor, prediction in zip(factors, predictions, strict=True):
        total = total + factor * prediction
    return total


def teacher_steps(
    noise: NoiseSchedule, lambdas: Array, start: FloatArray
) -> Generator[FloatArray, FloatArray, tuple[list[FloatArray], list[FloatArray]]]:
    """Asks the network at `lambdas` along the trajectory from x = `start`; gives predictions and states."""
    alphas = np.asarray(noise.alpha(lambdas))
    states, predictions = [start / float(alphas[0])], []
    for i, alpha in enumerate(alphas):
        predictions.append((yield (alpha * states[-1]).astype(start.dtype, copy=False)))
        if i + 1 < len(lambdas):
            last = slice(max(0, i + 1 - ORDER), i + 1)
            h = float(lambdas[i + 1] - lambdas[i])
            states.append(step(h, lambdas[last] - lambdas[i], predictions[last], states[-1]))
    return predictions, states
