"""How many network calls a solver spends on a schedule of so many steps."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from .checks import one_of

Solver: TypeAlias = Literal[
    "ddim", "ddpm", "deis", "dpm-solver++", "euler", "heun", "kdpm2", "lcm", "lms", "sa-solver", "tcd", "unipc"
]

TWO_CALLS = ("heun", "kdpm2")
"""Solvers that call the network twice a step, but once in the last: Karras et al. 2022, Algorithms 1 and 2."""


def network_calls(steps: int, solver: Solver | None) -> int:
    """Network calls that `solver` spends on `steps` steps; one a step where the solver is None."""
    return 2 * steps - 1 if _two_calls(solver) else steps


def steps_within(nfe: int, solver: Solver | None) -> int:
    """The most steps that `solver` makes with at most `nfe` network calls."""
    return (nfe + 1) // 2 if _two_calls(solver) else nfe


def _two_calls(solver: Solver | None) -> bool:
    return solver is not None and one_of("solver", solver, get_args(Solver)) in TWO_CALLS
