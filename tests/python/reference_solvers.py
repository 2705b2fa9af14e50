"""Samplers in float64 NumPy, written from their papers: what diffusers' schedulers are held against.

Every solver takes N+1 noise levels and an x0-predictor, and calls the predictor N times. A noise
level is given by the pair (alpha, sigma) of x_t = alpha x0 + sigma eps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# (x, index of the node) -> prediction of x0
Predictor = Callable[[Array, int], Array]


@dataclass(frozen=True)
class Levels:
    """N+1 noise levels, descending; the last sigma may be 0."""

    alpha: Array
    sigma: Array

    @property
    def steps(self) -> int:
        return len(self.alpha) - 1

    def lam(self, i: int) -> float:
        """log(alpha/sigma), infinite at sigma 0."""
        return math.inf if self.sigma[i] == 0.0 else math.log(self.alpha[i] / self.sigma[i])


def vp_levels(ve_sigmas: Array) -> Levels:
    """Variance preserving: alpha = 1/sqrt(1 + s^2), sigma = s alpha, for s = sigma/alpha."""
    alpha = 1.0 / np.hypot(1.0, ve_sigmas)
    return Levels(alpha, ve_sigmas * alpha)


def flow_levels(sigmas: Array) -> Levels:
    """Rectified flow: alpha = 1 - s, sigma = s."""
    return Levels(1.0 - sigmas, np.asarray(sigmas, dtype=np.float64))


def ve_levels(sigmas: Array) -> Levels:
    """Variance exploding: alpha = 1."""
    return Levels(np.ones_like(sigmas), np.asarray(sigmas, dtype=np.float64))


@dataclass(frozen=True)
class Gaussian:
    """x0 ~ N(mean, variance) in every pixel; its denoiser is exact at any noise level."""

    mean: Array
    variance: Array

    def x0(self, x: Array, alpha: float, sigma: float) -> Array:
        """E[x0 | x_t = x] (linear regression of jointly normal variables)."""
        gain = alpha * self.variance / (alpha**2 * self.variance + sigma**2)
        return self.mean + gain * (x - alpha * self.mean)

    def predictor(self, levels: Levels) -> Predictor:
        return lambda x, i: self.x0(x, float(levels.alpha[i]), float(levels.sigma[i]))

    def denoise(self, y: Array, sigma: float) -> Array:
        """D(y; sigma) in variance-exploding variables."""
        return self.x0(y, 1.0, sigma)

    def solution(self, levels: Levels, x: Array) -> Array:
        """Where the ODE carries x from the first level to the last: (x - alpha M)/std is constant."""
        alpha, sigma = levels.alpha, levels.sigma
        first = np.sqrt(alpha[0] ** 2 * self.variance + sigma[0] ** 2)
        last = np.sqrt(alpha[-1] ** 2 * self.variance + sigma[-1] ** 2)
        return alpha[-1] * self.mean + last / first * (x - alpha[0] * self.mean)


def ddim(levels: Levels, predict: Predictor, x: Array) -> Array:
    """Song, Meng, Ermon 2021, eq. 12 with eta = 0; for flow levels this is Euler's method."""
    for i in range(levels.steps):
        x0 = predict(x, i)
        noise = (x - levels.alpha[i] * x0) / levels.sigma[i]
        x = levels.alpha[i + 1] * x0 + levels.sigma[i + 1] * noise
    return x


def dpm_solver_pp(levels: Levels, predict: Predictor, x: Array, *, order: int, first_order_end: bool) -> Array:
    """DPM-Solver++(2M), Lu et al. 2022 (2211.01095), Algorithm 2; order 1 is its first step.

    ``first_order_end``: the last step uses the newest output alone (diffusers: below 15 steps, and
    whenever it goes to sigma 0, where h is infinite).
    """
    outputs: list[Array] = []
    for i in range(levels.steps):
        outputs.append(predict(x, i))
        h = levels.lam(i + 1) - levels.lam(i)
        direction = outputs[-1]
        last = i == levels.steps - 1
        if order == 2 and i > 0 and not (last and first_order_end):
            r = (levels.lam(i) - levels.lam(i - 1)) / h
            direction = (1.0 + 0.5 / r) * outputs[-1] - 0.5 / r * outputs[-2]
        x = levels.sigma[i + 1] / levels.sigma[i] * x - levels.alpha[i + 1] * math.expm1(-h) * (direction)
    return x


def unipc(
    levels: Levels,
    predict: Predictor,
    x: Array,
    *,
    order: int,
    corrector: bool = True,
    lower_order_final: bool = True,
    data: bool = True,
    b: str = "bh2",
) -> Array:
    """UniPC-p: Zhao et al. 2023 (2302.04867), Algorithm 1, predicting data or (``data=False``) noise.

    ``b``: B_2(h) = e^h - 1 or B_1(h) = h. As in the authors' code: order 2 predicts and order 1
    corrects with rho = 1/2 in place of the solved weight; orders warm up by one a step and, with
    ``lower_order_final``, come down to 1 in the last step. A step is corrected with the order it was
    predicted with, by the output at its end, and that output is not evaluated again at the corrected
    point. The last step is not corrected.
    """
    outputs: list[Array] = []
    previous, previous_order = x, 0
    for i in range(levels.steps):
        x0 = predict(x, i)
        output = x0 if data else (x - levels.alpha[i] * x0) / levels.sigma[i]
        if corrector and i > 0:
            x = _unipc_step(levels, outputs, previous, i - 1, previous_order, end=output, data=data, b=b)
        outputs.append(output)
        left = levels.steps - i if lower_order_final else order
        previous, previous_order = x, min(order, i + 1, left)
        x = _unipc_step(levels, outputs, previous, i, previous_order, end=None, data=data, b=b)
    return x


def _unipc_step(
    levels: Levels, outputs: list[Array], x: Array, i: int, order: int, *, end: Array | None, data: bool, b: str
) -> Array:
    """Step from node i to i+1 with ``order`` outputs up to node i, and the one at i+1 if given."""
    if levels.sigma[i + 1] == 0.0:
        # h is infinite: only x0 is left, and order 1 is all that can be asked for.
        assert order == 1 and end is None and data and b == "bh2"
        return levels.alpha[i + 1] * outputs[i]
    h = levels.lam(i + 1) - levels.lam(i)
    # Nodes in units of h from node i, and the differences to node i divided by them (eq. 3).
    places = [(levels.lam(i - m) - levels.lam(i)) / h for m in range(1, order)]
    slopes = [(outputs[i - m] - outputs[i]) / place for m, place in enumerate(places, start=1)]
    if end is not None:
        places.append(1.0)
        slopes.append(end - outputs[i])
    # The two forms mirror each other (eq. 2 and 9).
    kept, scale, z = (levels.sigma, levels.alpha, -h) if data else (levels.alpha, levels.sigma, h)
    x = kept[i + 1] / kept[i] * x - scale[i + 1] * math.expm1(z) * outputs[i]
    if slopes:
        norm = math.expm1(z) if b == "bh2" else z
        weights = _unipc_weights(np.array(places), z, norm)
        x = x - scale[i + 1] * norm * sum(w * s for w, s in zip(weights, slopes, strict=True))
    return x


def _unipc_weights(places: Array, z: float, norm: float) -> Array:
    """Solve R rho = phi / B (eq. 5 and 8): moment k matches z (k+1)! phi_{k+2}(z) / B."""
    count = len(places)
    if count == 1:
        return np.array([0.5])
    moments = [z * math.factorial(k + 1) * phi(k + 2, z) / norm for k in range(count)]
    matrix = np.array([places**k for k in range(count)])
    return np.linalg.solve(matrix, np.array(moments))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def phi(k: int, z: float) -> float:
    """phi_k(z) = integral over [0, 1] of e^{(1-u) z} u^{k-1} / (k-1)! du, free of cancellation."""
    u = 0.5 * (_NODES + 1.0)
    values = np.exp((1.0 - u) * z) * u ** (k - 1) / math.factorial(k - 1)
    return float(0.5 * np.dot(_WEIGHTS, values))
