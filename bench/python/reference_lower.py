"""The lower level of the bi-level search: local minimizers over the nodes of one schedule."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
from scipy import optimize

from reference_objectives import (
    COLLISION,
    Array,
    Noise,
    dm_nonuni,
    dm_nonuni_gradient,
    mep,
    mep_gradient,
)

Lower = Literal["trust-constr", "slsqp"]
Objective = Literal["mep", "dm_nonuni"]

TRUST_CONSTR = {"maxiter": 80, "xtol": 1e-6, "gtol": 1e-6, "finite_diff_rel_step": 1e-7}
SLSQP = {"maxiter": 200, "ftol": 1e-12}


class Problem:
    """An objective over node lambdas that sorts its nodes and counts its evaluations."""

    def __init__(self, noise: Noise, objective: Objective, p: float) -> None:
        self.evaluations = 0
        self._noise = noise
        self._p = p
        self._value: Callable[..., float] = mep if objective == "mep" else dm_nonuni
        self._gradient: Callable[..., Array] = mep_gradient if objective == "mep" else dm_nonuni_gradient

    def value(self, lam: Array) -> float:
        """Objective at the sorted nodes; COLLISION if two are equal or it overflows."""
        self.evaluations += 1
        lam = np.sort(lam)
        if not np.all(np.diff(lam) > 0):
            return COLLISION
        with np.errstate(over="ignore", invalid="ignore"):
            value = self._value(lam, self._p, self._noise.family)
        return value if np.isfinite(value) else COLLISION

    def gradient(self, lam: Array) -> Array:
        """Gradient in the order the nodes came in; zero where `value` is COLLISION."""
        order = np.argsort(lam)
        gradient = np.zeros_like(lam)
        if np.all(np.diff(lam[order]) > 0):
            with np.errstate(over="ignore", invalid="ignore"):
                gradient[order] = self._gradient(lam[order], self._p, self._noise.family)
        return gradient if np.all(np.isfinite(gradient)) else np.zeros_like(lam)


def with_ends(start: Array, interior: Array) -> Array:
    """The nodes `interior` between the first and the last entry of `start`."""
    return np.concatenate([start[:1], interior, start[-1:]])


@contextmanager
def quiet() -> Iterator[None]:
    """No warning when two equal finite differences in a row reach trust-constr's Hessian."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="delta_grad == 0.0")
        yield


def lower_search(problem: Problem, start: Array, lower: Lower) -> Array:
    """Minimize over the interior nodes with the ends fixed and no constraint.

    trust-constr differentiates by forward differences, SLSQP takes the analytic gradient. A run
    that does not converge gives back the start, as published.
    """
    if start.size < 3:
        return start

    def value(interior: Array) -> float:
        return problem.value(with_ends(start, interior))

    if lower == "trust-constr":
        with quiet():
            found = optimize.minimize(value, start[1:-1], method="trust-constr", options=TRUST_CONSTR)
    else:
        found = optimize.minimize(
            value,
            start[1:-1],
            jac=lambda interior: problem.gradient(with_ends(start, interior))[1:-1],
            method="SLSQP",
            options=SLSQP,
        )
    return np.sort(with_ends(start, found.x)) if found.success else start


def constrained_lower_search(
    noise: Noise,
    problem: Problem,
    start: Array,
    spacing: float,
    *,
    free_ends: Sequence[tuple[float, float]] | None = None,
) -> Array:
    """Minimize over t under t_i - t_{i+1} >= spacing with SLSQP; both arrays are in t.

    `free_ends` bounds (t_max, t_min) and makes the ends variables too. Returns the start if
    the run fails.
    """
    n = start.size
    gaps = np.eye(n)[:-1] - np.eye(n)[1:]
    ends = free_ends or [(start[0], start[0]), (start[-1], start[-1])]
    bounds = [ends[0], *[(ends[1][0], ends[0][1])] * (n - 2), ends[1]]
    found = optimize.minimize(
        lambda t: problem.value(noise.lam(t)),
        start,
        jac=lambda t: problem.gradient(noise.lam(t)) * noise.slope(t),
        method="SLSQP",
        bounds=bounds,
        constraints={
            "type": "ineq",
            "fun": lambda t: -np.diff(t) - spacing,
            "jac": lambda _: gaps,
        },
        options=SLSQP,
    )
    return np.asarray(found.x) if found.success else start
