"""The premise, the ablation and the oracle, on the models."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import ablation
import ablation_paper
import hso
import oracle
import premise
from hso._optimize import Limits, Terminal

if TYPE_CHECKING:
    from lab import Lab

Row = dict[str, Any]
Schedules = dict[str, hso.Schedule]

FEW = ("rmse", "fid_test", "fid_solution")
TERMINALS: tuple[Terminal, ...] = ("zero", "t_min")
TRAIN_SEED = 1000
"""Of the noise that the oracle sees; the tests' seeds start from 0."""


def premise_rows(lab: Lab, model: str) -> list[Row]:
    """Rank correlations over random schedules, one bank of noise: ends in the paper's ranges, and hso's ends."""
    subject = lab.subject(model, 0, lab.plan.premise_samples)
    noise = subject.model.noise
    counts: dict[Limits, int] = {"published": lab.plan.premise, "measured": lab.plan.interior}
    found: list[Row] = []
    for solver in lab.plan.solvers_of(model):

        def measure(schedule: hso.Schedule, solver: str = solver) -> dict[str, float]:
            kept = subject.measure(solver, schedule)
            return {name: float(np.mean(kept[name])) for name in FEW}

        for nfe, (limits, count) in itertools.product(lab.plan.premise_nfe, counts.items()):
            if not count:
                continue
            random = premise.random_schedules(noise, nfe, seed=nfe, count=count, limits=limits)
            for schedule in lab.share(random, f"{model}, {solver}, {nfe} calls: premise, {limits} limits"):
                subject.measure(solver, schedule)
            lab.accelerator.wait_for_everyone()
            rows = premise.study(noise, random, measure, seed=0)
            found += [{"model": model, "solver": solver, "limits": limits} | row for row in rows]
    return found


def ablation_rows(lab: Lab, model: str) -> list[Row]:
    """HSO's parts replaced one by one by the uniform schedule's, and the paper's Tables 5 and 7; all seeds."""
    noise = lab.subject(model, 0, lab.plan.samples).model.noise
    found: list[Row] = []
    for solver in lab.plan.solvers_of(model):
        for nfe in lab.plan.premise_nfe:
            for group, schedules in _groups(noise, solver, nfe):
                values = _means(lab, model, solver, schedules, f"{model}, {solver}, {nfe} calls: {group}")
                rows = ablation.rows(schedules, values, model=model, solver=solver, group=group)
                if group.startswith("parts"):
                    rows[0]["contributions"] = ablation.contributions({name: v["rmse"] for name, v in values.items()})
                found += rows
    return found


def _groups(noise: hso.NoiseSchedule, solver: str, nfe: int) -> list[tuple[str, Schedules]]:
    """The ablations of one cell; the paper's terminals are t_min for UniPC and zero for DDIM."""
    groups: list[tuple[str, Schedules]] = []
    for end in TERMINALS:
        groups.append((f"parts, {end}", ablation.components(noise, hso.optimize(noise, nfe, terminal=end, gap=None))))
    if noise.family == "vp":
        terminal: ablation_paper.Terminal = "t_min" if solver.startswith("UniPC") else "zero"
        groups.append(("Table 5", ablation_paper.table5(noise, nfe, terminal=terminal)))
        groups.append(("Table 7", ablation_paper.table7(noise, nfe, terminal=terminal)))
    return groups


def _means(lab: Lab, model: str, solver: str, schedules: Schedules, what: str) -> dict[str, Row]:
    """Means over seeds of a few measures; a schedule that the scheduler refuses, merged nodes say, has none."""
    subjects = [lab.subject(model, seed, lab.plan.samples) for seed in range(lab.plan.seeds)]
    names = [name for name, schedule in schedules.items() if subjects[0].can_run(solver, schedule)]
    for name in lab.share(names, what):
        for subject in subjects:
            subject.measure(solver, schedules[name])
    lab.accelerator.wait_for_everyone()
    values: dict[str, Row] = {name: dict.fromkeys(FEW) for name in schedules}
    for name in names:
        each = [subject.measure(solver, schedules[name]) for subject in subjects]
        values[name] = {key: float(np.mean([np.mean(one[key]) for one in each])) for key in FEW}
    return values


def oracle_rows(lab: Lab, model: str) -> list[Row]:
    """A schedule optimized on the error itself, on one bank of noise, judged on another."""
    if not lab.plan.oracle:
        return []
    splits = {
        "train": lab.subject(model, TRAIN_SEED, lab.plan.oracle_samples),
        "test": lab.subject(model, 0, lab.plan.oracle_samples),
    }
    noise = splits["test"].model.noise
    cells = [(solver, nfe) for solver in lab.plan.solvers_of(model) for nfe in lab.plan.premise_nfe]

    def study(solver: str, nfe: int) -> list[Row]:
        def rmse(schedule: hso.Schedule, split: str) -> float:
            if not splits[split].can_run(solver, schedule):
                return float("inf")
            return float(np.mean(splits[split].measure(solver, schedule)["rmse"]))

        start = oracle.starts(noise, nfe, terminal="zero")
        best = oracle.optimize(noise, rmse, start, evaluations=lab.plan.oracle)
        return oracle.rows(start | {oracle.ORACLE: best}, rmse, model=model, solver=solver)

    for cell in lab.share(cells, f"{model}: oracle"):
        study(*cell)
    lab.accelerator.wait_for_everyone()
    # Every evaluation is in the store by now.
    return [row for cell in cells for row in study(*cell)] if lab.accelerator.is_main_process else []


STUDIES: dict[str, Callable[[Lab, str], list[Row]]] = {
    "premise": premise_rows,
    "ablation": ablation_rows,
    "oracle": oracle_rows,
}
"""Which part of the document each one fills."""
