"""The schedules of the paper's protocol by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import hso
from catalogue import behind_a_decoder, uniform_on_our_ends

Terminal = Literal["zero", "t_min"]
Build = Callable[[hso.NoiseSchedule, str, int], hso.Schedule | None]

PAPER_TERMINAL: dict[str, Terminal] = {"UniPC": "t_min", "DDIM": "zero"}
"""Where the paper's schedules end for each of its solvers."""


def _paper(noise: hso.NoiseSchedule, solver: str, nfe: int) -> hso.Schedule:
    return hso.optimize(noise, nfe, terminal=PAPER_TERMINAL[solver], search="paper")


def _dm_nonuni_bilevel(noise: hso.NoiseSchedule, solver: str, nfe: int) -> hso.Schedule:
    """DM-NonUni's objective under the paper's search: configuration B of Table 7."""
    return hso.optimize(noise, nfe, terminal=PAPER_TERMINAL[solver], search="paper", objective="dm_nonuni")


SCHEDULES: dict[str, Build] = {
    "default": lambda noise, solver, nfe: None,
    "uniform": lambda noise, solver, nfe: hso.schedules.uniform_t(noise, nfe),
    "uniform-linspace": lambda noise, solver, nfe: hso.schedules.uniform_t(noise, nfe, spacing="linspace"),
    "uniform-ends": lambda noise, solver, nfe: uniform_on_our_ends(noise, nfe, PAPER_TERMINAL[solver]),
    "uniform-lambda": lambda noise, solver, nfe: hso.schedules.uniform_lambda(noise, nfe),
    "karras": lambda noise, solver, nfe: hso.schedules.karras(noise, nfe),
    "beta": lambda noise, solver, nfe: hso.schedules.beta(noise, nfe),
    "kl-optimal": lambda noise, solver, nfe: hso.schedules.kl_optimal(noise, nfe),
    "ays": lambda noise, solver, nfe: hso.schedules.ays(noise, nfe),
    "dm-nonuni": lambda noise, solver, nfe: hso.schedules.dm_nonuni(noise, nfe, terminal=PAPER_TERMINAL[solver]),
    "dm-nonuni-bilevel": _dm_nonuni_bilevel,
    "hso": lambda noise, solver, nfe: hso.optimize(noise, nfe),
    "hso-paper": _paper,
    "hso-decoder": lambda noise, solver, nfe: behind_a_decoder(noise, nfe),
    "hso-zero": lambda noise, solver, nfe: hso.optimize(noise, nfe, terminal="zero"),
    "hso-t_min": lambda noise, solver, nfe: hso.optimize(noise, nfe, terminal="t_min"),
    "hso-skip": lambda noise, solver, nfe: hso.optimize(noise, nfe, terminal="skip"),
}
"""By name. None is the scheduler's own timesteps, "hso" what the library chooses when it is asked for nothing else."""
