"""Noise schedules and schedule objectives in plain NumPy: the formulas that the tests trust.

Everything here is float64, slow and direct, and shares no code with the library: it is the
other side of the comparison. Throughout, lambda = log(alpha / sigma), t runs in (0, 1], and a
schedule is an array of N+1 lambdas that increase while denoising.

Sources: MEP and SPF are equations 8-10 of "Hierarchical Schedule Optimization" (Zhu et al.,
AAAI 2026); the signed multistep objective is equation 25 of "Accelerating Diffusion Sampling
with Optimized Time Steps" (Xue et al., CVPR 2024), called DM-NonUni below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Family = Literal["vp", "flow"]

COLLISION = 1e12
"""Value of an objective at a schedule with two equal nodes, as published."""

BETAS: dict[str, Callable[[], Array]] = {
    "sd_scaled_linear": lambda: np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2,
    "hso_code_linear": lambda: np.linspace(0.00085, 0.012, 1000),
    "ddpm_linear": lambda: np.linspace(1e-4, 0.02, 1000),
}
"""The three tables of the reference data: Stable Diffusion, the published script, DDPM."""


@dataclass(frozen=True)
class VpTable:
    """Variance-preserving table: log(alpha) is linear in t between t = (i+1)/n.

    `log_alpha` has n entries, strictly decreasing, below 0. t is held inside [1/n, 1].
    """

    log_alpha: Array
    family: Family = "vp"

    @classmethod
    def from_betas(cls, betas: Array) -> VpTable:
        """Table of alpha_i = sqrt(prod_{j<=i} (1 - beta_j))."""
        return cls(0.5 * np.cumsum(np.log1p(-betas)))

    @classmethod
    def named(cls, name: str) -> VpTable:
        """One of `BETAS`."""
        return cls.from_betas(BETAS[name]())

    @property
    def grid(self) -> Array:
        """The n values of t at which the table has entries."""
        n = self.log_alpha.size
        return np.arange(1, n + 1) / n

    def lam(self, t: npt.ArrayLike) -> Array:
        log_alpha = np.interp(np.asarray(t, dtype=np.float64), self.grid, self.log_alpha)
        return np.asarray(log_alpha - 0.5 * np.log(-np.expm1(2 * log_alpha)))

    def t(self, lam: npt.ArrayLike) -> Array:
        log_alpha = -0.5 * np.logaddexp(0, -2 * np.asarray(lam))
        return np.asarray(np.interp(log_alpha, self.log_alpha[::-1], self.grid[::-1]))

    def slope(self, t: npt.ArrayLike) -> Array:
        """d lambda / d t = (d log(alpha) / d t) / sigma^2, below 0; t's table cell decides."""
        t = np.asarray(t, dtype=np.float64)
        cell = np.clip(np.searchsorted(self.grid, t, side="right") - 1, 0, self.grid.size - 2)
        rise = np.diff(self.log_alpha)[cell] * self.log_alpha.size
        return np.asarray(-rise / np.expm1(2 * np.interp(t, self.grid, self.log_alpha)))


@dataclass(frozen=True)
class Flow:
    """Rectified flow: alpha = 1 - s, sigma = s, t = s, so lambda = log((1 - t) / t).

    t is held below 1 - 1e-6, where lambda is -13.8.
    """

    family: Family = "flow"

    def lam(self, t: npt.ArrayLike) -> Array:
        t = np.minimum(np.asarray(t, dtype=np.float64), 1 - 1e-6)
        return np.asarray(np.log1p(-t) - np.log(t))

    def t(self, lam: npt.ArrayLike) -> Array:
        return np.asarray(np.exp(-np.logaddexp(0, np.asarray(lam, dtype=np.float64))))

    def slope(self, t: npt.ArrayLike) -> Array:
        t = np.minimum(np.asarray(t, dtype=np.float64), 1 - 1e-6)
        return np.asarray(-1 / (t * (1 - t)))


Noise = VpTable | Flow


def proxy(lam: npt.ArrayLike, p: float = 2.0, family: Family = "vp") -> Any:
    """eps~ = sigma^p / alpha at `lam`; complex lambdas are welcome (complex-step derivatives)."""
    k = 2.0 if family == "vp" else 1.0
    lam = np.asarray(lam)
    return np.exp((np.log1p(np.exp(-k * lam)) - p * np.log1p(np.exp(k * lam))) / k)


def mep(lam: npt.ArrayLike, p: float = 2.0, family: Family = "vp") -> float:
    """Midpoint error proxy: sum_i eps~(m_i) (e^lam_{i+1} - e^lam_i), m_i the midpoint (eq. 8)."""
    lam = np.asarray(lam, dtype=np.float64)
    middle = 0.5 * (lam[1:] + lam[:-1])
    jump = np.exp(lam[:-1]) * np.expm1(np.diff(lam))
    return float(np.sum(proxy(middle, p, family) * jump))


def mep_gradient(lam: npt.ArrayLike, p: float = 2.0, family: Family = "vp") -> Array:
    """Gradient of `mep`, N+1 entries."""
    lam = np.asarray(lam, dtype=np.float64)
    k = 2.0 if family == "vp" else 1.0
    middle = 0.5 * (lam[1:] + lam[:-1])
    value = proxy(middle, p, family)
    # d log(eps~) / d lam = -(p alpha^k + sigma^k), and alpha^k is the logistic of k lam.
    alpha_k = np.exp(-np.logaddexp(0, -k * middle))
    half_rise = -0.5 * value * (p * alpha_k + 1 - alpha_k)
    half_rise *= np.exp(lam[:-1]) * np.expm1(np.diff(lam))
    gradient = np.zeros_like(lam)
    gradient[:-1] += half_rise - value * np.exp(lam[:-1])
    gradient[1:] += half_rise + value * np.exp(lam[1:])
    return gradient


def _moments(h: Any) -> Any:
    """Integrals of e^u u^k over [0, h] for k = 0, 1, 2: shape (3, len(h))."""
    h = np.asarray(h)
    small = np.abs(h) < 1
    x = np.where(small, h, 0.5)
    series, power = np.zeros((3, h.size), dtype=h.dtype), np.ones_like(h)
    for n in range(22):  # the terms are h^(n+k+1) / (n! (n+k+1)): below 1e-21 at n = 22
        series += np.stack([power * x ** (k + 1) / (n + k + 1) for k in range(3)])
        power = power * x / (n + 1)
    e = np.exp(h)
    closed = np.stack([np.expm1(h), e * (h - 1) + 1, e * (h * h - 2 * h + 2) - 2])
    return np.where(small, series, closed)


def step_order(step: int, steps: int) -> int:
    """Order of a step, 0-based: 1 at both ends, 2 next to them, 3 elsewhere."""
    if step in (0, steps - 1):
        return 1
    return 2 if step in (1, steps - 2) else 3


def step_weights(lam: Any) -> list[Any]:
    """Lagrange exponential weights of each step, newest node first.

    Step s on the nodes s, s-1, .. (as many as its order) has the weights
    w_j = integral over [lam_s, lam_{s+1}] of e^x l_j(x) dx. The basis is written in
    u = x - lam_s, at whose nodes 0, -a and -c it is 1.
    """
    lam = np.asarray(lam)
    h = np.diff(lam)
    m0, m1, m2 = _moments(h) * np.exp(lam[:-1])
    weights = []
    for s in range(h.size):
        order = step_order(s, h.size)
        if order == 1:
            weights.append(np.array([m0[s]]))
        elif order == 2:
            a = h[s - 1]
            weights.append(np.array([m0[s] + m1[s] / a, -m1[s] / a]))
        else:
            a = h[s - 1]
            c = a + h[s - 2]
            newest = m0[s] + m1[s] * (1 / a + 1 / c) + m2[s] / (a * c)
            middle = -(m2[s] + c * m1[s]) / (a * (c - a))
            oldest = (m2[s] + a * m1[s]) / (c * (c - a))
            weights.append(np.array([newest, middle, oldest]))
    return weights


def _dm_nonuni(lam: Any, p: float, family: Family) -> Any:
    """The DM-NonUni objective for real or complex lambdas."""
    steps = lam.size - 1
    truncated = 3 if steps <= 7 else 0
    eps = proxy(lam[:-1], p, family)
    per_node = np.zeros(steps, dtype=lam.dtype)
    total = lam.dtype.type(0)
    for s, w in enumerate(step_weights(lam)):
        used = s - np.arange(w.size)
        if s < truncated:
            total += np.sqrt(np.sum((eps[used] * w) ** 2))
        elif w.size == 1:
            total += eps[s] * w[0]  # an order-1 weight is an integral of e^x: positive
        else:
            per_node[used] += w
    return total + np.sum(eps * per_node * np.sign(per_node.real))


def dm_nonuni(lam: npt.ArrayLike, p: float = 2.0, family: Family = "vp") -> float:
    """DM-NonUni's objective at a schedule of N+1 lambdas.

    A sum over nodes i of eps~(lam_i) |sum of the weights that the steps give node i|, with two
    exceptions of the published code: steps below 3 (only if N <= 7) add the root of the sum of
    (eps~_j w_j)^2 instead, and steps of order 1 add |eps~ w| on their own.
    """
    return float(_dm_nonuni(np.asarray(lam, dtype=np.float64), p, family))


def dm_nonuni_gradient(lam: npt.ArrayLike, p: float = 2.0, family: Family = "vp") -> Array:
    """Gradient of `dm_nonuni` by complex steps, exact to rounding where it is smooth."""
    point = np.asarray(lam, dtype=np.complex128)
    gradient = np.empty(point.size)
    for i in range(point.size):
        moved = point.copy()
        moved[i] += 1e-30j
        gradient[i] = _dm_nonuni(moved, p, family).imag / 1e-30
    return gradient


def d_min(nfe: int) -> float:
    """Smallest spacing in t: 0.15 at 4 calls, falling linearly to 0.01 at 20, clamped outside."""
    return float(np.clip(0.15 - 0.14 * (nfe - 4) / 16, 0.01, 0.15))


def spacing_penalty(t: npt.ArrayLike, spacing: float) -> float:
    """Sum over steps of max(0, spacing - |t_{i+1} - t_i|)^2 (eq. 10)."""
    return float(np.sum(np.maximum(0, spacing - np.abs(np.diff(np.asarray(t)))) ** 2))


def spf(lam: Array, t: Array, nfe: int, gamma: float = 1e9, p: float = 2.0) -> float:
    """Spacing-penalized fitness of a VP schedule: MEP + gamma * penalty (eq. 9)."""
    return mep(lam, p) + gamma * spacing_penalty(t, d_min(nfe))


def karras_start(noise: Noise, intervals: int, rho: float, t_min: float, t_max: float) -> Array:
    """Lambdas of intervals + 1 nodes from t_max to t_min, linear in (sigma/alpha)^(1/rho)."""
    ends = np.exp(-noise.lam(np.array([t_max, t_min])) / rho)
    lam = -rho * np.log(np.linspace(ends[0], ends[1], intervals + 1))
    lam[0], lam[-1] = noise.lam(t_max), noise.lam(t_min)
    return np.asarray(lam)
