"""SD.Next's "Timesteps override": whole timesteps, for flow models before the shift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hso._arrays import Array

from ._common import Target, sentences
from ._numbers import numbers_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule


def _write(schedule: Schedule) -> str:
    whole = np.rint(_before_shift(schedule)).astype(int)
    if np.any(np.diff(whole) >= 0) or whole[-1] < 0:
        raise ValueError(
            f"schedule has nodes at the same whole timestep, and SD.Next takes no others: {', '.join(map(str, whole))}"
        )
    # No spaces: SD.Next splits at spaces as well, and counts what is empty between them.
    return ",".join(map(str, whole))


def _before_shift(schedule: Schedule) -> Array:
    if schedule.family != "flow":
        return schedule.timesteps
    s, shift = schedule.sigmas[:-1], _shift(schedule)
    return 1000.0 * s / (shift - (shift - 1.0) * s)


def _shift(schedule: Schedule) -> float:
    if schedule.shift is None:
        raise ValueError("schedule.shift must be known for 'sdnext', got None: the file is of an older format")
    return schedule.shift


def _read(text: str, noise: NoiseSchedule) -> Array:
    numbers = numbers_in(text)
    if noise.family != "flow":
        return numbers
    u = numbers / 1000.0
    return 1000.0 * noise.shift * u / (1.0 + (noise.shift - 1.0) * u)


def _instructions(schedule: Schedule) -> str:
    given = _before_shift(schedule)
    moved = float(np.max(np.abs(given - np.rint(given))))
    return sentences(
        'Paste into "Timesteps override" of the sampler settings; the number of steps follows from it.',
        f"SD.Next takes whole timesteps: nodes move by up to {moved:.2f}.",
        f"Set the sampler's shift to {_shift(schedule):.6g} and turn dynamic shift off: SD.Next shifts these values."
        if schedule.family == "flow"
        else "Choose a sampler whose scheduler takes timesteps (DPM++, Euler); others ignore the list with a warning.",
    )


TARGET = Target(
    write=_write,
    read=_read,
    instructions=_instructions,
    holds="timesteps",
    families=("vp", "flow"),
    ends_above_zero="its schedulers append sigma 0 to the timesteps",
    least_steps=3,
)
