"""From single measurements to the results document: means and deviations over seeds, floors, paired tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hso
from measures import frechet_distance, kernel_distance
from plan import Task
from significance import compare, holm
from subject import MEASURES

if TYPE_CHECKING:
    from lab import Lab

PARTS = ("rows", "floors", "tests", "premise", "ablation", "oracle", "left_out")
OURS = "HSO exact"
Row = dict[str, Any]


def rows(lab: Lab, model: str, found: list[Task]) -> list[Row]:
    """One row a task, its measures as mean and deviation over seeds; rmse of a seed is the mean over its images."""
    collected = []
    for _, solver, nfe, name, terminal, schedule in found:
        each = [measured(lab, model, seed, solver, schedule) for seed in range(lab.plan.seeds)]
        values = {key: np.array([np.mean(one[key]) for one in each]) for key in MEASURES}
        seconds = float(np.median(values.pop("seconds_per_image")))
        collected.append(
            {"model": model, "solver": solver, "nfe": nfe, "schedule": name, "terminal": terminal}
            | {"seeds": lab.plan.seeds, "n": lab.plan.samples, "seconds_per_image": seconds}
            | {"timesteps": schedule.timesteps.tolist(), "sigmas": schedule.sigmas.tolist()}
            | {"mep": schedule.mep, "spf": schedule.fitness}
            | {key: {"mean": float(v.mean()), "std": float(v.std(ddof=1))} for key, v in values.items()}
        )
    return collected


def measured(lab: Lab, model: str, seed: int, solver: str, schedule: hso.Schedule) -> Any:
    """A measurement that some process has made."""
    return lab.subject(model, seed, lab.plan.samples).measure(solver, schedule)


def floors(lab: Lab, model: str) -> list[Row]:
    """What the distances are where nothing is wrong: halves of the test set, and the many-step solution itself."""
    rng = np.random.default_rng(0)
    subject = lab.subject(model, 0, lab.plan.samples)
    halves = np.array_split(rng.permutation(subject.against), 2)
    few = rng.permutation(subject.against)[: lab.plan.samples]
    solutions = [lab.subject(model, seed, lab.plan.samples).solution_features for seed in range(lab.plan.seeds)]
    parts: list[tuple[str, int, list[Any]]] = [
        ("two halves of the test set", len(halves[0]), [halves]),
        ("as many test images as samples", len(few), [(few, subject.against)]),
        ("the many-step solution", lab.plan.samples, [(each, subject.against) for each in solutions]),
    ]
    return [
        {"model": model, "what": what, "n": n, "measure": measure}
        | {"value": float(np.mean([distance(*pair) for pair in pairs]))}
        for what, n, pairs in parts
        for measure, distance in (("fid_test", frechet_distance), ("kid_test", kernel_distance))
    ]


def tests(lab: Lab, model: str, found: list[Task]) -> list[Row]:
    """HSO's exact search, at every terminal, against every rival, by image; Holm's correction over the model."""
    compared: list[Row] = []
    for solver in dict.fromkeys(task[1] for task in found):
        for nfe in lab.plan.nfe:
            errors = {
                (name, terminal): np.concatenate(
                    [measured(lab, model, seed, solver, schedule)["rmse"] for seed in range(lab.plan.seeds)]
                )
                for _, s, n, name, terminal, schedule in found
                if (s, n) == (solver, nfe)
            }
            for ours in (key for key in errors if key[0] == OURS):
                for rival in (key for key in errors if key[0] != OURS):
                    result = compare(errors[ours], errors[rival], seed=0)
                    compared.append(
                        {"model": model, "solver": solver, "nfe": nfe, "measure": "rmse"}
                        | {"ours": ", ".join(ours), "rival": ", ".join(rival)}
                        | result._asdict()
                    )
    adjusted = holm([float(row["p"]) for row in compared])
    return [row | {"p_holm": p} for row, p in zip(compared, adjusted, strict=True)]
