"""Schedules as text that other programs take: ComfyUI, web UIs, k-diffusion, stable-diffusion.cpp, plain diffusers.

``export`` writes the text, ``parse`` reads it back, ``instructions`` says where it goes and what to watch there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._common import Target
from ._nodes import schedule_of_sigmas, schedule_of_timesteps

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

from . import comfyui, diffusers_code, k_diffusion, plain, sdnext, stable_diffusion_cpp, webui

_TARGETS: dict[str, Target] = {
    "comfyui": comfyui.TARGET,
    "a1111": webui.A1111,
    "forge": webui.FORGE,
    "sdnext": sdnext.TARGET,
    "k-diffusion": k_diffusion.TARGET,
    "stable-diffusion.cpp": stable_diffusion_cpp.TARGET,
    "diffusers": diffusers_code.TARGET,
    "sigmas": plain.SIGMAS,
    "timesteps": plain.TIMESTEPS,
}

FORMATS: tuple[str, ...] = tuple(_TARGETS)
"""What `export` and `parse` know."""


def export(schedule: Schedule, format: str, *, noise: NoiseSchedule | None = None) -> str:
    """`schedule` as the text that a program takes; `format` is one of FORMATS.

    With `noise` the schedule has to be made for it.

    Raises:
        ValueError: an unknown format, another noise schedule, or something that the program cannot do (the message
            says what): a gain other than 1, an end above sigma 0, a family of models, too few steps.
    """
    target = _target(format)
    if noise is not None:
        schedule.check_noise(noise)
    target.check(schedule, format)
    return target.write(schedule)


def parse(text: str, format: str, noise: NoiseSchedule) -> Schedule:
    """The schedule that `text` holds, for `noise`; `format` is one of FORMATS.

    Reads what `export` writes, and what people paste in its place: a list of numbers with or without brackets, commas,
    line breaks and ``tensor(...)``. A list of sigmas that ends at 0 has the terminal "zero" ("skip" is the same list),
    any other "t_min".

    Raises:
        ValueError: an unknown format, text without a list of numbers, or levels that are not strictly decreasing or
            outside the noise schedule.
    """
    target = _target(format)
    if not isinstance(text, str):
        raise ValueError(f"text must be a string, got {type(text).__name__}")
    levels = target.read(text, noise)
    return schedule_of_timesteps(noise, levels) if target.holds == "timesteps" else schedule_of_sigmas(noise, levels)


def instructions(schedule: Schedule, format: str) -> str:
    """Where the text of `export` goes and what to watch there, in one to four sentences."""
    target = _target(format)
    target.check(schedule, format)
    return target.instructions(schedule)


def _target(format: str) -> Target:
    if format not in _TARGETS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    return _TARGETS[format]


__all__ = ["FORMATS", "export", "instructions", "parse"]
