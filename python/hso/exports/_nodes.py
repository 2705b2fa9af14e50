"""From noise levels that came out of a text back to a schedule."""

from __future__ import annotations

import numpy as np

from hso import NoiseSchedule, Schedule
from hso._arrays import Array

# How far, in lambda, rounding may have moved a node past an end of the noise schedule.
_SLACK = 1e-4


def schedule_of_sigmas(noise: NoiseSchedule, sigmas: Array) -> Schedule:
    """The schedule at `sigmas`, shape (steps+1,): VE sigmas sigma/alpha, sigma itself for flow models."""
    _check(sigmas, "sigmas", least=2)
    ends_at_zero = bool(sigmas[-1] == 0.0)
    levels = sigmas[:-1] if ends_at_zero else sigmas
    if noise.family == "flow":
        lowest, highest = noise.t_range
        _check_range(noise, levels, lowest, highest if highest < 1.0 - 1e-5 else 1.0)
        t = np.clip(levels, lowest, highest)
    else:
        low, high = noise.lambda_range
        _check_range(noise, levels, np.exp(-high), np.exp(-low))
        t = np.asarray(noise.t(np.clip(-np.log(levels), low, high)))
    return Schedule.from_nodes(noise, t, terminal="zero" if ends_at_zero else "t_min")


def schedule_of_timesteps(noise: NoiseSchedule, timesteps: Array) -> Schedule:
    """The schedule of terminal "zero" that tells the network `timesteps`, shape (steps,)."""
    _check(timesteps, "timesteps", least=1)
    # The timestep is linear in t in every family (EDM: both are linear in log(sigma)).
    ends = np.asarray(noise.t_range)
    first, last = np.asarray(noise.timestep(noise.lam(ends)))
    t = ends[0] + (timesteps - first) * (ends[1] - ends[0]) / (last - first)
    slack = 0.5 * (ends[1] - ends[0]) / abs(last - first)
    if not np.all((t > ends[0] - slack) & (t < ends[1] + slack)):
        raise ValueError(
            f"timesteps must be within {first:.2f}..{last:.2f} for this noise schedule, got {timesteps[0]:.6g}.."
            f"{timesteps[-1]:.6g}"
        )
    return Schedule.from_nodes(noise, np.clip(t, *ends), terminal="zero")


def _check(values: Array, name: str, *, least: int) -> None:
    if values.size < least:
        raise ValueError(f"text must have at least {least} {name}, got {values.size}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
    rises = np.flatnonzero(np.diff(values) >= 0.0)
    if rises.size:
        i = int(rises[0])
        raise ValueError(f"{name} must be strictly decreasing, got {values[i]:.6g} before {values[i + 1]:.6g}")


def _check_range(noise: NoiseSchedule, sigmas: Array, lowest: float, highest: float) -> None:
    outside = sigmas[(sigmas < lowest * (1.0 - _SLACK)) | (sigmas > highest * (1.0 + _SLACK))]
    if outside.size:
        raise ValueError(
            f"sigmas must be within {lowest:.6g}..{highest:.6g} for this noise schedule ({noise.family}), got "
            f"{outside[0]:.6g}: are they another model's?"
        )
