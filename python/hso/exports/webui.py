"""AUTOMATIC1111's web UI and Forge: a script that adds a schedule type. Neither has a field for sigmas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, heading, remaining_noise, sentences
from ._numbers import python_list, python_list_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

_SCRIPT = """\
# {heading}
# {instructions}
import torch
from modules import sd_schedulers

LABEL = "{label}"
SIGMAS = {sigmas}


def hso_sigmas(n, sigma_min, sigma_max, device):
    if n != len(SIGMAS) - 1:
        raise ValueError(
            f"{{LABEL}} has {{len(SIGMAS) - 1}} steps, asked for {{n}}: set the sampling steps to that, choose another "
            "schedule type for hires fix, and avoid 'discard next-to-last sigma' and the samplers that do it by "
            "themselves (DPM2, DPM++ 3M SDE)"
        )
    return torch.tensor(SIGMAS, dtype=torch.float32, device=device)


scheduler = sd_schedulers.Scheduler(LABEL.replace(" ", "_").lower(), LABEL, hso_sigmas)
# The interface may load this file again: the older entry goes.
sd_schedulers.schedulers[:] = [x for x in sd_schedulers.schedulers if x.label != LABEL] + [scheduler]
sd_schedulers.schedulers_map.update({{scheduler.name: scheduler, LABEL: scheduler}})
"""


def _label(schedule: Schedule) -> str:
    # Part of the fingerprint: schedules of two models are two entries of the menu.
    return f"HSO {schedule.steps} {schedule.terminal} {schedule.noise_fingerprint[:6]}"


def _write(schedule: Schedule) -> str:
    return _SCRIPT.format(
        heading=heading(schedule),
        instructions=_instructions(schedule),
        label=_label(schedule),
        sigmas=python_list(schedule.sigmas),
    )


def _read(text: str, noise: NoiseSchedule) -> Array:
    return python_list_in(text, "SIGMAS")


def _instructions(schedule: Schedule) -> str:
    return sentences(
        "Save as hso_schedule.py in the web UI's folder scripts and restart it;",
        f'choose schedule type "{_label(schedule)}" and {schedule.steps} steps.',
        remaining_noise(schedule),
    )


A1111 = Target(write=_write, read=_read, instructions=_instructions, families=("vp", "flow"))
FORGE = Target(write=_write, read=_read, instructions=_instructions, families=("vp", "flow"))
