"""How a calibration spends its budget of network evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .. import schedules
from .._arrays import Array
from .._optimize import optimize
from ..checks import as_integer
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ..trajectories import NODES, teacher_nodes
from ._recording import Questions

LEAST_SAMPLES = 4


@dataclass(frozen=True)
class Plan:
    """How many samples, and what each is asked.

    Attributes:
        samples: n.
        nodes: the teacher's.
        questions: asked first; its runs are HSO's own schedules and uniform ones.
        again: network calls of the schedules that the model of the error finds, and the solver is then run with, round
            after round: there that model has to be right.
    """

    samples: int
    nodes: Array
    questions: Questions
    again: tuple[tuple[int, ...], ...]

    @property
    def evaluations(self) -> int:
        """Of single samples."""
        return self.samples * _cost(self)


_USUAL = (1024, 8192)
"""Evaluations for solvers of order 1, and for the others."""
_SMALL = 4096
_FIRST_ORDER = ((6,), ())
_SMALL_PLAN = ((4, 8), ((4, 8),))
_PLAN = ((4, 6, 10), ((4, 6, 10), (4, 5, 8)))
"""Network calls of the runs, and of those after them: few for solvers of order 1, whose schedules follow from the
teacher alone;
up to `_SMALL` evaluations fewer, which leaves more samples."""


def plan(noise: NoiseSchedule, budget: int | None, order: int) -> Plan:
    """The plan for `budget` evaluations, by default `_USUAL`, and a solver of some order.

    Raises ValueError where it is too small for `LEAST_SAMPLES` samples.
    """
    budget = as_integer("budget", _USUAL[order > 1] if budget is None else budget, least=1, most=10**9)
    each = _for_one_sample(noise, *(_FIRST_ORDER if order == 1 else _SMALL_PLAN if budget <= _SMALL else _PLAN))
    samples = budget // _cost(each)
    if samples < LEAST_SAMPLES:
        raise ValueError(
            f"budget must be at least {LEAST_SAMPLES * _cost(each)} network evaluations, to measure {LEAST_SAMPLES} "
            f"samples, got {budget}"
        )
    return Plan(samples, each.nodes, each.questions, each.again)


def analytic(noise: NoiseSchedule, steps: int, terminal: Literal["zero", "t_min"] = "zero") -> Schedule:
    """HSO's schedule from the noise schedule alone."""
    return optimize(noise, steps, terminal=terminal, gap=None)


def _for_one_sample(noise: NoiseSchedule, calls: tuple[int, ...], again: tuple[tuple[int, ...], ...]) -> Plan:
    lambdas = teacher_nodes(noise, NODES)
    # a quarter of the way, which is a step of a schedule of few; every second node is near enough to each level
    jumps = [(max(0, to - NODES // 4), to) for to in range(1, NODES, 2)]
    runs = []
    for steps in calls:
        for schedule in (analytic(noise, steps), schedules.uniform_t(noise, steps)):
            runs.append(schedule.lambdas[:-1])
    return Plan(1, lambdas, Questions(jumps, runs, [lambdas[::2]]), again)


def _cost(plan: Plan) -> int:
    questions = plan.questions
    runs = sum(len(run) for run in [*questions.runs, *questions.gained]) + sum(map(sum, plan.again))
    return len(plan.nodes) + len(questions.jumps) + runs
