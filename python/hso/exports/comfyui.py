"""ComfyUI's ManualSigmas node: one line of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, remaining_noise, sentences
from ._numbers import float32_list, numbers_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule


def _write(schedule: Schedule) -> str:
    # The node picks numbers out of the text by their digits: an exponent or a comment would become further sigmas.
    return ", ".join(float32_list(schedule.sigmas))


def _read(text: str, noise: NoiseSchedule) -> Array:
    return numbers_in(text)


def _instructions(schedule: Schedule) -> str:
    told = "" if schedule.family != "vp" else "ComfyUI tells these models the nearest whole timestep."
    return sentences(
        "Paste into the node ManualSigmas and connect it to SamplerCustom or SamplerCustomAdvanced.",
        "Leave ModelSampling nodes at the shift that the schedule was made for; sigmas are not shifted again."
        if schedule.family == "flow"
        else "",
        told,
        remaining_noise(schedule),
    )


TARGET = Target(write=_write, read=_read, instructions=_instructions)
