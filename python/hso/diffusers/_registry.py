"""Which strategy serves which scheduler class, and which classes are refused and why."""

from __future__ import annotations

from typing import Any

from ._integer import DDPM, LCM, TCD
from ._multistep import DEIS, LMS, EDMDPMSolver, SASolver, UniPC
from ._one_call import DPMSolver, DPMSolverSinglestep, Euler, FlowMatchEuler
from ._strategy import Strategy
from ._target import class_names
from ._two_calls import KDPM2, Heun, KDPM2Ancestral, TwoCalls

STRATEGIES: dict[str, Strategy] = {
    "DDPMScheduler": DDPM(),
    "DEISMultistepScheduler": DEIS(),
    "DPMSolverMultistepScheduler": DPMSolver(),
    "DPMSolverSinglestepScheduler": DPMSolverSinglestep(),
    "EDMDPMSolverMultistepScheduler": EDMDPMSolver(),
    "EDMEulerScheduler": Euler(),
    "EulerAncestralDiscreteScheduler": Euler(),
    "EulerDiscreteScheduler": Euler(),
    "FlowMatchEulerDiscreteScheduler": FlowMatchEuler(),
    "FlowMatchHeunDiscreteScheduler": TwoCalls(),
    "HeunDiscreteScheduler": Heun(),
    "KDPM2AncestralDiscreteScheduler": KDPM2Ancestral(),
    "KDPM2DiscreteScheduler": KDPM2(),
    "LCMScheduler": LCM(),
    "LMSDiscreteScheduler": LMS(),
    "SASolverScheduler": SASolver(),
    "TCDScheduler": TCD(),
    "UniPCMultistepScheduler": UniPC(),
}

_FROM_CONFIG = "DPMSolverMultistepScheduler.from_config(scheduler.config"
_FIXED_STEP = "computes its previous timestep from a fixed step, whatever its timesteps are"
_EQUIVALENT = "The same update with free timesteps: scheduler = hso.diffusers.equivalent(scheduler)"

# Why the class cannot run a schedule, and what to use in its place.
REFUSED: dict[str, str] = {
    "DDIMParallelScheduler": f"it {_FIXED_STEP}. {_EQUIVALENT}",
    "PNDMScheduler": (
        f"it {_FIXED_STEP}, and its multistep weights are those of equal steps. A multistep solver "
        f"with free timesteps: {_FROM_CONFIG})"
    ),
    "IPNDMScheduler": (
        "its multistep weights are those of equal steps and its noise table is its own. For models "
        "with an alphas_cumprod table use DPMSolverMultistepScheduler"
    ),
    "CogVideoXDDIMScheduler": f"it {_FIXED_STEP}, on a noise table of its own. {_EQUIVALENT}",
    "CogVideoXDPMScheduler": (
        f"it {_FIXED_STEP}, on a noise table of its own. A multistep solver on that table with free timesteps: "
        "DPMSolverMultistepScheduler.from_config(hso.diffusers.equivalent(CogVideoXDDIMScheduler.from_config("
        "scheduler.config)).config, solver_order=2), with noise algorithm_type='sde-dpmsolver++'"
    ),
    "RePaintScheduler": f"it {_FIXED_STEP}, and nothing else in diffusers resamples as it does",
    "PiflowScheduler": "it takes no schedule of any kind, and has no equivalent",
}


def supported() -> list[str]:
    """Return the names of the diffusers classes that ``apply`` takes."""
    return sorted([*STRATEGIES, "DDIMScheduler"])


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
        f"scheduler_or_pipe: {type(scheduler).__name__} is not supported, only {', '.join(supported())} are"
    )
