"""Runs a model through diffusers' schedulers under a schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

import hso
import models
import noising
from models import Model

Images = np.ndarray[Any, np.dtype[np.float32]]
"""(n, 28, 28) in [-1, 1]."""

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DDIM": (DDIMScheduler, {"clip_sample": False}),
    "Euler": (FlowMatchEulerDiscreteScheduler, {}),
    "DPM++ 2M": (DPMSolverMultistepScheduler, {"solver_order": 2}),
    "UniPC-2": (UniPCMultistepScheduler, {"solver_order": 2}),
    "UniPC-3": (UniPCMultistepScheduler, {"solver_order": 3}),
}
_TABLES = {"mixture": "sd", "sd": "sd", "ddpm": "ddpm", "latent": "sd"}

_EDM_SOLVERS: dict[str, Any] = {"Euler": EDMEulerScheduler, "DPM++ 2M": EDMDPMSolverMultistepScheduler}

SOLVERS = ("DDIM", "DPM++ 2M", "UniPC-2", "UniPC-3")
"""DDIM stands for Euler too, its name for flow models."""


class ManySteps(NamedTuple):
    """How a many-step solution is made: a solver, and so many steps of a spacing, to sigma 0."""

    solver: str
    spacing: str
    steps: int


MANY_STEPS = ManySteps("UniPC-3", "Karras", 100)
"""For discrete tables: within 2e-4 of the exact model's solution (RMSE; DPM-Solver++ 2M needs 400 steps for 5e-4). The
networks are not as smooth: it is 1.3e-3 (sd) and 2.6e-3 (latent) from 200 of its steps, and 2e-3 and 1e-3 from 400 of
DPM-Solver++ 2M on the tan law."""
MANY_STEPS_OF_EDM = ManySteps("DPM++ 2M", "Karras", 400)
"""There is no UniPC for EDM in diffusers; 2e-5 from as many steps uniform in lambda."""
MANY_STEPS_OF_FLOW = ManySteps("UniPC-2", "uniform t", 200)
"""For flow models, whose t goes on to where sigma is 1 but for 1e-6: Karras' nodes spend 73 of 100 steps below
lambda = -5, before t is 0.993, and end 1.2e-2 from where others do. This one is 4e-4 from 400 of its steps and 6e-4
from 400 on t = cos^2."""
_SPACINGS: dict[str, Callable[[hso.NoiseSchedule, int], hso.Schedule]] = {
    "Karras": hso.schedules.karras,
    "uniform t": hso.schedules.uniform_t,
}


def kept_as(name: str) -> str:
    """The model of `models.NAMES` that stands behind `name`: "edm" is the mixture at EDM's noise levels."""
    return "mixture" if name == "edm" else name


def load(name: str, device: str = "cpu") -> Model:
    """The model called `name`, or "edm"; the mixture stays on the CPU."""
    noise = hso.NoiseSchedule.edm() if name == "edm" else None
    return models.load(kept_as(name), noise=noise, device=device)


def solvers_for(name: str) -> tuple[str, ...]:
    """The solvers that the model called `name` is run with: Euler is DDIM's name for flow models and EDM."""
    if name == "edm":
        return tuple(_EDM_SOLVERS)
    return ("Euler" if name == "flow" else "DDIM", "DPM++ 2M", "UniPC-2", "UniPC-3")


def scheduler_for(name: str, solver: str) -> Any:
    """A scheduler on the noise levels of the model called `name`, which is given what `_output` makes of x0."""
    if solver not in solvers_for(name):
        raise ValueError(f"solver must be one of {', '.join(solvers_for(name))} for model {name!r}, got {solver!r}")
    if name == "edm":
        return _EDM_SOLVERS[solver]()
    cls, settings = _SOLVERS[solver]
    if name == "flow":
        return cls() if solver == "Euler" else cls(**settings, use_flow_sigmas=True, prediction_type="flow_prediction")
    config = noising.build(_TABLES[name]).scheduler.config
    table = {key: config[key] for key in ("num_train_timesteps", "beta_schedule", "beta_start", "beta_end")}
    return cls(**table, **settings, prediction_type="sample")


def draw_noise(model: Model, count: int, seed: int) -> torch.Tensor:
    """The noise that every schedule starts from, (count, *shape): the same on every device."""
    return torch.randn((count, *model.shape), generator=torch.Generator().manual_seed(seed), dtype=model.dtype)


@torch.inference_mode()
def sample(name: str, model: Model, solver: str, schedule: hso.Schedule, noise: torch.Tensor) -> Images:
    """The images that the schedule gives from `noise` (n, *shape), on the noise's device."""
    # flow models' pipelines leave the noise as it is: whoever wants a gain there scales it
    own = schedule.gain if model.noise.family == "flow" else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)  # DDIM's equivalent is meant
        scheduler = hso.diffusers.apply(scheduler_for(name, solver), schedule.with_gain(schedule.gain / own))
    scheduler.set_timesteps(schedule.steps, device=noise.device)
    x = noise * (own * getattr(scheduler, "init_noise_sigma", 1.0))
    for t, level in zip(scheduler.timesteps, schedule.lambdas, strict=False):
        if name == "edm":
            scheduler.scale_model_input(x, t)  # it counts on being called; the model wants x itself
        output = _output(model, scheduler, x, model.denoise(x, float(level)), float(level))
        x = scheduler.step(output, t, x, return_dict=False)[0]
    images: Images = model.decode(x).clamp(-1.0, 1.0).squeeze(1).float().cpu().numpy()
    return images


def _output(model: Model, scheduler: Any, x: torch.Tensor, x0: torch.Tensor, level: float) -> torch.Tensor:
    """What a network that predicts x0 would have given the scheduler: x0, flow's velocity, or EDM's F.

    F is the network's own output in x0 = c_skip x + c_out F (Karras et al. 2022, Table 1).
    """
    sigma = float(model.noise.sigma(level))
    if model.noise.family == "flow":
        return (x - x0) / sigma
    if model.noise.family == "ve":
        data = float(scheduler.config.sigma_data)
        norm = math.hypot(sigma, data)
        return (x0 - (data / norm) ** 2 * x) * (norm / (sigma * data))
    return x0


def many_steps(noise: hso.NoiseSchedule) -> ManySteps:
    """How the many-step solution of a model with these noise levels is made."""
    return {"flow": MANY_STEPS_OF_FLOW, "ve": MANY_STEPS_OF_EDM}.get(noise.family, MANY_STEPS)


def solution(name: str, model: Model, noise: torch.Tensor, steps: int | None = None) -> Images:
    """The many-step solution, as `many_steps` says but for another number of `steps`."""
    solver, spacing, usual = many_steps(model.noise)
    schedule = _SPACINGS[spacing](model.noise, steps or usual)
    return sample(name, model, solver, schedule, noise)
