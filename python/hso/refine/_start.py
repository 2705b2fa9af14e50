"""The schedule that a refinement starts from, and the schedules that it makes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ..checks import as_range
from ..noise_schedule import NoiseSchedule, core_noise
from ..schedule import Schedule
from ..solvers import Solver

LEAST_GAP = 0.02
"""In lambda, that nodes keep unless the start has them closer: half of it is where multistep solvers fail."""


@dataclass(frozen=True)
class Start:
    """The nodes that move.

    Attributes:
        schedule: the schedule as it was given.
        noise: its noise schedule.
        lambdas: shape (K + 1,), K >= 1: half log-SNR of the nodes, increasing.
        terminal: "zero" or "t_min". From the nodes of "skip" the solver does what it does with "zero".
        low, high: where nodes may lie.
        least: least gap between nodes.
    """

    schedule: Schedule
    noise: NoiseSchedule
    lambdas: Array
    terminal: str
    low: float
    high: float
    least: float

    @property
    def intervals(self) -> int:
        """K."""
        return self.lambdas.size - 1

    def moved(
        self, lambdas: npt.ArrayLike, *, gain: float, solver: Solver | None, told: Array | None = None
    ) -> Schedule:
        """The schedule of other nodes (K + 1,), and of `told` (steps,) where that is not what they say."""
        t = np.asarray(self.noise.t(np.clip(lambdas, self.low, self.high)))
        made = Schedule.from_nodes(
            self.noise, t, terminal=self.terminal, d_min=0.0, search="refined", solver=solver
        ).with_gain(gain)
        return made if told is None else dataclasses.replace(made, timesteps=np.asarray(self.noise.timestep(told)))


def as_start(schedule: Schedule, noise: NoiseSchedule, lambda_range: tuple[float, float] | None) -> Start:
    """`schedule` as a start; ValueError unless it belongs to `noise` and has 2 nodes within the range."""
    core_noise(noise)
    if not isinstance(schedule, Schedule):
        raise ValueError(f"schedule must be an hso.Schedule, got {schedule!r}")
    if schedule.noise_fingerprint != noise.fingerprint:
        raise ValueError(
            f"noise must be the noise schedule that the schedule was made for: its fingerprint is "
            f"{noise.fingerprint}, the schedule's {schedule.noise_fingerprint}"
        )
    lambdas = schedule.lambdas if schedule.terminal == "t_min" else schedule.lambdas[:-1]
    if lambdas.size < 2:
        raise ValueError(f"schedule must have at least 2 nodes, got {lambdas.size}")
    low, high = noise.lambda_range if lambda_range is None else as_range("lambda_range", lambda_range)
    bounds = noise.lambda_range
    if not bounds[0] <= low < high <= bounds[1]:
        raise ValueError(f"lambda_range must be within the noise schedule's {bounds}, got {lambda_range}")
    if not (low - 1e-9 <= lambdas[0] and lambdas[-1] <= high + 1e-9):
        raise ValueError(
            f"schedule must lie within lambda_range = ({low}, {high}), got {lambdas[0]:.6g}..{lambdas[-1]:.6g}"
        )
    least = min(LEAST_GAP, 0.5 * float(np.diff(lambdas).min()))
    terminal = "t_min" if schedule.terminal == "t_min" else "zero"
    return Start(schedule, noise, np.clip(lambdas, low, high), terminal, low, high, least)
