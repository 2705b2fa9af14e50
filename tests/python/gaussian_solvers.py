"""Few-step solvers in float64 NumPy, written from their papers, and a network with an exact answer.

x = alpha x0 + sigma eps throughout; a solver calls `denoise(x, i)`, the x0-prediction at node i, once per step and
returns x at the last node. `alphas`, `sigmas`: N+1 values; the last may be (1, 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Denoise = Callable[[Array, int], Array]


class GaussianModel:
    """Data N(mean, variance) per pixel, for which E[x0 | x] is known."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.mean = random.uniform(-0.8, 0.8, shape)
        self.variance = random.uniform(0.02, 0.6, shape)

    def x0(self, x: Array, alpha: float, sigma: float) -> Array:
        """E[x0 | x] = M + alpha V (x - alpha M) / (alpha^2 V + sigma^2)."""
        gain = alpha * self.variance / (alpha**2 * self.variance + sigma**2)
        return self.mean + gain * (x - alpha * self.mean)


def log_snr(alpha: float, sigma: float) -> float:
    """lambda = log(alpha/sigma), infinite at sigma 0."""
    return math.inf if sigma == 0.0 else math.log(alpha / sigma)


def first_order(x: Array, alphas: Array, sigmas: Array, denoise: Denoise) -> Array:
    """DDIM (Song et al. 2021, eq. 12 with eta = 0), which is DPM-Solver++(1) and Euler in VE coordinates."""
    for i in range(len(sigmas) - 1):
        x0 = denoise(x, i)
        x = alphas[i + 1] * x0 + sigmas[i + 1] * (x - alphas[i] * x0) / sigmas[i]
    return x


def dpm_solver_2m(x: Array, alphas: Array, sigmas: Array, denoise: Denoise) -> Array:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2), first order at both ends as diffusers runs it.

    The last step is of first order if it goes to sigma 0 or there are fewer than 15 (diffusers' lower_order_final).
    """
    lam = [log_snr(a, s) for a, s in zip(alphas, sigmas, strict=True)]
    steps = len(sigmas) - 1
    before: Array | None = None
    for i in range(steps):
        x0 = denoise(x, i)
        h = lam[i + 1] - lam[i]
        low = i == steps - 1 and (steps < 15 or sigmas[-1] == 0.0)
        estimate = x0
        if before is not None and not low:
            ratio = (lam[i] - lam[i - 1]) / h
            estimate = x0 + (x0 - before) / (2.0 * ratio)
        x = sigmas[i + 1] / sigmas[i] * x - alphas[i + 1] * math.expm1(-h) * estimate
        before = x0
    return x


def unipc(x: Array, alphas: Array, sigmas: Array, denoise: Denoise, order: int) -> Array:
    """UniPC with B(h) = e^h - 1 and data prediction (Zhao et al. 2023, Algorithms 5 and 6).

    As diffusers runs it: the order warms up from 1 and falls to 1 at the end, the corrector at a node has the order of
    the predictor that led there, and rho = 1/2 where one coefficient is left.
    """
    lam = [log_snr(a, s) for a, s in zip(alphas, sigmas, strict=True)]
    steps = len(sigmas) - 1
    x0s: list[Array] = []
    start, used = x, 0
    for i in range(steps):
        x0 = denoise(x, i)
        if i > 0:
            x = _uni(start, i - 1, used, lam, alphas, sigmas, x0s, x0)
        x0s.append(x0)
        start, used = x, min(order, i + 1, steps - i)
        x = _uni(start, i, used, lam, alphas, sigmas, x0s, None)
    return x


def _uni(
    x: Array,
    i: int,
    order: int,
    lam: list[float],
    alphas: Array,
    sigmas: Array,
    x0s: list[Array],
    corrected: Array | None,
) -> Array:
    """One step from node i to i+1; the corrector if the x0-prediction at i+1 is given."""
    h = lam[i + 1] - lam[i]
    b_h = math.expm1(-h)
    base = sigmas[i + 1] / sigmas[i] * x - alphas[i + 1] * b_h * x0s[i]
    ratios = [(lam[i - k] - lam[i]) / h for k in range(1, order)]
    differences = [(x0s[i - k] - x0s[i]) / r for k, r in zip(range(1, order), ratios, strict=True)]
    if corrected is not None:
        ratios, differences = [*ratios, 1.0], [*differences, corrected - x0s[i]]
    count = len(ratios)
    if count == 0:
        return base
    if count == 1:
        rho = np.array([0.5])
    else:
        # sum_k rho_k r_k^{n-1} = n! phi_{n+1}(-h) (-h) / B(h): the integrals of the Taylor terms
        z, phi, right = -h, b_h / -h - 1.0, []
        for n in range(1, count + 1):
            right.append(phi * math.factorial(n) / b_h)
            phi = phi / z - 1.0 / math.factorial(n + 1)
        matrix = np.array([[r ** (n - 1) for r in ratios] for n in range(1, count + 1)])
        rho = np.linalg.solve(matrix, np.array(right))
    correction = sum((c * d for c, d in zip(rho, differences, strict=True)), np.zeros_like(x))
    return np.asarray(base - alphas[i + 1] * b_h * correction)
