"""k-diffusion's sampling functions: Python code that defines ``sigmas``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, heading, remaining_noise, sentences
from ._numbers import python_list, python_list_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule


def _write(schedule: Schedule) -> str:
    return f"""# {heading(schedule)}
# {_instructions(schedule)}
import torch

sigmas = torch.tensor({python_list(schedule.sigmas)}, dtype=torch.float32)
"""


def _read(text: str, noise: NoiseSchedule) -> Array:
    return python_list_in(text, "sigmas")


def _instructions(schedule: Schedule) -> str:
    samplers = (
        "sample_euler, sample_heun and sample_lms fit flow models; the DPM-Solvers take -log(sigma) for lambda."
        if schedule.family == "flow"
        else ""
    )
    return sentences(
        "sample_euler(model, sigmas[0] * noise, sigmas.to(noise)), and so with the rest of k_diffusion.sampling.",
        samplers,
        remaining_noise(schedule),
    )


TARGET = Target(write=_write, read=_read, instructions=_instructions)
