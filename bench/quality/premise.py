"""The premise: does a schedule with a low proxy give good images? Random feasible schedules, and rank correlations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import hso
import nodes
from hso._optimize import Limits, Terminal
from significance import rank_correlation

Array = npt.NDArray[np.float64]
Measure = Callable[[hso.Schedule], Mapping[str, float]]

COUNT = 200
"""Random schedules, unless asked for more or fewer."""

WIDE = 0.01
"""A `d_min` for `random_schedules` that leaves nearly all schedules in: the paper's least for any nfe. Multistep
solvers refuse to run with nodes much closer."""

_BLOCK = 4096


def random_schedules(
    noise: hso.NoiseSchedule,
    nfe: int,
    *,
    seed: int,
    terminal: Terminal = "zero",
    count: int = COUNT,
    d_min: float | None = None,
    limits: Limits = "published",
) -> list[hso.Schedule]:
    """Schedules whose nodes t are uniform over all that HSO may choose from.

    That is, the polytope of nodes with ends in the paper's ranges and at least `d_min` apart, by default
    `hso.d_min(nfe)`; with limits "measured" the ends and the spacing are hso's own, and only the interior varies. There
    MEP and SPF are the same; WIDE draws schedules that miss the spacing too, on which they differ. Between given
    ends the polytope's volume goes with slack^(intervals - 1), where slack is what the spacing leaves over: so ends
    are drawn and kept with that probability, and the slack is split evenly over the simplex (Dirichlet). Raises
    ValueError where the spacing does not fit.
    """
    if nfe < 2 or count < 1:
        raise ValueError(f"nfe must be at least 2 and count at least 1, got {nfe} and {count}")
    least = hso.d_min(nfe) if d_min is None else d_min
    (low_end, high_end), (low_start, high_start) = (nodes.from_clock(noise, ends) for ends in (nodes.LAST, nodes.FIRST))
    if limits == "measured":
        ours = hso.optimize(noise, nfe, terminal=terminal, limits=limits, gap=None)
        low_end = high_end = ours.psi.t_min
        low_start = high_start = ours.psi.t_max
        least = ours.d_min if d_min is None else d_min
    intervals = nodes.count(nfe, terminal) - 1
    room = high_start - low_end - intervals * least
    if not room > 0.0:
        raise ValueError(f"d_min must be below {(high_start - low_end) / intervals:.4g} for {nfe} calls, got {least}")
    rng = np.random.default_rng(seed)
    ends: list[Array] = []
    while sum(map(len, ends)) < count:
        start, end = rng.uniform(low_start, high_start, _BLOCK), rng.uniform(low_end, high_end, _BLOCK)
        slack = start - end - intervals * least
        kept = rng.random(_BLOCK) < np.maximum(slack / room, 0.0) ** (intervals - 1) * (slack > 0.0)
        ends.append(np.stack([start, end], axis=1)[kept])
    start, end = np.concatenate(ends)[:count].T
    slack = start - end - intervals * least
    gaps = least + slack[:, None] * rng.dirichlet(np.ones(intervals), size=count)
    t = start[:, None] - np.concatenate([np.zeros((count, 1)), np.cumsum(gaps, axis=1)], axis=1)
    return [
        hso.Schedule.from_nodes(noise, row, terminal=terminal, d_min=least, search="random")
        for row in np.clip(t, *noise.t_range)
    ]


def proxies(noise: hso.NoiseSchedule, schedule: hso.Schedule) -> dict[str, float]:
    """MEP, SPF with the paper's spacing and weight, and DM-NonUni's bound of the optimized nodes."""
    lam = noise.lam(nodes.of(schedule))
    return {
        "mep": float(hso.mep(noise, lam)),
        "spf": hso.spf(noise, lam, schedule.nfe),
        "dm_nonuni": hso.dm_nonuni(noise, lam),
    }


def study(
    noise: hso.NoiseSchedule, schedules: Sequence[hso.Schedule], measure: Measure, *, seed: int
) -> list[dict[str, Any]]:
    """Measures every schedule; one row for every proxy and measure, with all points [proxy, measure].

    A row says "nfe", "terminal", "d_min", "schedules", "proxy", "measure", "spearman" with its 95 % interval "low" and
    "high", and "kendall" with its own. Whoever knows the model and the solver adds them.
    """
    if len(schedules) < 2:
        raise ValueError(f"schedules must be at least 2, for a correlation, got {len(schedules)}")
    measured = [measure(schedule) for schedule in schedules]
    guessed = [proxies(noise, schedule) for schedule in schedules]
    first = schedules[0]
    cell = {"nfe": first.nfe, "terminal": first.terminal, "d_min": first.d_min, "schedules": len(schedules)}
    rows = []
    for proxy in guessed[0]:
        for name in measured[0]:
            points = [[guess[proxy], float(found[name])] for guess, found in zip(guessed, measured, strict=True)]
            correlation = rank_correlation(*zip(*points, strict=True), seed=seed)
            rows.append(cell | {"proxy": proxy, "measure": name} | correlation._asdict() | {"points": points})
    return rows
