"""Refinement by any number that says how good a schedule is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .._arrays import Array
from ..checks import as_integer, as_number, as_positive
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from . import _evolution, _simplex
from ._refined import History, Refined
from ._space import Space
from ._start import as_start

Metric = Callable[[Schedule], float]


def by_metric(
    metric: Metric,
    schedule: Schedule,
    noise: NoiseSchedule,
    *,
    budget: int = 200,
    validate: Metric | None = None,
    finalists: int = 5,
    noisy: bool = False,
    step: float = 0.4,
    free_ends: bool = True,
    gain: bool = False,
    lambda_range: tuple[float, float] | None = None,
    seed: int = 0,
) -> Refined:
    """Searches around a schedule for one with a lower metric; no gradients, noise allowed.

    Moves angles of the ends and logits of the gaps in lambda, with Nelder and Mead's simplex method and restarts, or,
    where the metric is noisy, with covariance matrix adaptation. Nodes stay in order, in range and 0.02 in lambda
    apart, or half the start's least gap. The lowest of noisy values is the luckiest: with `validate` (the metric on
    other or more images) the start and the finalists are judged anew, and the lowest there is returned. As the start is
    among them, the result is never worse where it is decided.

    Args:
        metric: metric(schedule) -> number, lower is better: FID, LPIPS to a teacher, minus a preference score. NaN and
            infinities are the worst; what it raises is passed on.
        schedule: where to start: 2 nodes or more; of terminal "skip" the result has "zero". Its solver and gain stay.
        noise: the noise schedule that it was made for.
        budget: calls of the metric, 1 or more, exactly: the start's is the first.
        validate: decides between finalists, each asked once; None: the metric decides.
        finalists: how many of the best seen are validated, 1 or more, besides the start and where the search ended.
        noisy: whether the metric gives the same schedule different values, or close ones unrelated values: fewer and
            fresh images for each call. With the same noise for each, it does not.
        step: of the first steps, in radians of the ends and logits of gaps.
        free_ends: whether the first and the last node move, within `lambda_range`.
        gain: whether the factor on the initial noise is searched too.
        lambda_range: where nodes may lie; the noise schedule's range if None.
        seed: of the search.

    Raises:
        ValueError: an argument is impossible, or the metric gives no number.
    """
    start = as_start(schedule, noise, lambda_range)
    budget, finalists = as_integer("budget", budget, least=1), as_integer("finalists", finalists, least=1)
    step, seed = as_positive("step", step), as_integer("seed", seed, least=0)
    space = Space(start, free_ends=free_ends, gain=gain)
    if not space.origin.size:
        raise ValueError("schedule must have 3 nodes where its ends do not move: nothing is left to search")

    seen: list[tuple[float, Schedule]] = [(_number("metric", metric(schedule)), schedule)]

    def see(x: Array) -> float:
        tried = space.schedule(x)
        seen.append((_number("metric", metric(tried)), tried))
        return seen[-1][0]

    search = _evolution.minimize if noisy else _simplex.minimize
    centre = search(see, space.origin, step=step, budget=budget - 1, seed=seed)
    ranked = sorted(seen, key=lambda pair: pair[0])  # stable: among equals the start comes first
    train = np.array([value for value, _ in seen])
    if validate is None:
        return Refined(ranked[0][1], None, History(train, np.empty(0)), len(seen))
    best = [tried for value, tried in ranked[:finalists] if tried is not schedule and math.isfinite(value)]
    candidates = [schedule, *best, *([space.schedule(centre)] if len(seen) > 1 else [])]
    judged = np.array([_number("validate", validate(candidate)) for candidate in candidates])
    return Refined(candidates[int(np.argmin(judged))], None, History(train, judged), len(seen))


def _number(name: str, value: float) -> float:
    number = as_number(f"the value of {name}", value)
    return number if math.isfinite(number) else math.inf
