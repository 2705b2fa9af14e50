"""The value that each objective gives to a schedule, whoever's minimum it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import calibration_methods as methods
import hso
import nodes
from calibration_counts import Counts
from calibration_errors import error
from calibration_source import SEED, Source
from hso import objectives, trajectories
from subject import Subject

Value = Callable[[hso.Schedule], float]

_GRID = 512  # nodes that jumps are looked up at
_FINE = 2049
_SAMPLES = 16  # of a distillation


def values(source: Source, counts: Counts, solver: str) -> dict[str, Value]:
    """Objectives by name: of a schedule that ends at sigma 0, lower is better."""
    noise = source.noise
    found: dict[str, Value] = {
        "MEP": lambda schedule: float(hso.mep(noise, noise.lam(nodes.of(schedule)))),
        "DM-NonUni": lambda schedule: float(hso.dm_nonuni(noise, noise.lam(nodes.of(schedule)))),
    }
    for budget in counts.budgets:
        if budget <= 8192:
            found[f"profile.error, {budget}"] = source.calibrated(solver, budget, SEED).profile.error
    taught = trajectories.teacher(source.network(), count=min(counts.budgets) // trajectories.NODES, seed=SEED)
    norms: dict[str, Any] = {"VE jumps": "mean", "VE jumps, squares": "squares"}
    for name, norm in norms.items():
        found[name] = jumps(objectives.jump_costs(taught, norm=norm, grid=_GRID))
    measured, _ = methods.statistics(source, counts.statistics)
    found |= {"KLUB": klub(measured), "score-optimal": work(measured)}
    # order 1 whatever the solver, and on its own noises: what a distillation minimizes, were its search perfect
    own = Subject(source.name, SEED, _SAMPLES, source.store)
    euler = "Euler" if source.name in ("edm", "flow") else "DDIM"
    return found | {"OSS terminal": lambda schedule: error(own, euler, schedule)}


def jumps(costs: objectives.JumpCosts) -> Value:
    """The sum of a schedule's one-step errors, with that of starting from pure noise; its nodes go to the nearest."""

    def value(schedule: hso.Schedule) -> float:
        places = np.rint(np.interp(schedule.lambdas[:-1], costs.lambdas, np.arange(costs.lambdas.size))).astype(int)
        chain = np.append(places, costs.lambdas.size)
        steps = costs.cost[chain[:-1], chain[1:]]
        return float(costs.start[chain[0]] + steps[chain[1:] > chain[:-1]].sum())

    return value


def klub(measured: objectives.Statistics) -> Value:
    """Align Your Steps' bound over the nodes: a step to sigma 0 itself has none."""

    def step(start: float, end: float) -> float:
        lam = np.linspace(start, end, 65)
        mmse = measured.mmse_at(lam)
        return float(np.trapezoid((mmse[0] - mmse) * np.exp(2.0 * lam), lam))

    return lambda schedule: sum(map(step, schedule.lambdas[:-2], schedule.lambdas[1:-1]))


def work(measured: objectives.Statistics) -> Value:
    """The sum of the squared lengths of a schedule's steps along the path of distributions."""
    lam = np.linspace(measured.lambdas[0], measured.lambdas[-1], _FINE)
    speed = np.sqrt(measured.fisher_at(lam))
    path = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(lam) * (speed[1:] + speed[:-1]))])
    return lambda schedule: float(np.sum(np.diff(np.interp(schedule.lambdas[:-1], lam, path)) ** 2))
