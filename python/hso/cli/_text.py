"""Numbers and schedules as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ._console import warn
from ._table import table

if TYPE_CHECKING:
    from .. import Schedule

_NOTHING = 1e-9  # rounding, where a timestep or a sigma should be 0


def number(value: float | None, digits: int = 6) -> str:
    """A number with so many digits; "-" for None."""
    return "-" if value is None else f"{value:.{digits}g}"


def numbers(values: Iterable[float], digits: int = 5) -> str:
    """Numbers with blanks between them."""
    return " ".join(f"{0.0 if abs(value) < _NOTHING else value:.{digits}g}" for value in values)


def milliseconds(seconds: float) -> str:
    """A time as people read it."""
    return f"{seconds:.2f} s" if seconds >= 1.0 else f"{1e3 * seconds:.2g} ms"


def nodes_table(schedule: Schedule) -> str:
    """Each network call with its noise level, and where the last step ends."""
    rows = [
        [str(i + 1), f"{schedule.timesteps[i]:.2f}", *_level(schedule, i), number(schedule.t[i])]
        for i in range(schedule.steps)
    ]
    rows.append(["end", "", *_level(schedule, schedule.steps), number(schedule.t[-1])])
    return table(["call", "timestep", "sigma", "lambda", "t"], rows)


def schedules_table(schedules: Sequence[Schedule], errors: Sequence[float] | None) -> str:
    """A row for each schedule: the objective and what holds, or what a profile expects."""
    judged = ["F", "gap", "spacing", "d_min"] if errors is None else ["expected error"]
    rows = []
    for i, schedule in enumerate(schedules):
        cells = (
            [
                number(schedule.fitness, 7),
                number(schedule.gap, 2),
                spacing(schedule),
                number(schedule.d_min, 4),
            ]
            if errors is None
            else [number(errors[i], 4)]
        )
        rows.append([str(schedule.nfe), *cells, numbers(schedule.timesteps, 4)])
    return table(["nfe", *judged, "timesteps"], rows, left=["timesteps"])


def spacing(schedule: Schedule) -> str:
    """The least spacing; "-" for a single node."""
    return number(schedule.min_spacing, 4) if math.isfinite(schedule.min_spacing) else "-"


def summary(schedule: Schedule, error: float | None) -> str:
    """A line on what was minimized and what holds, or on what a profile expects."""
    if error is not None:
        return f"expected error {number(error, 4)}"
    parts = [f"F {number(schedule.fitness, 7)}"]
    if schedule.gap is not None:
        parts.append(f"gap {number(schedule.gap, 2)}")
    if math.isfinite(schedule.min_spacing):
        parts.append(f"spacing {spacing(schedule)} (at least {number(schedule.d_min, 4)})")
    return ", ".join([*parts, f"{schedule.status} in {milliseconds(schedule.elapsed)}"])


def warn_of(schedule: Schedule) -> None:
    """Tells on stderr where the search did not reach what it was asked for."""
    where = f"nfe {schedule.nfe}"
    if schedule.min_spacing < schedule.d_min * (1.0 - 1e-6):
        warn(
            f"{where}: the spacing is {spacing(schedule)}, below {number(schedule.d_min, 4)}: "
            "search paper does not keep it, exact and bilevel do"
            if schedule.search == "paper"
            else f"{where}: the spacing is {spacing(schedule)}, below {number(schedule.d_min, 4)}"
        )
    if schedule.status == "uncertified":
        warn(f"{where}: the gap is {number(schedule.gap, 2)}, above what --gap asks for")
    if schedule.status == "collapsed":
        warn(f"{where}: nodes lie as close as they may: this proxy rewards huge steps, try a smaller --p")
    if schedule.status == "max_generations":
        warn(f"{where}: the search stopped before it converged: try another --seed, or --search exact")


def _level(schedule: Schedule, i: int) -> list[str]:
    lam = schedule.lambdas[i]
    return [number(schedule.sigmas[i]), f"{lam:.4f}" if math.isfinite(lam) else "inf"]
