"""What a run of the lab measures: its settings, and the list of single measurements that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import hso
from catalogue import catalogue
from run import solvers_for

Task = tuple[str, str, int, str, str, hso.Schedule]
"""Model, solver, nfe, the schedule's name, its terminal, the schedule."""

EVERY_NFE = (3, 4, 5, 6, 8, 10, 15, 20)


@dataclass(frozen=True)
class Plan:
    """Settings of a run.

    Attributes:
        models: by name.
        solvers: of those that a model is run with.
        nfe: network calls.
        seeds: banks of noise; deviations are over these.
        samples: images a seed.
        premise: random schedules with the paper's limits for each model, solver and nfe of `premise_nfe`.
        interior: those between hso's own ends.
        premise_nfe: where the premise, the ablation and the oracle are looked at.
        premise_samples: images for each random schedule.
        oracle: evaluations of the direct optimization, 0 for none.
        oracle_samples: images of one, and as many others that it is judged on.
    """

    models: tuple[str, ...]
    solvers: tuple[str, ...]
    nfe: tuple[int, ...]
    seeds: int
    samples: int
    premise: int
    interior: int
    premise_nfe: tuple[int, ...]
    premise_samples: int
    oracle: int
    oracle_samples: int

    def solvers_of(self, model: str) -> list[str]:
        """Those of the plan that the model is run with; DDIM stands for Euler too, its name for flow models."""
        return [each for each in solvers_for(model) if ("DDIM" if each == "Euler" else each) in self.solvers]

    def as_json(self) -> dict[str, Any]:
        """For the results document."""
        return asdict(self)


QUICK = Plan(
    models=("mixture", "sd"),
    solvers=("DDIM", "UniPC-2"),
    nfe=(4, 5, 8),
    seeds=2,
    samples=16,
    premise=24,
    interior=24,
    premise_nfe=(5,),
    premise_samples=16,
    oracle=0,
    oracle_samples=16,
)
FULL = Plan(
    models=("mixture", "edm", "sd", "ddpm", "flow", "latent"),
    solvers=("DDIM", "DPM++ 2M", "UniPC-2", "UniPC-3"),
    nfe=EVERY_NFE,
    seeds=3,
    samples=128,
    premise=200,
    interior=50,
    premise_nfe=(4, 5, 8),
    premise_samples=32,
    oracle=400,
    oracle_samples=64,
)


def tasks(
    plan: Plan, model: str, noise: hso.NoiseSchedule, check: Callable[[str, hso.Schedule], object]
) -> tuple[list[Task], list[dict[str, Any]]]:
    """Every schedule to measure on one model, and those that cannot be made or run, with the reason.

    `check` raises ValueError for a schedule that the solver's scheduler refuses.
    """
    found: list[Task] = []
    left_out: list[dict[str, Any]] = []
    for solver in plan.solvers_of(model):
        for nfe in plan.nfe:
            for (name, terminal), make in catalogue(noise, nfe, solver, decoder=model == "latent").items():
                try:
                    schedule = make()
                    check(solver, schedule)
                except ValueError as error:
                    left_out.append(
                        {"model": model, "solver": solver, "nfe": nfe, "schedule": name, "terminal": terminal}
                        | {"reason": str(error)}
                    )
                    continue
                found.append((model, solver, nfe, name, terminal, schedule))
    return found, left_out
