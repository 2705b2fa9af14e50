"""How good a schedule could be: direct optimization on the error itself, and the share of that gain that others get.

The error is RMSE to the many-step solution over a training set of noises; what is reported is that over others. No
method that never samples the model can be expected to reach it, and it is a local optimum, not a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

import hso
import nodes

Array = npt.NDArray[np.float64]
Terminal = Literal["zero", "t_min"]
Rmse = Callable[[hso.Schedule, str], float]
"""The mean RMSE of a schedule over the split "train" or "test"."""

UNIFORM = "uniform t"
ORACLE = "oracle"

_STEP = 0.25  # of a new simplex, in logits and in radians of the ends
_GAP = 0.02  # in lambda, that nodes keep: multistep solvers refuse to run with a hundredth beside large steps


def starts(noise: hso.NoiseSchedule, nfe: int, *, terminal: Terminal) -> dict[str, hso.Schedule]:
    """Where the optimization starts: uniform t, uniform lambda, Karras, HSO."""
    made = hso.schedules
    return {
        UNIFORM: made.uniform_t(noise, nfe, terminal=terminal),
        "uniform lambda": made.uniform_lambda(noise, nfe, terminal=terminal),
        "Karras": made.karras(noise, nfe, terminal=terminal),
        "HSO": hso.optimize(noise, nfe, terminal=terminal, gap=None),
    }


def optimize(
    noise: hso.NoiseSchedule,
    rmse: Rmse,
    start: Mapping[str, hso.Schedule],
    *,
    evaluations: int = 400,
    t_range: tuple[float, float] | None = None,
) -> hso.Schedule:
    """The schedule with the least `rmse(schedule, "train")` that `evaluations` of it find.

    Nelder and Mead's simplex method: from every one of `start` with half of the budget, then again and again
    from the best of all. Deterministic. The starts are evaluated too, so that none is better than the result.

    Args:
        noise: The noise schedule.
        rmse: The error.
        start: Schedules of one nfe and terminal, "zero" or "t_min".
        evaluations: At least one for every start.
        t_range: Where the ends may lie, and all nodes with them: by default wherever the noise schedule has t.
            Starts that reach outside are moved inside.
    """
    first = next(iter(start.values()), None)
    if first is None or any((s.nfe, s.terminal) != (first.nfe, first.terminal) for s in start.values()):
        raise ValueError("start must hold schedules of one nfe and terminal")
    if first.terminal == "skip" or nodes.of(first).size < 2:
        raise ValueError(f"start must have terminal 'zero' or 't_min' and 2 nodes, got {first}")
    if evaluations < len(start):
        raise ValueError(f"evaluations must be at least {len(start)}, one for every start, got {evaluations}")
    low, high = t_range or noise.t_range
    space = _Space(noise, first.terminal, noise.lam(high), noise.lam(low), nodes.of(first).size - 1)
    if not space.fits():
        raise ValueError(f"t_range must have room for {nodes.of(first).size} nodes, got {low}..{high}")
    search = _Search(space, rmse, evaluations)
    inside = [each if space.holds(each) else space.schedule(space.coordinates(each)) for each in start.values()]
    for schedule in inside:
        search.see(schedule)
    for schedule in inside:
        search.descend(space.coordinates(schedule), (evaluations - len(start)) // (2 * len(start)))
    while search.left > 0:
        before = search.least
        search.descend(space.coordinates(search.best), search.left)
        if search.least > (1.0 - 1e-4) * before:
            break
    return search.best


def shares(rmse: Mapping[str, float]) -> dict[str, float | None]:
    """(uniform - method) / (uniform - oracle) of every method; None where the oracle is no better than uniform t."""
    for name in (UNIFORM, ORACLE):
        if name not in rmse:
            raise ValueError(f"rmse must have a value for {name!r}, got {', '.join(rmse)}")
    gap = rmse[UNIFORM] - rmse[ORACLE]
    return {name: (rmse[UNIFORM] - value) / gap if gap > 0.0 else None for name, value in rmse.items()}


def rows(schedules: Mapping[str, hso.Schedule], rmse: Rmse, **cell: Any) -> list[dict[str, Any]]:
    """One row for every schedule, "oracle" and "uniform t" among them: `cell`, its errors and its share on "test"."""
    test = {name: rmse(schedule, "test") for name, schedule in schedules.items()}
    closed = shares(test)
    return [
        cell
        | {"nfe": schedule.nfe, "method": name, "terminal": schedule.terminal, "timesteps": schedule.timesteps.tolist()}
        | {"rmse": test[name], "rmse_train": rmse(schedule, "train"), "share": closed[name]}
        for name, schedule in schedules.items()
    ]


@dataclass(frozen=True)
class _Space:
    """Nodes lambda_0 < ... < lambda_K within low..high as K + 1 unbounded coordinates.

    Two angles put the ends, the first node at low + sin^2(a) of what it may have, the last at sin^2(b) of what that
    leaves: so the bounds are reached, at finite angles. The others are logits of the gaps between, less what all
    gaps keep, with 0 for the first gap.
    """

    noise: hso.NoiseSchedule
    terminal: str
    low: float
    high: float
    intervals: int

    @property
    def _least(self) -> float:
        """What the ends keep between them."""
        return 2.0 * _GAP * self.intervals

    def fits(self) -> bool:
        """Whether there is room for the gaps."""
        return self.high - self.low > self._least

    def holds(self, schedule: hso.Schedule) -> bool:
        """Whether all nodes are within the range, but for rounding."""
        lam = np.asarray(self.noise.lam(nodes.of(schedule)))
        return bool(np.all((lam >= self.low - 1e-9) & (lam <= self.high + 1e-9)))

    def schedule(self, x: Array) -> hso.Schedule:
        """The schedule at coordinates x."""
        start = self.low + (self.high - self._least - self.low) * np.sin(x[0]) ** 2
        end = start + self._least + (self.high - start - self._least) * np.sin(x[1]) ** 2
        parts = np.exp(np.append(0.0, x[2:]) - np.max(x[2:], initial=0.0))
        gaps = _GAP + (end - start - self.intervals * _GAP) * parts / parts.sum()
        lam = start + np.append(0.0, np.cumsum(gaps))
        t = self.noise.t(np.clip(lam, *self.noise.lambda_range))
        return hso.Schedule.from_nodes(self.noise, t, terminal=self.terminal, search=ORACLE)

    def coordinates(self, schedule: hso.Schedule) -> Array:
        """The coordinates of a schedule."""
        lam = np.asarray(self.noise.lam(nodes.of(schedule)))
        start, end = np.clip(lam[[0, -1]], self.low, self.high)
        first = _angle((start - self.low) / (self.high - self._least - self.low))
        last = _angle((end - start - self._least) / max(self.high - start - self._least, self._least))
        gaps = np.maximum(np.diff(lam) - _GAP, 1e-3 * _GAP)
        return np.concatenate([[first, last], np.log(gaps[1:] / gaps[0])])


def _angle(share: float) -> float:
    return float(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))))


@dataclass
class _Search:
    """Counts evaluations, and keeps the best schedule that was seen."""

    space: _Space
    rmse: Rmse
    left: int
    best: hso.Schedule = field(init=False)
    least: float = field(init=False, default=np.inf)

    def see(self, schedule: hso.Schedule) -> float:
        """The error of one schedule."""
        self.left -= 1
        error = float(self.rmse(schedule, "train"))
        if error < self.least:
            self.best, self.least = schedule, error
        return error

    def descend(self, start: Array, budget: int) -> None:
        """A simplex search of at most `budget` evaluations; it steps inwards where an end is at its bound."""
        simplex = np.vstack([start, start + _STEP * np.eye(start.size)])
        minimize(
            lambda x: self.see(self.space.schedule(x)),
            start,
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "maxfev": budget, "adaptive": True, "xatol": 1e-4, "fatol": 0.0},
        )
