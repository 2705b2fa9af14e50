"""stable-diffusion.cpp: command-line options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, remaining_noise, sentences
from ._numbers import float32_list, numbers_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule


def _write(schedule: Schedule) -> str:
    return f'--steps {schedule.steps} --sigmas "{",".join(float32_list(schedule.sigmas))}"'


def _read(text: str, noise: NoiseSchedule) -> Array:
    option = re.search(r"""--sigmas[\s=]+("[^"]*"|'[^']*'|\[[^\]]*\]|\S+)""", text)
    return numbers_in(text if option is None else option[1])


def _instructions(schedule: Schedule) -> str:
    return sentences(
        "Add to the command line of sd-cli; --scheduler has no effect beside it, nothing is appended to the list.",
        "--flow-shift does not move the sigmas." if schedule.family == "flow" else "",
        remaining_noise(schedule),
    )


TARGET = Target(write=_write, read=_read, instructions=_instructions)
