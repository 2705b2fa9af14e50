"""A schedule in words: where its steps go and why, what binds, and how far it can be from the optimum."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import schedules
from ._arrays import Array
from ._optimize import optimize
from .noise_schedule import NoiseSchedule
from .schedule import Schedule
from .schedule_options import objective_arguments

_BINDS = 1e-6
"""How close to the spacing, relative to it, an interval is taken to be held by it."""


@dataclass(frozen=True)
class Explanation:
    """What can be said about a schedule. `str()` gives it as text.

    Attributes:
        facts: (topic, sentences), in the order of the text.
    """

    facts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n\n".join(
            textwrap.fill(f"{topic}: {sentences}", 100, break_long_words=False, break_on_hyphens=False)
            for topic, sentences in self.facts
        )


def explain(schedule: Schedule, noise: NoiseSchedule | None = None) -> Explanation:
    """Where a schedule's steps go and why, which limits hold it, and what is proved.

    Args:
        schedule: Any schedule.
        noise: The noise schedule that it was made for. With it what the spacing costs and what other schedules
            between the same ends come to is computed too.

    Raises:
        ValueError: `noise` is another noise schedule than the schedule's.
    """
    if not isinstance(schedule, Schedule):
        raise ValueError(f"schedule must be an hso.Schedule, got {schedule!r}")
    if noise is not None:
        schedule.check_noise(noise)
    return Explanation(tuple((topic, " ".join(words(schedule, noise))) for topic, words in _TOPICS))


def _calls(schedule: Schedule, _: NoiseSchedule | None) -> Iterator[str]:
    spent = f"{schedule.nfe} network call{'s' * (schedule.nfe != 1)}"
    if schedule.solver is not None:
        spent += f" of {schedule.solver} in {schedule.steps} step{'s' * (schedule.steps != 1)}"
    yield f"{spent} at t = {_numbers(schedule.t[: schedule.steps])}."
    if schedule.terminal == "zero":
        yield "After the last call the sample is the network's estimate of the image: the step ends at sigma 0."
    elif schedule.terminal == "skip":
        yield "From the last call the step goes straight to sigma 0."
    else:
        yield (
            f"The last step ends at t = {schedule.t[-1]:.4g}, sigma = {schedule.sigmas[-1]:.3g}, and leaves that much "
            "noise in the sample."
        )
    if schedule.gain != 1.0:
        yield f"Sampling starts from {schedule.gain:.4g} times the noise."


def _steps(schedule: Schedule, _: NoiseSchedule | None) -> Iterator[str]:
    noisy = int(np.sum(schedule.lambdas[: schedule.steps] < 0.0))
    yield f"{noisy} of {schedule.steps} nodes lie where there is more noise than signal (lambda < 0)."
    sizes = -np.diff(schedule.t[: _optimized(schedule)])
    if len(sizes) > 1:
        for name, i in (("largest", int(np.argmax(sizes))), ("smallest", int(np.argmin(sizes)))):
            yield f"The {name} step in t is the {_ordinal(i + 1)}, {schedule.t[i]:.4g} to {schedule.t[i + 1]:.4g}."


def _reason(schedule: Schedule, noise: NoiseSchedule | None) -> Iterator[str]:
    options, measured = schedule.options, schedule.options.get("calibration")
    if measured is not None:
        yield (
            f"The nodes are those with the least error that a calibration of the model expects "
            f"({measured['samples']} samples, {measured['evaluations']} network evaluations, objective "
            f"{measured['objective']!r}). MEP and fitness below did not choose them."
        )
    elif "search" not in options:
        yield f"The nodes were not searched for ({schedule.search}); MEP and fitness are only measured on them."
    elif options["objective"] == "dm_nonuni":
        yield "The nodes minimize DM-NonUni's bound of UniPC's error."
    elif options["proxy"] is not None:
        yield "The nodes minimize MEP with the tabulated error proxy: steps are short where it bends."
    elif options["p"] == 1.0:
        yield "The nodes minimize MEP with p = 1, whose optimum, spacing aside, is uniform in lambda."
    else:
        yield (
            f"The nodes minimize MEP, the error sigma^{options['p']:.4g}/alpha at each interval's middle times its "
            "length in exp(lambda): they gather where that weight bends most over lambda, as the cube root of "
            "w = G - G''."
        )
    if schedule.status == "collapsed":
        yield "The objective rewards huge steps here (p of 3 or more): nodes are as close as they may be."
    if noise is not None and options:
        yield from _rivals(schedule, noise)


def _rivals(schedule: Schedule, noise: NoiseSchedule) -> Iterator[str]:
    """What schedules between the same ends come to: MEP ranks what lies between ends, not the ends."""
    ends = {"t_min": schedule.psi.t_min, "t_max": schedule.psi.t_max}
    count = _optimized(schedule)
    if count < 3:
        return
    told = []
    for name, t in (
        ("uniform in t", np.linspace(ends["t_max"], ends["t_min"], count)),
        (
            "uniform in lambda",
            np.asarray(noise.t(np.linspace(noise.lam(ends["t_max"]), noise.lam(ends["t_min"]), count))),
        ),
        ("Karras", schedules.karras(noise, count - 1, terminal="t_min", **ends).t),
    ):
        t = np.clip(t, *noise.t_range)
        rival = Schedule.from_nodes(noise, t, terminal="t_min", d_min=0.0, **objective_arguments(schedule.options))
        told.append(f"{name} {rival.mep:.6g}")
    yield f"Its objective is {schedule.mep:.6g}; between the same ends, spacing aside: {', '.join(told)}."


def _ends(schedule: Schedule, _: NoiseSchedule | None) -> Iterator[str]:
    low, high = schedule.psi.t_min, schedule.psi.t_max
    rules = {
        "measured": "as samples ask for (docs/quality.md)",
        "published": "in the paper's ranges (t in 0.01..0.03 and 0.96..1)",
    }
    options = schedule.options
    for name, value, place in (("t_max", high, "first"), ("t_min", low, "last optimized")):
        given = options.get(name)
        if given is not None:
            how = (
                f"fixed at {given[0]:.4g}"
                if given[0] == given[1]
                else f"asked for within {given[0]:.4g}..{given[1]:.4g}"
            )
        else:
            how = rules.get(options.get("limits", ""), "as given")
        ve = math.exp(-schedule.lambdas[0 if name == "t_max" else _optimized(schedule) - 1])
        yield f"The {place} node is at t = {value:.4g} (sigma / alpha = {ve:.4g}), {how}."


def _spacing(schedule: Schedule, noise: NoiseSchedule | None) -> Iterator[str]:
    count = _optimized(schedule)
    sizes = -np.diff(schedule.t[:count])
    if not len(sizes):
        yield "There is one node, so no spacing."
        return
    if schedule.d_min == 0.0:
        yield f"None was asked for; the closest nodes are {schedule.min_spacing:.4g} apart in t."
        return
    missed = np.flatnonzero(sizes < schedule.d_min * (1.0 - _BINDS))
    held = np.flatnonzero(np.abs(sizes - schedule.d_min) <= schedule.d_min * _BINDS)
    yield f"Nodes are to be {schedule.d_min:.4g} apart in t; the closest are {schedule.min_spacing:.4g} apart."
    if missed.size:
        yield f"It is missed in {_intervals(missed)}: the penalty is {schedule.penalty:.6g}."
        if schedule.search == "paper":
            yield "The published search lets its lower level move nodes without regard to it."
        elif schedule.options.get("gamma") is not None and schedule.search == "exact":
            yield f"It is a penalty of weight {schedule.options['gamma']:.4g} here, no constraint."
    if not held.size and not missed.size:
        yield "It holds nothing."
    if held.size:
        yield f"It holds {_intervals(held)}."
        if noise is not None and schedule.search == "exact" and schedule.options.get("gamma") is None:
            free = optimize(
                noise,
                count - 1,
                terminal="t_min",
                d_min=0.0,
                t_min=(schedule.psi.t_min,) * 2,
                t_max=(schedule.psi.t_max,) * 2,
                gap=None,
                **objective_arguments(schedule.options),
            )
            saved = _percent(schedule.fitness, free.fitness)
            yield f"Without it the fitness would be {free.fitness:.6g}, {saved} lower."
    room = schedule.d_min * len(sizes) / float(schedule.t[0] - schedule.t[count - 1])
    if room > 0.9:
        yield f"It takes {100 * room:.0f} % of the room between the ends, which leaves little: try a smaller d_min."


def _proof(schedule: Schedule, _: NoiseSchedule | None) -> Iterator[str]:
    yield f"Fitness F = {schedule.fitness:.8g} (MEP {schedule.mep:.8g}, penalty {schedule.penalty:.6g})."
    if schedule.gap is not None and schedule.lower_bound is not None:
        yield (
            f"No schedule within these ends and spacing has F below {schedule.lower_bound:.8g}: "
            f"a gap of {schedule.gap:.1e}."
        )
        if schedule.status == "uncertified":
            yield "That is more than was asked for."
        yield "This is proved for the objective, not for images."
    else:
        yield "Nothing is proved about how far it is from the optimum; search='exact' with a gap does that."


_TOPICS: tuple[tuple[str, Callable[[Schedule, NoiseSchedule | None], Iterator[str]]], ...] = (
    ("Calls", _calls),
    ("Steps", _steps),
    ("Why", _reason),
    ("Ends", _ends),
    ("Spacing", _spacing),
    ("Proof", _proof),
)


def _optimized(schedule: Schedule) -> int:
    """Number of optimized nodes: all but sigma 0."""
    return schedule.steps + (schedule.terminal == "t_min")


def _numbers(values: Array) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def _intervals(found: npt.NDArray[np.intp]) -> str:
    if len(found) > 6:
        return f"{len(found)} intervals"
    return f"the {', '.join(_ordinal(int(i) + 1) for i in found)} interval{'s' * (len(found) > 1)}"


def _percent(higher: float, lower: float) -> str:
    share = (higher - lower) / higher if higher > 0.0 else 0.0  # a file may say any fitness
    return f"{100.0 * share:.2g} %"
