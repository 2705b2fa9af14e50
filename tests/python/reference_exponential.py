"""One step of an exponential integrator in float64, and the solvers that differ in its polynomial.

Over one interval in lambda the SDE with noise parameter tau (Xue et al. 2023, SA-Solver, 2309.05019,
Proposition 4.2; tau = 0 is the ODE of Lu et al. 2022, 2211.01095) has the exact solution

    x_t = decay x_s + integral of weight(lambda) f(lambda) dlambda + noise z,

f being the network's x0 or its noise. Solvers replace f by a polynomial through outputs that they have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference_solvers import Array, Levels, phi


@dataclass(frozen=True)
class Interval:
    """From node ``start`` to node ``end`` of ``levels``.

    Attributes:
        data: f is x0 (DPM-Solver++), else it is the noise (DPM-Solver).
        tau: the noise parameter; 1 is the SDE that DDPM and sde-dpmsolver discretize.
    """

    levels: Levels
    start: int
    end: int
    data: bool = True
    tau: float = 0.0

    @property
    def h(self) -> float:
        return self.levels.lam(self.end) - self.levels.lam(self.start)

    @property
    def decay(self) -> float:
        alpha, sigma = self.levels.alpha, self.levels.sigma
        if self.data:
            return float(sigma[self.end] / sigma[self.start]) * math.exp(-(self.tau**2) * self.h if self.tau else 0.0)
        return float(alpha[self.end] / alpha[self.start])

    @property
    def noise(self) -> float:
        """The standard deviation of what is added."""
        sigma = float(self.levels.sigma[self.end])
        if self.tau == 0.0 or sigma == 0.0:
            return 0.0
        if self.data:
            return sigma * math.sqrt(-math.expm1(-2.0 * self.tau**2 * self.h))
        return sigma * self.tau * math.sqrt(math.expm1(2.0 * self.h))

    def moment(self, k: int) -> float:
        """The integral of weight (lambda - lambda_start)^k / k!."""
        c = 1.0 + self.tau**2
        if math.isinf(self.h):
            # All weight is at the end, at sigma 0: f is taken to be constant.
            assert self.data and k == 0
            return float(self.levels.alpha[self.end])
        power = c * self.h ** (k + 1)
        if self.data:
            return float(self.levels.alpha[self.end]) * power * phi(k + 1, -c * self.h)
        return -float(self.levels.sigma[self.end]) * power * phi(k + 1, self.h)

    def place(self, node: int) -> float:
        """lambda of a node, from the start of the interval."""
        return self.levels.lam(node) - self.levels.lam(self.start)


def taylor(interval: Interval, nodes: Sequence[int], outputs: Sequence[Array]) -> list[Array]:
    """f and its derivatives at the interval's start, of the polynomial through the outputs at ``nodes``."""
    places = np.array([interval.place(node) for node in nodes])
    powers = np.stack([places**k / math.factorial(k) for k in range(len(nodes))], axis=1)
    return list(np.tensordot(np.linalg.inv(powers), np.stack(outputs), axes=1))


def weighted(interval: Interval, derivatives: Sequence[Array], *, midpoint: bool = False) -> Array:
    """The integral of weight times the Taylor polynomial.

    ``midpoint``: the linear term is integrated as if the weight were constant, which is as accurate
    (DPM-Solver's "midpoint" next to "heun" for order 2).
    """
    moments = [interval.moment(k) for k in range(len(derivatives))]
    if midpoint and len(moments) > 1:
        moments[1] = 0.5 * interval.h * moments[0]
    total = np.zeros_like(derivatives[0])
    for moment, derivative in zip(moments, derivatives, strict=True):
        total = total + moment * derivative
    return total


def as_output(levels: Levels, node: int, x: Array, x0: Array, data: bool) -> Array:
    """The prediction as x0 or as noise."""
    return x0 if data else (x - levels.alpha[node] * x0) / levels.sigma[node]


def noise_or_zero(noises: Sequence[Array] | None, i: int, x: Array) -> Array:
    """The i-th noise; zeros where none are given."""
    return np.zeros_like(x) if noises is None else noises[i]
