"""The published searches in plain NumPy and SciPy: test oracle and slow side of comparisons.

`published_search` is Algorithm 1 of "Hierarchical Schedule Optimization" (Zhu et al., AAAI
2026) with the options of its published script, `constrained_search` the variant whose lower
level knows the spacing, `dm_nonuni_schedule` the local search of Xue et al. (CVPR 2024).
Nothing here imports the library that it checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize

from reference_lower import (
    Lower,
    Objective,
    Problem,
    constrained_lower_search,
    lower_search,
    quiet,
    with_ends,
)
from reference_objectives import Array, Noise, d_min, karras_start, spacing_penalty

Setting = Literal["unipc", "ddim"]

BOUNDS = ((3.0, 16.0), (0.01, 0.03), (0.96, 1.0))
"""rho, t_min and t_max of the upper level."""

GAMMA = 1e9
"""Weight of the spacing penalty."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    `t` falls and `lambdas` rise, one entry per node. `fitness` is `objective` plus GAMMA times
    the spacing penalty. `psi` is (rho, t_min, t_max), None for a local search. `searches`
    counts lower-level runs, `evaluations` objective values (finite differences included),
    `generations` those of the upper level.
    """

    t: Array
    lambdas: Array
    objective: float
    fitness: float
    psi: tuple[float, float, float] | None
    searches: int
    evaluations: int
    generations: int
    seconds: float

    @property
    def indices(self) -> list[int]:
        """Entries of a table of 1000 that the nodes are rounded to."""
        return [round(1000 * t) - 1 for t in self.t.tolist()]


@dataclass(frozen=True)
class _Best:
    """The best lower-level result of an upper search, with the search's own counts."""

    fitness: float
    psi: tuple[float, float, float]
    nodes: Array
    searches: int
    generations: int


def _upper_search(evaluate: Callable[[Array], tuple[float, Array]], seed: int, polish: bool) -> _Best:
    """Differential evolution over psi; `evaluate` gives the fitness and the nodes of a psi."""
    best: list[tuple[float, Array, Array]] = []

    def fitness(psi: Array) -> float:
        value, nodes = evaluate(psi)
        if not best or value < best[0][0]:
            best[:] = [(value, psi.copy(), nodes)]
        return value

    result = optimize.differential_evolution(
        fitness,
        BOUNDS,
        popsize=20,
        maxiter=60,
        tol=0.01,
        updating="deferred",
        polish=polish,
        rng=seed,
    )
    value, psi, nodes = best[0]
    rho, t_min, t_max = psi.tolist()
    return _Best(value, (rho, t_min, t_max), nodes, int(result.nfev), int(result.nit))


def published_search(
    noise: Noise,
    nfe: int,
    setting: Setting = "unipc",
    seed: int = 0,
    *,
    lower: Lower = "trust-constr",
    objective: Objective = "mep",
    p: float = 2.0,
    polish: bool = True,
) -> SearchResult:
    """Algorithm 1 as published: "unipc" has nfe intervals, "ddim" nfe - 1.

    The lower level does not see the spacing; the upper level scores it with the penalty.
    `polish` is SciPy's default, a bounded quasi-Newton run from the best psi at the end.
    """
    began = time.perf_counter()
    problem = Problem(noise, objective, p)
    intervals = nfe if setting == "unipc" else nfe - 1

    def evaluate(psi: Array) -> tuple[float, Array]:
        lam = lower_search(problem, karras_start(noise, intervals, *psi), lower)
        penalty = spacing_penalty(noise.t(lam), d_min(nfe))
        return problem.value(lam) + GAMMA * penalty, lam

    best = _upper_search(evaluate, seed, polish)
    return SearchResult(
        t=noise.t(best.nodes),
        lambdas=best.nodes,
        objective=problem.value(best.nodes),
        fitness=best.fitness,
        psi=best.psi,
        searches=best.searches,
        evaluations=problem.evaluations,
        generations=best.generations,
        seconds=time.perf_counter() - began,
    )


def constrained_search(
    noise: Noise,
    nfe: int,
    setting: Setting = "unipc",
    seed: int = 0,
    *,
    objective: Objective = "mep",
    p: float = 2.0,
) -> SearchResult:
    """The bi-level search with the spacing as linear constraints in t, then free ends.

    A psi whose range cannot hold the spacing scores its start with the penalty.
    """
    began = time.perf_counter()
    problem = Problem(noise, objective, p)
    intervals = nfe if setting == "unipc" else nfe - 1
    spacing = d_min(nfe)

    def fitness(t: Array) -> float:
        return problem.value(noise.lam(t)) + GAMMA * spacing_penalty(t, spacing)

    def evaluate(psi: Array) -> tuple[float, Array]:
        t = noise.t(karras_start(noise, intervals, *psi))
        if intervals * spacing <= psi[2] - psi[1]:
            t = constrained_lower_search(noise, problem, t, spacing)
        return fitness(t), t

    best = _upper_search(evaluate, seed, polish=False)
    free = constrained_lower_search(noise, problem, best.nodes, spacing, free_ends=[BOUNDS[2], BOUNDS[1]])
    t = free if fitness(free) < best.fitness else best.nodes
    return SearchResult(
        t=t,
        lambdas=noise.lam(t),
        objective=problem.value(noise.lam(t)),
        fitness=fitness(t),
        psi=(best.psi[0], float(t[-1]), float(t[0])),
        searches=best.searches + 1,
        evaluations=problem.evaluations,
        generations=best.generations,
        seconds=time.perf_counter() - began,
    )


def dm_nonuni_schedule(noise: Noise, nfe: int, *, p: float = 2.0) -> SearchResult:
    """DM-NonUni's own local search: nfe intervals from t = 1 to 1e-3, uniform in t at first.

    trust-constr with SciPy's defaults and the order of the nodes as linear constraints.
    """
    began = time.perf_counter()
    problem = Problem(noise, "dm_nonuni", p)
    start = noise.lam(np.linspace(1, 1e-3, nfe + 1))
    gaps = (np.eye(nfe + 1)[1:] - np.eye(nfe + 1)[:-1])[:, 1:-1]
    floor = np.zeros(nfe)
    floor[0], floor[-1] = start[0], -start[-1]
    with quiet():
        found = optimize.minimize(
            lambda interior: problem.value(with_ends(start, interior)),
            start[1:-1],
            method="trust-constr",
            constraints=optimize.LinearConstraint(gaps, floor, np.inf),
        )
    lam = np.sort(with_ends(start, found.x))
    value = problem.value(lam)
    return SearchResult(
        t=noise.t(lam),
        lambdas=lam,
        objective=value,
        fitness=value,
        psi=None,
        searches=1,
        evaluations=problem.evaluations,
        generations=0,
        seconds=time.perf_counter() - began,
    )
