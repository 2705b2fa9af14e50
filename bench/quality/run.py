"""Runs a model through diffusers' schedulers under a schedule."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

import hso
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

SOLVERS = ("DDIM", "DPM++ 2M", "UniPC-2", "UniPC-3")
"""DDIM stands for Euler too, its name for flow models."""
MANY_STEPS = 100


def solvers_for(name: str) -> tuple[str, ...]:
    """The solvers that the model called `name` is run with: Euler is DDIM's name for flow models."""
    return ("Euler" if name == "flow" else "DDIM", "DPM++ 2M", "UniPC-2", "UniPC-3")


def scheduler_for(name: str, solver: str) -> Any:
    """A scheduler on the noise levels of the model called `name`, which is given x0 or, for flow, the velocity."""
    if solver not in solvers_for(name):
        raise ValueError(f"solver must be one of {', '.join(solvers_for(name))} for model {name!r}, got {solver!r}")
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)  # DDIM's equivalent is meant
        scheduler = hso.diffusers.apply(scheduler_for(name, solver), schedule)
    scheduler.set_timesteps(schedule.steps, device=noise.device)
    x = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for t, level in zip(scheduler.timesteps, schedule.lambdas, strict=False):
        x0 = model.denoise(x, float(level))
        output = (x - x0) / float(model.noise.sigma(level)) if name == "flow" else x0
        x = scheduler.step(output, t, x, return_dict=False)[0]
    images: Images = model.decode(x).clamp(-1.0, 1.0).squeeze(1).float().cpu().numpy()
    return images


def solution(name: str, model: Model, noise: torch.Tensor, steps: int = MANY_STEPS) -> Images:
    """The many-step solution: UniPC-3 on Karras' nodes over the whole table, to sigma 0.

    With 100 steps it is within 2e-4 of the exact model's solution; DPM-Solver++ 2M needs 400 for 5e-4.
    """
    return sample(name, model, "UniPC-3", hso.schedules.karras(model.noise, steps), noise)
