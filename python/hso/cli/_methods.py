"""The methods that `hso compare` sets side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._exit import bad_input, nearest
from ._options import SearchOptions
from ._source import Source

if TYPE_CHECKING:
    from .. import NoiseSchedule, Schedule

SEARCHES = ("exact", "bilevel", "paper")
BASELINES = ("uniform_t", "uniform_lambda", "karras", "kl_optimal", "linear_quadratic", "beta", "ays", "dm_nonuni")
METHODS = ("calibrated", *SEARCHES, *BASELINES)
_USUAL = ("exact", "paper", "uniform_t", "uniform_lambda", "karras", "dm_nonuni")
_GAMMA = 1e9  # the published weight of the spacing


@dataclass(frozen=True)
class Row:
    """One method's schedule, judged as all others are.

    Attributes:
        method: Its name.
        schedule: What it gives.
        mep: Its MEP.
        fitness: MEP plus the published penalty for lacking the spacing that the optimum was asked to keep.
        above: How far its MEP is above the least between its own ends, relative, at its own spacing or that of the
            optimum, whichever is less.
        error: What a profile expects; None without one.
    """

    method: str
    schedule: Schedule
    mep: float
    fitness: float
    above: float
    error: float | None


def chosen(words: list[str] | None, source: Source, terminal: str, *, same_ends: bool) -> list[str]:
    """The methods asked for, or the usual ones for a source."""
    names = [part.strip() for word in words or [] for part in word.split(",")]
    for name in names:
        if name not in METHODS:
            raise bad_input(
                f"there is no method {name!r}{nearest(name, METHODS) or ';'} there are {', '.join(METHODS)}"
            )
        if name == "calibrated" and source.profile is None:
            raise bad_input("the method 'calibrated' needs a profile as source: hso calibrate makes one")
        if name == "ays" and same_ends:
            raise bad_input("the method 'ays' has published ends: leave out --same-ends")
        if terminal == "skip" and name not in SEARCHES:
            raise bad_input(f"the method {name!r} knows the terminals zero and t_min, not skip")
    if names:
        return list(dict.fromkeys(names))
    if terminal == "skip":
        return list(SEARCHES)
    measured = ["calibrated"] if source.profile is not None else []
    tables = ["ays"] if source.noise.family == "vp" and not same_ends else []
    return [*measured, *_USUAL, *tables]


def compared(source: Source, nfe: int, names: list[str], search: SearchOptions, *, same_ends: bool) -> list[Row]:
    """Each method's schedule of `nfe` calls; with `same_ends` between those of the optimum."""
    import hso

    given = search.given()
    best = hso.optimize(source.noise, nfe, **{**given, "gap": None, "search": "exact"})
    spacing = best.d_min
    ends = {"t_min": best.psi.t_min, "t_max": best.psi.t_max} if same_ends else {}
    if same_ends:
        given = {**given, "d_min": spacing}
    rows = []
    for name in names:
        schedule = _made(name, source, nfe, given, ends)
        error = None if source.profile is None else source.profile.error(schedule)
        judged = _judged(source.noise, schedule, spacing, given.get("p"))
        own = {"t_min": (judged.psi.t_min,) * 2, "t_max": (judged.psi.t_max,) * 2}
        room = {"d_min": min(spacing, judged.min_spacing)}
        least = hso.optimize(source.noise, nfe, **{**given, **own, **room, "gap": None, "search": "exact"})
        rows.append(Row(name, schedule, judged.mep, judged.fitness, max(judged.mep / least.mep - 1.0, 0.0), error))
    return rows


def _made(name: str, source: Source, nfe: int, given: dict[str, Any], ends: dict[str, float]) -> Schedule:
    import hso
    from hso.solvers import steps_within

    terminal = given.get("terminal", "zero")
    if name == "calibrated" and source.profile is not None:
        fixed: Any = _fixed(ends)
        found: Schedule = source.profile.optimize(nfe, terminal=terminal, **fixed)
        return found
    if name in SEARCHES:
        certificate = {} if name == "exact" else {"gap": None}
        return hso.optimize(source.noise, nfe, **{**given, **certificate, **_fixed(ends), "search": name})
    make: Callable[..., Schedule] = getattr(hso.schedules, name)
    more: dict[str, Any] = {"model": "sdxl" if "xl" in source.name else "sd15"} if name == "ays" else dict(ends)
    if name == "uniform_t" and ends:  # which is laid out on the sampler's clock
        more = {"spacing": "linspace", **{end: _unshifted(source.noise, t) for end, t in ends.items()}}
    return make(source.noise, steps_within(nfe, given.get("solver")), terminal=terminal, **more)


def _unshifted(noise: NoiseSchedule, t: float) -> float:
    """The u with noise.shifted(u) = t."""
    return t / (noise.shift - (noise.shift - 1.0) * t)


def _fixed(ends: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (t, t) for name, t in ends.items()}


def _judged(noise: NoiseSchedule, schedule: Schedule, spacing: float, p: float | None) -> Schedule:
    """The same nodes, their objective MEP and their spacing that of the optimum."""
    import hso

    if schedule.terminal == "skip":  # its last node is not among t; all of these are searched for by MEP
        return schedule
    nodes = schedule.t if schedule.terminal == "t_min" else schedule.t[:-1]
    return hso.Schedule.from_nodes(noise, nodes, terminal=schedule.terminal, p=p, gamma=_GAMMA, d_min=spacing)
