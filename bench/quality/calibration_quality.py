"""Calibrated schedules against all others on one model: errors, costs, tests, and shares of what could be won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import calibration_methods as methods
import hso
from calibration_counts import Counts
from calibration_errors import FEW, finish, search, subjects_of
from calibration_source import SEED, SOLVERS, Calibrated, Made, Source, optimized
from catalogue import catalogue
from significance import compare, holm
from studies import TRAIN_SEED
from subject import Subject

Row = dict[str, Any]

DIRECT = "direct search"
OURS = "HSO exact, zero"
UNIFORM = "uniform t, trailing, zero"
KARRAS = "Karras, zero"
CHAIN = "VE jumps, squares, free start"
BEFORE_THE_DECODER = "to 1/nfe, t_min"
VARIANTS: dict[str, dict[str, Any]] = {
    "solver": {"objective": "solver"},
    "jump squares": {"objective": "jump", "squares": True},
    "jump_x0 squares": {"objective": "jump_x0", "squares": True},
    "jump_carried squares": {"objective": "jump_carried", "squares": True},
}
"""Other searches on a profile than its default: "solver" for solvers of order 1, the others for those above."""


class Candidate(NamedTuple):
    """Schedules of one method for one number of calls, one for each calibration seed, and what they cost."""

    schedules: list[hso.Schedule]
    evaluations: int = 0
    seconds: float = 0.0


def calibrated_name(budget: int) -> str:
    """Of the method in the rows."""
    return f"calibrated, {budget}"


def rows(source: Source, counts: Counts) -> list[Row]:
    """One row for every solver, number of calls and method."""
    subjects = subjects_of(source, counts)
    train = Subject(source.name, TRAIN_SEED, counts.search_images, source.store)
    judge = Subject(source.name, TRAIN_SEED + 1, counts.judge_images, source.store)
    found: list[Row] = []
    for solver in counts.solvers:
        made = _made(source, counts, solver)
        for nfe in counts.nfe:
            candidates = _analytic(source, nfe, solver)
            for name, each in made.items():
                schedules = [one.schedules[nfe] for one in each]
                candidates[name] = Candidate(schedules, each[0].evaluations, each[0].seconds)
            if counts.search:
                # the first stage does not depend on the calibration: it is searched once for all versions of that
                first = [candidates[name].schedules[0] for name in (OURS, UNIFORM, KARRAS)]
                best = search(train, solver, first, evaluations=counts.search * 2 // 3)
                others = (OURS, CHAIN, *map(calibrated_name, counts.budgets))
                starts = [best, *(candidates[name].schedules[0] for name in others)]
                best = finish(train, judge, solver, starts, evaluations=counts.search // 3)
                candidates[DIRECT] = Candidate([best], counts.search * nfe * counts.search_images)
            cell = {"model": source.name, "solver": solver, "nfe": nfe}
            measured = [cell | row for row in _measured(subjects, solver, candidates)]
            _add_shares(measured)
            found += measured
    _add_tests(found, counts)
    return found


def _analytic(source: Source, nfe: int, solver: str) -> dict[str, Candidate]:
    """The lab's catalogue without what is the same or finds the same, and MEP's limit."""
    found = {}
    for (name, terminal), make in catalogue(source.noise, nfe, solver, decoder=source.name == "latent").items():
        if name == "HSO bilevel":
            continue
        try:
            found[f"{name}, {terminal}"] = Candidate([make()])
        except ValueError:
            continue
    limits = methods.analytic(source.noise, [nfe])
    return found | {name: Candidate([schedules[nfe]]) for name, schedules in limits.items()}


def _made(source: Source, counts: Counts, solver: str) -> dict[str, list[Made]]:
    """What asks the model, for all numbers of calls at once; calibrations with several seeds."""
    nfe = counts.nfe
    found: dict[str, list[Made]] = {}
    for budget, seeds in counts.budgets.items():
        profiles = [source.calibrated(solver, budget, SEED + seed) for seed in range(seeds)]
        found[calibrated_name(budget)] = [optimized(profile, nfe) for profile in profiles]
        for what, options in VARIANTS.items():
            if (what == "solver") != (SOLVERS[solver][1] == 1):  # the default of the solver's order
                continue
            some = profiles if counts.every_variant else profiles[:1]
            name = f"{calibrated_name(budget)}, {what}"
            found[name] = [optimized(profile, nfe, **options) for profile in some]
            if not counts.every_variant:
                break
        if source.name == "latent":
            name = f"{calibrated_name(budget)}, {BEFORE_THE_DECODER}"
            found[name] = [_to_one_over_nfe(source, profile, nfe) for profile in profiles]
        count = 4 if budget < 4096 else 16
        steps = methods.teacher_steps(budget, count, max(nfe))
        for combine in ("median", "mean_error") if counts.every_variant else ("median",):
            name = f"OSS {combine}, {budget}"
            found[name] = [methods.distilled(source, nfe, count=count, steps=steps, combine=combine)]
    for combine in counts.oss:
        found[f"OSS {combine}, published"] = [methods.distilled(source, nfe, count=16, steps=200, combine=combine)]
    others = methods.from_trajectories(source, nfe, min(counts.budgets))
    others |= methods.from_statistics(source, nfe, counts.statistics)
    others |= methods.spectral(source, nfe, solver)
    return found | {name: [made] for name, made in others.items()}


def _to_one_over_nfe(source: Source, found: Calibrated, nfe: Sequence[int]) -> Made:
    """Schedules that stop at the VE sigma 1/nfe, as the lab's do for models with a decoder."""
    schedules = {}
    for n in nfe:
        last = float(source.noise.t(np.log(n)))
        schedules[n] = found.profile.optimize(n, terminal="t_min", t_min=(last, last))
    return Made(schedules, found.profile.evaluations, found.seconds)


def _measured(subjects: Sequence[Subject], solver: str, candidates: Mapping[str, Candidate]) -> list[Row]:
    """Errors of each method: means over images and, where there are several, calibration seeds."""
    found = []
    for name, candidate in candidates.items():
        if not all(subjects[0].can_run(solver, schedule) for schedule in candidate.schedules):
            found.append({"method": name, "rmse": None})
            continue
        each = [[subject.measure(solver, schedule) for subject in subjects] for schedule in candidate.schedules]
        images = np.array([np.concatenate([one["rmse"] for one in ones]) for ones in each])
        means = images.mean(axis=1)
        row: Row = {"method": name, "rmse": float(means.mean()), "rmse_median": float(np.median(images[0]))}
        for measure in FEW[1:]:
            row[measure] = float(np.mean([[one[measure] for one in ones] for ones in each]))
        if len(means) > 1:
            row["spread"] = float(np.ptp(means) / means.mean())
            row["std"] = float(np.std(means, ddof=1) / means.mean())
        row |= {"images": int(images.shape[1]), "calibrations": len(means)}
        row |= {"evaluations": candidate.evaluations, "seconds": candidate.seconds}
        row["t"] = [[float(t) for t in schedule.t] for schedule in candidate.schedules]
        found.append(row | {"_images": images[0]})
    return found


def is_ours(name: str) -> bool:
    """Whether a method is a search of HSO that asks no model."""
    return name.startswith("HSO ")


def is_analytic(row: Row) -> bool:
    """Whether the method asks no model."""
    return row["rmse"] is not None and row["evaluations"] == 0 and not row["method"].startswith("spectral")


def best(rows: Sequence[Row]) -> Row:
    """The row with the least error."""
    return min((row for row in rows if row["rmse"] is not None), key=lambda row: float(row["rmse"]))


def _add_shares(rows: list[Row]) -> None:
    """Of the gap from the best of HSO's analytic schedules to the direct search, what each method closes."""
    direct = next((row for row in rows if row["method"] == DIRECT), None)
    if direct is None:
        return
    start = best([row for row in rows if is_ours(row["method"])])["rmse"]
    gap = start - direct["rmse"]
    for row in rows:
        row["share"] = (start - row["rmse"]) / gap if gap > 0.0 and row["rmse"] is not None else None


def _add_tests(rows: list[Row], counts: Counts) -> None:
    """Of each calibrated schedule, the first seed's, against the best analytic one on the same images."""
    tested = []
    cells = dict.fromkeys((row["solver"], row["nfe"]) for row in rows)
    for cell in cells:
        mine = [row for row in rows if (row["solver"], row["nfe"]) == cell]
        rival = best([row for row in mine if is_analytic(row)])
        for budget in counts.budgets:
            row = next(row for row in mine if row["method"] == calibrated_name(budget))
            if row["rmse"] is None:
                continue
            compared = compare(row["_images"], rival["_images"], seed=0)
            row["test"] = {"rival": rival["method"], "rival_rmse": rival["rmse"]} | compared._asdict()
            tested.append(row)
    for row, p in zip(tested, holm([row["test"]["p"] for row in tested]), strict=True):
        row["test"]["p_holm"] = p
    for row in rows:
        row.pop("_images", None)
