"""Timesteps in the number formats that networks and schedulers take."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hso.checks import one_of
from hso.schedule_options import objective_arguments

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

Array = NDArray[np.float64]
Dtype: TypeAlias = Literal["int64", "bfloat16", "float16", "float32"]
DTYPES = ("int64", "bfloat16", "float16", "float32")


def round_timesteps(noise: NoiseSchedule, schedule: Schedule, dtype: Dtype) -> Schedule:
    """Return ``schedule`` with every node moved to the nearest timestep that ``dtype`` can hold.

    For schedulers that take whole timesteps ("int64": DDPM, LCM, TCD; ``apply`` does it by itself
    there), and for pipelines that hand their network timesteps in half precision (Flux, Qwen-Image
    in "bfloat16": 4 apart from 512 on). There the network is told a noise level that is off by up to
    2 from the one it is given; after rounding the two agree. A last node that is not told
    (terminal "t_min") stays.

    Args:
        noise: the noise schedule that ``schedule`` was made for.
        schedule: any schedule on it.
        dtype: "int64", "bfloat16", "float16" or "float32".

    Returns:
        A schedule whose mep, penalty and fitness are those of its own nodes, for p = 2.

    Raises:
        ValueError: two nodes round to the same timestep, ``dtype`` is unknown, or ``noise`` is another.
    """
    one_of("dtype", dtype, DTYPES)
    if noise.fingerprint != schedule.noise_fingerprint:
        raise ValueError(
            f"noise must be the noise schedule that the schedule was made for: its fingerprint is "
            f"{noise.fingerprint}, the schedule's {schedule.noise_fingerprint}"
        )
    nodes = schedule.t if schedule.terminal == "t_min" else schedule.t[:-1]
    top = float(noise.timestep(noise.lambda_range[0]))
    told = as_dtype(schedule.timesteps, dtype)
    if dtype != "int64" and schedule.family != "ve":
        # Rounded up past the table's end, the next value down is the one the network was trained at.
        beyond = told > np.ceil(top)
        told[beyond] = as_dtype(np.full(int(beyond.sum()), top) * (1.0 - 2.0**-8), dtype)
    check_distinct(schedule.timesteps, told, dtype)
    terminal = "zero" if schedule.terminal == "skip" else schedule.terminal
    return at_timesteps(noise, schedule, told, nodes[len(told) :], terminal)


def at_timesteps(noise: NoiseSchedule, schedule: Schedule, told: Array, last: Array, terminal: str) -> Schedule:
    """Return ``schedule`` with its nodes moved to the timesteps ``told``, followed by the times ``last``."""
    from hso import Schedule

    moved = Schedule.from_nodes(
        noise,
        np.append(np.clip(_times(noise, told), *noise.t_range), last),
        terminal=terminal,
        d_min=schedule.d_min,
        search=schedule.search,
        solver=schedule.solver,
        **objective_arguments(schedule.options),
    )
    # Through lambda and back 99 is 98.99999999999997, which a cast to integers makes 98.
    return dataclasses.replace(moved, timesteps=told, gain=schedule.gain)


def as_dtype(values: Array, dtype: Dtype) -> Array:
    """Return ``values`` rounded to the nearest number of ``dtype``, as float64."""
    if dtype == "int64":
        return np.rint(values)
    single = np.asarray(values, dtype=np.float32)
    if dtype == "bfloat16":
        # The upper half of a float32, ties to even.
        bits = single.view(np.uint32)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        return bits.view(np.float32).astype(np.float64)
    return single.astype(dtype).astype(np.float64)


def check_distinct(exact: Array, rounded: Array, dtype: Dtype) -> None:
    """Raise ValueError where two timesteps coincide in ``dtype``."""
    stuck = np.flatnonzero(~(np.diff(rounded) < 0.0))
    if stuck.size:
        i = int(stuck[0])
        raise ValueError(
            f"schedule.timesteps: entries {i} and {i + 1}, {exact[i]:.6g} and {exact[i + 1]:.6g}, are both "
            f"{rounded[i]:.6g} in {dtype}, which is what is told here: use fewer network calls or a larger d_min"
        )


def _times(noise: NoiseSchedule, timesteps: Array) -> Array:
    """Return the t at which the network is told ``timesteps``."""
    if noise.family == "flow":
        return timesteps / noise.num_train_timesteps
    if noise.family == "ve":
        return np.asarray(noise.t(np.clip(-4.0 * timesteps, *noise.lambda_range)))
    return (timesteps + 1.0) / noise.num_train_timesteps
