"""The bi-level search in pagmo's C++ differential evolution and NLopt's SLSQP, both from PyPI.

The upper level is `pygmo.de`, the lower one `nlopt`'s SLSQP with the spacing as constraints; objective
and gradient are the NumPy ones that the SciPy searches use. Nothing here imports the library that it is
compared with. Where a package does not import, `unavailable` says so and the searches raise ImportError.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from reference_lower import SLSQP, Problem
from reference_objectives import Array, Noise, d_min, karras_start, spacing_penalty
from scipy_reference import BOUNDS, GAMMA, SearchResult

POPULATION, GENERATIONS, TOLERANCE = 60, 60, 0.01
"""Those of the published search: 20 per parameter, and SciPy's rule for when a population has converged."""

ROUNDING = 1e-12
"""What a spacing may miss d_min by."""


def unavailable() -> str | None:
    """Why the searches cannot run here, None where they can."""
    for name in ("pygmo", "nlopt"):
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            return f"{name} does not import: {error}"
    return None


class _Fitness:
    """The objective of nodes in t, and the best nodes that it has seen: those that meet the spacing go first."""

    def __init__(self, noise: Noise, problem: Problem, spacing: float, start: Array) -> None:
        self._noise, self._problem, self._spacing = noise, problem, spacing
        self._rank, self.nodes = (True, np.inf), start
        self.value(start)

    def value(self, t: Array) -> float:
        """The objective at `t` alone, which is what SLSQP minimizes under its constraints."""
        value = self._problem.value(self._noise.lam(t))
        violated = bool(np.min(-np.diff(t)) < self._spacing - ROUNDING)
        rank = (violated, value + GAMMA * spacing_penalty(t, self._spacing))
        if rank < self._rank:
            self._rank, self.nodes = rank, t.copy()
        return value

    def gradient(self, t: Array) -> Array:
        return self._problem.gradient(self._noise.lam(t)) * self._noise.slope(t)


def nlopt_lower_search(
    noise: Noise,
    problem: Problem,
    start: Array,
    spacing: float,
    *,
    free_ends: Sequence[tuple[float, float]] | None = None,
) -> Array:
    """The nodes with the least F that NLopt's SLSQP came by from `start`; both arrays are in t.

    `free_ends` bounds (t_max, t_min) and makes the ends variables too.
    """
    nlopt: Any = importlib.import_module("nlopt")
    n = start.size
    ends = free_ends or [(start[0], start[0]), (start[-1], start[-1])]
    low, high = np.array([ends[0], *[(ends[1][0], ends[0][1])] * (n - 2), ends[1]]).T
    start = np.clip(start, low, high)
    fitness = _Fitness(noise, problem, spacing, start)
    differences = np.eye(n)[1:] - np.eye(n)[:-1]

    def value(t: Array, gradient: Array) -> float:
        if gradient.size:
            gradient[:] = fitness.gradient(t)
        return fitness.value(t)

    def violations(result: Array, t: Array, gradient: Array) -> None:
        if gradient.size:
            gradient[:] = differences
        result[:] = spacing + np.diff(t)

    solver = nlopt.opt(nlopt.LD_SLSQP, n)
    solver.set_lower_bounds(low)
    solver.set_upper_bounds(high)
    solver.set_min_objective(value)
    solver.add_inequality_mconstraint(violations, np.zeros(n - 1))
    solver.set_ftol_rel(SLSQP["ftol"])
    solver.set_maxeval(int(SLSQP["maxiter"]))
    # it stops with an exception where rounding lets it no further, mostly at the optimum: `fitness` has the nodes
    with contextlib.suppress(nlopt.RoundoffLimited, RuntimeError):
        solver.optimize(start)
    return fitness.nodes


class _Upper:
    """pygmo's user-defined problem: the fitness of one psi."""

    def __init__(self, noise: Noise, problem: Problem, intervals: int, spacing: float) -> None:
        self._noise, self._problem, self._intervals, self._spacing = noise, problem, intervals, spacing
        self.best, self.nodes, self.psi = np.inf, np.empty(0), np.empty(0)
        self.searches = 0

    def __deepcopy__(self, _: dict[int, object]) -> _Upper:
        return self  # pygmo copies its problem with every population; the counts and the best belong to all

    def get_bounds(self) -> tuple[list[float], list[float]]:
        return [low for low, _ in BOUNDS], [high for _, high in BOUNDS]

    def fitness(self, psi: Array) -> list[float]:
        self.searches += 1
        t = self._noise.t(karras_start(self._noise, self._intervals, *psi.tolist()))
        if self._intervals * self._spacing <= psi[2] - psi[1]:
            t = nlopt_lower_search(self._noise, self._problem, t, self._spacing)
        value = self._problem.value(self._noise.lam(t)) + GAMMA * spacing_penalty(t, self._spacing)
        if value < self.best:
            self.best, self.nodes, self.psi = value, t, psi.copy()
        return [value]


def _found(
    noise: Noise, problem: Problem, t: Array, spacing: float, rho: float | None, counts: tuple[int, int], began: float
) -> SearchResult:
    """The result at nodes `t`; `counts` are lower-level runs and generations."""
    objective = problem.value(noise.lam(t))
    return SearchResult(
        t=t,
        lambdas=noise.lam(t),
        objective=objective,
        fitness=objective + GAMMA * spacing_penalty(t, spacing),
        psi=None if rho is None else (rho, float(t[-1]), float(t[0])),
        searches=counts[0],
        evaluations=problem.evaluations,
        generations=counts[1],
        seconds=time.perf_counter() - began,
    )


def pygmo_search(noise: Noise, nfe: int, seed: int = 0, *, p: float = 2.0) -> SearchResult:
    """`scipy_reference.constrained_search` with pygmo's DE (best/1/bin) over NLopt's SLSQP, then free ends.

    There are nfe intervals. Population, generations and the stop are the published search's; a psi whose
    range cannot hold the spacing scores its start with the penalty.
    """
    pygmo: Any = importlib.import_module("pygmo")
    began = time.perf_counter()
    problem, spacing = Problem(noise, "mep", p), d_min(nfe)
    upper = _Upper(noise, problem, nfe, spacing)
    population = pygmo.population(pygmo.problem(upper), POPULATION, seed=seed)
    # One generation at a time, as pygmo's own stop is by absolute spread; F and CR in the middle of SciPy's
    evolution = pygmo.algorithm(pygmo.de(gen=1, F=0.75, CR=0.7, variant=6, ftol=0, xtol=0, seed=seed))
    generation = 0
    while generation < GENERATIONS:
        values = population.get_f()
        if np.std(values) <= TOLERANCE * abs(np.mean(values)):
            break
        population = evolution.evolve(population)
        generation += 1
    t = nlopt_lower_search(noise, problem, upper.nodes, spacing, free_ends=[BOUNDS[2], BOUNDS[1]])
    return _found(noise, problem, t, spacing, float(upper.psi[0]), (upper.searches + 1, generation), began)


def nlopt_search(noise: Noise, nfe: int, *, p: float = 2.0) -> SearchResult:
    """No upper level: one run of NLopt's SLSQP over all nfe + 1 nodes from the start in the middle of psi's bounds."""
    began = time.perf_counter()
    problem, spacing = Problem(noise, "mep", p), d_min(nfe)
    start = noise.t(karras_start(noise, nfe, *(0.5 * (low + high) for low, high in BOUNDS)))
    t = nlopt_lower_search(noise, problem, start, spacing, free_ends=[BOUNDS[2], BOUNDS[1]])
    return _found(noise, problem, t, spacing, None, (1, 0), began)
