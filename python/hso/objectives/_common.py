"""What the objectives share: numbers of calls, ends, and schedules from lambdas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ..checks import as_integer, as_number, one_of
from ..noise_schedule import NoiseSchedule, core_noise
from ..schedule import Schedule

Terminal: TypeAlias = Literal["zero", "t_min"]
Counts: TypeAlias = Sequence[int] | npt.NDArray[np.integer]

MAX_NFE = 10_000


def schedules(nfe: int | Counts, make: Callable[[list[int]], list[Schedule]]) -> Schedule | list[Schedule]:
    """make(counts) of all counts at once: a list where `nfe` is one, a single Schedule for a number."""
    many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str) and np.ndim(nfe) > 0
    counts = [as_integer("nfe", n, least=1, most=MAX_NFE) for n in (cast(Counts, nfe) if many else [nfe])]
    made = make(counts) if counts else []
    return made if many else made[0]


def as_terminal(terminal: str) -> Terminal:
    """`terminal` itself; ValueError unless it is "zero" or "t_min"."""
    return cast(Terminal, one_of("terminal", terminal, ("zero", "t_min")))


def ends(noise: NoiseSchedule, t_min: float | None, t_max: float | None) -> tuple[float, float]:
    """The first and the last node's lambda, by default the range's; ValueError outside it or in the wrong order."""
    core_noise(noise)
    low, high = noise.lambda_range
    first = low if t_max is None else _lam(noise, "t_max", t_max)
    last = high if t_min is None else _lam(noise, "t_min", t_min)
    if not first < last:
        raise ValueError(f"t_min must be below t_max = {noise.t(first):g}, got {noise.t(last):g}")
    return first, last


def _lam(noise: NoiseSchedule, name: str, value: float) -> float:
    t = as_number(name, value)
    try:
        return noise.lam(t)
    except ValueError:
        low, high = noise.t_range
        raise ValueError(f"{name} must be within the noise schedule's range {low}..{high}, got {t}") from None


def at_lambdas(noise: NoiseSchedule, lam: Array, terminal: Terminal, search: str) -> Schedule:
    """The schedule with nodes at `lam`, a rounding outside of the range allowed."""
    low, high = noise.lambda_range
    return Schedule.from_nodes(noise, np.asarray(noise.t(np.clip(lam, low, high))), terminal=terminal, search=search)
