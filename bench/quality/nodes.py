"""A schedule's optimized nodes on the sampler's clock u: t, and for a flow model t before its shift.

HSO's default ranges of the ends and uniform schedules are meant on that clock, see hso.NoiseSchedule.shifted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import hso

Array = npt.NDArray[np.float64]

LAST = (0.01, 0.03)
"""The paper's range of t_min, on the sampler's clock."""
FIRST = (0.96, 1.0)
"""The paper's range of t_max."""


def count(nfe: int, terminal: str) -> int:
    """How many nodes are optimized for `nfe` calls of a solver that makes one a step."""
    return nfe + (terminal != "zero")


def of(schedule: hso.Schedule) -> Array:
    """The optimized nodes t: the evaluated ones, and for "t_min" and "skip" the one that would follow."""
    t: Array = schedule.t[:-1]
    return t if schedule.terminal == "zero" else np.append(t, schedule.psi.t_min)


def to_clock(noise: hso.NoiseSchedule, t: npt.ArrayLike) -> Array:
    """u of t: the inverse of u -> shift u / (1 + (shift - 1) u)."""
    times = np.asarray(t, dtype=np.float64)
    u: Array = times / (noise.shift - (noise.shift - 1.0) * times)
    return u


def from_clock(noise: hso.NoiseSchedule, u: npt.ArrayLike) -> Array:
    """t of u, within the noise schedule's range."""
    times: Array = np.array([noise.shifted(float(value)) for value in np.ravel(np.asarray(u, dtype=np.float64))])
    return np.clip(times, *noise.t_range)
