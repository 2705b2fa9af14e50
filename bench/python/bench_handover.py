"""What it costs to hand a schedule to each diffusers scheduler: apply, set_timesteps, restore.

What is installed is checked before it is timed. Writes a JSON with the machine, the command and every row.

    python bench/python/bench_handover.py --out bench/results/handover.json
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

import hso
from bench_common import as_time, hold_blas_to_one_thread, seconds_of, summary, time_calls, write_report

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
STEPS = 20
TO_T_MIN = ("DEISMultistepScheduler", "SASolverScheduler")
"""Classes that cannot go to sigma 0."""


def schedule_for(scheduler: Any) -> hso.Schedule:
    """Twenty steps on the scheduler's own noise schedule."""
    noise = hso.diffusers.noise_schedule(scheduler)
    to_t_min = type(scheduler).__name__ in TO_T_MIN
    return hso.schedules.uniform_t(noise, STEPS, terminal="t_min" if to_t_min else "zero")


def check(scheduler: Any, schedule: hso.Schedule) -> None:
    """The first and the last timestep that the scheduler holds are the schedule's, whatever stands between them."""
    told = scheduler.timesteps.numpy()
    runs = hso.diffusers.realised(scheduler)
    if runs.steps != schedule.steps or not np.allclose(told[[0, -1]], runs.timesteps[[0, -1]], rtol=1e-6, atol=1e-6):
        raise SystemExit(f"{type(scheduler).__name__} does not hold the schedule: {told}")


def row(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One class with one configuration; `first` is apply to a scheduler that holds no schedule."""
    make = getattr(diffusers, name)
    stock, scheduler = make(**settings), make(**settings)
    schedule = schedule_for(scheduler)

    def first() -> float:
        elapsed = seconds_of(lambda: hso.diffusers.apply(scheduler, schedule))
        hso.diffusers.restore(scheduler)
        return elapsed

    first()
    firsts = [first() for _ in range(200)]
    held = hso.diffusers.apply(scheduler, schedule)
    held.set_timesteps(STEPS)
    check(held, schedule)
    return {
        "scheduler": name,
        "settings": {key: value for key, value in settings.items() if key not in SD},
        "noise_schedule": time_calls(lambda: hso.diffusers.noise_schedule(stock), least=200, most=200),
        "first": summary(firsts),
        "set_timesteps": time_calls(lambda: held.set_timesteps(STEPS), least=200, most=200),
        "restore": summary([undone(scheduler, schedule) for _ in range(50)]),
        "stock_set_timesteps": time_calls(lambda: stock.set_timesteps(STEPS), least=50, most=50),
    }


def undone(scheduler: Any, schedule: hso.Schedule) -> float:
    """Seconds of one restore."""
    held = hso.diffusers.apply(scheduler, schedule)
    return seconds_of(lambda: hso.diffusers.restore(held))


def configurations() -> list[tuple[str, dict[str, Any]]]:
    """Every supported class as it is; those with a grid of the beta distribution, the slowest, with that too."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in hso.diffusers.supported():
        plain = {} if name.startswith(("EDM", "FlowMatch")) else SD
        found.append((name, plain))
        if plain and "use_beta_sigmas" in getattr(diffusers, name)().config:
            found.append((name, {**SD, "use_beta_sigmas": True}))
    return found


def main() -> None:
    """Runs everything, writes its JSON, prints a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # what apply has to say of each class
    rows = [row(name, settings) for name, settings in configurations()]
    for each in rows:
        figures = [f"{key} {as_time(each[key]['median'])}" for key in ("first", "set_timesteps", "stock_set_timesteps")]
        print(each["scheduler"], *each["settings"], *figures, sep="  ")
    worst = max(rows, key=lambda each: each["first"]["median"])
    print(f"slowest: apply to {worst['scheduler']}, {as_time(worst['first']['median'])}")
    about = f"a schedule of {STEPS} steps, one thread; times in seconds"
    write_report(options.out, "bench_handover.py", about, {"rows": rows})


if __name__ == "__main__":
    hold_blas_to_one_thread()
    main()
