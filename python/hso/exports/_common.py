"""What the targets share: what one is, what it refuses, and how a schedule is described in a comment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hso._arrays import Array

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

_FAMILIES = {
    "vp": "variance-preserving model (sigma/alpha)",
    "flow": "flow model (sigma after the shift)",
    "ve": "EDM model (sigma)",
    "general": "model with a noise table of its own (sigma/alpha)",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A program that takes schedules as text.

    Attributes:
        write: The text for a schedule that `check` has passed.
        read: The numbers in a text: sigmas, shape (steps+1,), or timesteps, shape (steps,).
        instructions: Where the text goes and what to watch there.
        holds: What `read` gives, "sigmas" or "timesteps".
        families: Families of models that the program can run with it.
        ends_above_zero: Why the program cannot stop above sigma 0; None if it can.
        least_steps: The fewest steps that it takes.
    """

    write: Callable[[Schedule], str]
    read: Callable[[str, NoiseSchedule], Array]
    instructions: Callable[[Schedule], str]
    holds: str = "sigmas"
    families: tuple[str, ...] = ("vp", "flow", "ve", "general")
    ends_above_zero: str | None = None
    least_steps: int = 1

    def check(self, schedule: Schedule, name: str) -> None:
        """Raise ValueError if the program, called `name`, cannot run `schedule`."""
        if schedule.gain != 1.0:
            raise ValueError(
                f"schedule.gain must be 1 for {name!r}, got {schedule.gain:.6g}: no list of noise levels carries it. "
                "Export schedule.with_gain(1.0) and multiply the initial noise by the gain yourself"
            )
        if schedule.family not in self.families:
            raise ValueError(
                f"schedule.family must be one of {', '.join(self.families)} for {name!r}, got {schedule.family!r}"
            )
        if schedule.terminal == "t_min" and self.ends_above_zero is not None:
            raise ValueError(f"schedule.terminal must not be 't_min' for {name!r}: {self.ends_above_zero}")
        if schedule.steps < self.least_steps:
            raise ValueError(
                f"schedule must have at least {self.least_steps} steps for {name!r}, got {schedule.steps}: "
                "a shorter list is ignored there"
            )


def heading(schedule: Schedule) -> str:
    """What the schedule is, on one line."""
    made_by = "HSO" if schedule.version is None else f"HSO {schedule.version}"
    solver = "" if schedule.solver is None else f" with {schedule.solver}"
    return (
        f"{made_by}: {schedule.nfe} network calls{solver} in {schedule.steps} steps for a "
        f"{_FAMILIES[schedule.family]}, noise table {schedule.noise_fingerprint}, terminal {schedule.terminal}."
    )


def remaining_noise(schedule: Schedule) -> str:
    """A sentence on the noise that stays in the image; empty where none does."""
    if schedule.terminal != "t_min":
        return ""
    return f"Sampling stops at sigma {schedule.sigmas[-1]:.4g}: the image keeps that much noise."


def sentences(*parts: str) -> str:
    """The parts that are not empty, in one line."""
    return " ".join(part for part in parts if part)
