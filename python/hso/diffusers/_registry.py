"""Which strategy serves which scheduler class, and which classes are refused and why."""

from __future__ import annotations

from typing import Any

from ._solvers import DPMSolverMultistep, Euler, FlowMatchEuler, UniPC
from ._strategy import Strategy
from ._target import class_names

STRATEGIES: dict[str, Strategy] = {
    "DPMSolverMultistepScheduler": DPMSolverMultistep(),
    "UniPCMultistepScheduler": UniPC(),
    "EulerDiscreteScheduler": Euler(),
    "FlowMatchEulerDiscreteScheduler": FlowMatchEuler(),
}

_FROM_CONFIG = "DPMSolverMultistepScheduler.from_config(scheduler.config"
_FIXED_STEP = "computes its previous timestep from a fixed step, whatever its timesteps are"

# Why the class cannot run a schedule, and what to use in its place.
REFUSED: dict[str, str] = {
    "DDIMParallelScheduler": (
        f"it {_FIXED_STEP}. The same update with free timesteps: {_FROM_CONFIG}, solver_order=1)"
    ),
    "DDPMScheduler": (
        "it looks integer timesteps up in a table. The same update with free timesteps: "
        f"{_FROM_CONFIG}, solver_order=1, algorithm_type='sde-dpmsolver++'); without noise: "
        f"{_FROM_CONFIG})"
    ),
    "PNDMScheduler": (
        f"it {_FIXED_STEP}, and its multistep weights are those of equal steps. A multistep solver "
        f"with free timesteps: {_FROM_CONFIG})"
    ),
    "IPNDMScheduler": (
        "its multistep weights are those of equal steps and its noise table is its own. For models "
        "with an alphas_cumprod table use DPMSolverMultistepScheduler"
    ),
    "CogVideoXDDIMScheduler": f"it {_FIXED_STEP}, on a noise table of its own. No equivalent known",
    "CogVideoXDPMScheduler": f"it {_FIXED_STEP}, on a noise table of its own. No equivalent known",
    "RePaintScheduler": f"it {_FIXED_STEP}, and nothing else in diffusers resamples as it does",
    "PiflowScheduler": "it takes no schedule of any kind, and has no equivalent",
}


def strategy_for(scheduler: Any) -> Strategy:
    """Return the strategy for the class of ``scheduler``, or of a diffusers class it derives from.

    Raises ValueError for every other class: with the reason and the equivalent where they are
    known, else with the list of supported classes.
    """
    for name in class_names(scheduler):
        if name in STRATEGIES:
            return STRATEGIES[name]
        if name in REFUSED:
            raise ValueError(f"scheduler_or_pipe: {name} cannot run a custom schedule: {REFUSED[name]}")
    raise ValueError(
        f"scheduler_or_pipe: {type(scheduler).__name__} is not supported, only "
        f"{', '.join([*STRATEGIES, 'DDIMScheduler'])} are"
    )
