"""Do objectives rank schedules as their errors do? Rank correlations over random schedules."""

from __future__ import annotations

from typing import Any

import numpy as np

import hso
import premise
from calibration_counts import Counts
from calibration_errors import errors
from calibration_objectives import values
from calibration_source import Source
from significance import rank_correlation
from subject import Subject

Row = dict[str, Any]

_GAP = 0.02  # in lambda, as the oracle's least


def rows(source: Source, counts: Counts) -> list[Row]:
    """One row for every solver, number of calls, kind of ends and objective."""
    subject = Subject(source.name, 0, counts.random_images, source.store)
    found: list[Row] = []
    for solver in counts.solvers:
        objectives = values(source, counts, solver)
        for nfe in counts.random_nfe:
            for ends in counts.ends:
                schedules = random_schedules(source.noise, nfe, ends, counts.random)
                truth = errors(subject, solver, schedules)
                kept = np.flatnonzero(np.isfinite(truth))
                cell = {"model": source.name, "solver": solver, "nfe": nfe, "ends": ends, "schedules": len(kept)}
                for name, value in objectives.items():
                    guesses = np.array([value(schedules[i]) for i in kept])
                    correlation = rank_correlation(guesses, truth[kept], seed=0, resamples=500)
                    found.append(cell | {"objective": name, "images": subject.count} | correlation._asdict())
    return found


def random_schedules(noise: hso.NoiseSchedule, nfe: int, ends: str, count: int) -> list[hso.Schedule]:
    """Of the premise's, with hardly any spacing asked for where the ends are in the paper's ranges; or "free"."""
    if ends == "published":
        return premise.random_schedules(noise, nfe, seed=nfe, count=count, d_min=premise.WIDE)
    if ends == "measured":
        return premise.random_schedules(noise, nfe, seed=nfe, count=count, limits="measured")
    return _free(noise, nfe, count)


def _free(noise: hso.NoiseSchedule, nfe: int, count: int) -> list[hso.Schedule]:
    """Ends anywhere: the first in the first half of the range of lambda, the last in the rest, gaps as they fall."""
    low, high = noise.lambda_range
    rng = np.random.default_rng(nfe)
    found = []
    for _ in range(count):
        first = low + 0.5 * (high - low) * rng.random()
        last = first + (nfe - 1) * _GAP + (high - first - (nfe - 1) * _GAP) * rng.random()
        gaps = _GAP + (last - first - (nfe - 1) * _GAP) * rng.dirichlet(np.ones(nfe - 1))
        lam = np.clip(first + np.append(0.0, np.cumsum(gaps)), low, high)
        found.append(hso.Schedule.from_nodes(noise, noise.t(lam), d_min=0.0, search="random"))
    return found
