"""Plain lists: all sigmas, or what the network is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, remaining_noise, sentences
from ._numbers import float64_list, numbers_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule


def _sigmas(schedule: Schedule) -> str:
    return ", ".join(float64_list(schedule.sigmas))


def _timesteps(schedule: Schedule) -> str:
    return ", ".join(float64_list(schedule.timesteps))


def _read(text: str, noise: NoiseSchedule) -> Array:
    return numbers_in(text)


def _about_sigmas(schedule: Schedule) -> str:
    kind = "sigma after the shift" if schedule.family == "flow" else "sigma/alpha"
    return sentences(f"{schedule.steps + 1} noise levels ({kind}), the last is the end.", remaining_noise(schedule))


def _about_timesteps(schedule: Schedule) -> str:
    return f"What the network is told at its {schedule.steps} nodes; the last step goes to sigma 0."


SIGMAS = Target(write=_sigmas, read=_read, instructions=_about_sigmas)

TIMESTEPS = Target(
    write=_timesteps,
    read=_read,
    instructions=_about_timesteps,
    holds="timesteps",
    ends_above_zero="a list of timesteps has no end of its own, and schedulers put sigma 0 there",
)
