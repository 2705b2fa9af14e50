"""What a factor on the initial noise gives: the profile's, and that predicted for Gaussian data."""

from __future__ import annotations

from typing import Any, Literal

import calibration_methods as methods
import hso
from calibration_counts import Counts
from calibration_errors import means, subjects_of
from calibration_source import SEED, SOLVERS, Source, optimized
from hso import objectives

Row = dict[str, Any]
Least = Literal["w2", "rmse"]
LEAST: tuple[Least, ...] = ("w2", "rmse")


def rows(source: Source, counts: Counts) -> list[Row]:
    """HSO's and calibrated schedules without a gain, with the profile's, and with that predicted for Gaussian data."""
    subjects = subjects_of(source, counts)
    variances, _ = methods.covariance(source)
    found = []
    for solver in counts.solvers:
        calibrated = source.calibrated(solver, counts.uses_budget, SEED)
        schedules = optimized(calibrated, counts.nfe).schedules
        steps: Literal["ddim", "dpm-solver++"] = "ddim" if SOLVERS[solver][1] == 1 else "dpm-solver++"
        for nfe in counts.nfe:
            for name, schedule in (("HSO", hso.optimize(source.noise, nfe, gap=None)), ("calibrated", schedules[nfe])):
                gains = {"none": 1.0, "profile.gain": calibrated.profile.gain(schedule)}
                for least in LEAST:
                    gains[f"predicted, {least}"] = objectives.predicted_gain(
                        source.noise, schedule, variances, solver=steps, minimize=least
                    )
                for kind, gain in gains.items():
                    cell = {"model": source.name, "solver": solver, "nfe": nfe, "schedule": name}
                    measured = means(subjects, solver, schedule.with_gain(gain))
                    found.append(cell | {"by": kind, "gain": gain} | measured)
    return found
