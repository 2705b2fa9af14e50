"""The errors that schedules make, and the schedule with the least of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

import hso
from calibration_counts import Counts
from calibration_source import Source
from measures import distances
from store import content_key
from subject import Subject

Array = npt.NDArray[np.float64]

FEW = ("rmse", "fid_test", "fid_solution")

FIRST_SEED = 10
"""Of the tests' noise; on that of seeds 0 to 2 the constants of `hso.calibrate` were chosen."""


def errors(subject: Subject, solver: str, schedules: Sequence[hso.Schedule]) -> Array:
    """The mean RMSE of every schedule (n,), NaN where the scheduler refuses it; kept as one measurement."""

    def make() -> dict[str, Array]:
        return {"rmse": np.array([error(subject, solver, schedule) for schedule in schedules])}

    key = content_key(kind="errors", many=[subject.key("errors", solver, each) for each in schedules])
    found: Array = subject.store.kept(key, make)["rmse"]
    return found


def error(subject: Subject, solver: str, schedule: hso.Schedule) -> float:
    """The mean RMSE of a schedule, NaN where the scheduler refuses it."""
    if not subject.can_run(solver, schedule):
        return float("nan")
    return float(np.mean(distances(subject.images(solver, schedule), subject.solution)))


def search(subject: Subject, solver: str, starts: Sequence[hso.Schedule], *, evaluations: int) -> hso.Schedule:
    """The schedule with the least error on the subject's noises that direct searches from the best two starts find.

    A third of the evaluations goes to each of the two, what is left of them to the better result.
    """
    noise, metric = subject.model.noise, _metric(subject, solver)

    def make() -> dict[str, Array]:
        ranked = sorted(starts, key=metric)
        left = evaluations - len(starts)
        second = hso.refine.by_metric(metric, ranked[1], noise, budget=max(left // 3, 1)).schedule
        first = hso.refine.by_metric(metric, ranked[0], noise, budget=max(left // 3, 1)).schedule
        best = min((first, second), key=metric)
        best = hso.refine.by_metric(metric, best, noise, budget=max(left - 2 * (left // 3), 1)).schedule
        return {"t": best.t[:-1]}

    keys = [subject.key("error", solver, each) for each in starts]
    t = subject.store.kept(content_key(kind="direct search", evaluations=evaluations, starts=keys), make)["t"]
    return hso.Schedule.from_nodes(noise, t, search="direct search")


def finish(
    subject: Subject, judge: Subject, solver: str, starts: Sequence[hso.Schedule], *, evaluations: int
) -> hso.Schedule:
    """The same, decided on a judge's other noises, starts included.

    A schedule can be the best on a hundred noises for missing the few on which it fails.
    """
    noise, metric, judged = subject.model.noise, _metric(subject, solver), _metric(judge, solver)

    def make() -> dict[str, Array]:
        ranked = sorted(starts, key=judged)
        found = [
            hso.refine.by_metric(metric, start, noise, budget=max(evaluations // 2, 1), validate=judged).schedule
            for start in ranked[:2]
        ]
        return {"t": min((*found, ranked[0]), key=judged).t[:-1]}

    keys = [subject.key("error", solver, each) for each in starts] + [judge.key("error", solver, starts[0])]
    t = subject.store.kept(content_key(kind="judged search", evaluations=evaluations, starts=keys), make)["t"]
    return hso.Schedule.from_nodes(noise, t, search="direct search")


def _metric(subject: Subject, solver: str) -> Callable[[hso.Schedule], float]:
    """The mean RMSE, infinite where the scheduler refuses a schedule."""

    def metric(schedule: hso.Schedule) -> float:
        found = error(subject, solver, schedule)
        return found if np.isfinite(found) else float("inf")

    return metric


def subjects_of(source: Source, counts: Counts) -> list[Subject]:
    """The tests' banks of noise: not those that calibrate's constants were chosen on."""
    seeds = range(FIRST_SEED, FIRST_SEED + counts.seeds)
    return [Subject(source.name, seed, counts.images, source.store) for seed in seeds]


def means(subjects: Sequence[Subject], solver: str, schedule: hso.Schedule) -> dict[str, float]:
    """Means of a few measures over images and seeds; NaN where the scheduler refuses the schedule."""
    if not subjects[0].can_run(solver, schedule):
        return dict.fromkeys(FEW, float("nan"))
    each = [subject.measure(solver, schedule) for subject in subjects]
    return {name: float(np.mean([np.mean(one[name]) for one in each])) for name in FEW}
