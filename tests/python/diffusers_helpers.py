"""Shared by the tests of the diffusers adapter: grids, an exact network, a sampling loop.

The network derives its noise level from the timestep that it is handed, by itself and in float64,
so a schedule whose timesteps and noise levels disagree shows up as a wrong sample.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from numpy.typing import NDArray

import hso
from reference_solvers import (
    Gaussian,
    Levels,
    ddim,
    dpm_solver_pp,
    flow_levels,
    unipc,
    vp_levels,
)

Array = NDArray[np.float64]

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (2, 3, 6, 6)
TERMINALS = ("zero", "t_min", "skip")

SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dpm1": (DPMSolverMultistepScheduler, {"solver_order": 1}),
    "dpm2": (DPMSolverMultistepScheduler, {"solver_order": 2}),
    "unipc1": (UniPCMultistepScheduler, {"solver_order": 1}),
    "unipc2": (UniPCMultistepScheduler, {"solver_order": 2}),
    "unipc3": (UniPCMultistepScheduler, {"solver_order": 3}),
    "euler": (EulerDiscreteScheduler, {}),
}


def build(solver: str, **config: Any) -> Any:
    """A new scheduler on the SD table."""
    cls, defaults = SOLVERS[solver]
    return cls(**{**SD, **defaults, **config})


def vp_nodes(nfe: int, *, fractional: bool = False) -> Array:
    """nfe + 1 times of a VP table of 1000 entries, denser at low noise; integer timesteps or not."""
    spread = np.linspace(1.0, 0.0, nfe + 1) ** 1.3
    index = np.round(12.0 + 987.0 * spread)
    if fractional:
        index = 0.983 * index + 0.377
    return (index + 1.0) / 1000.0


def flow_nodes(nfe: int) -> Array:
    """nfe + 1 flow times from 1 (which has no finite lambda) to 0.02, shifted by 3."""
    s = np.linspace(1.0, 0.0068, nfe + 1)
    return 3.0 * s / (1.0 + 2.0 * s)


def schedule_on(noise: Any, nodes: Array, terminal: str) -> Any:
    """A schedule of len(nodes) - 1 calls: "zero" goes from the last but one node to 0."""
    return hso.Schedule.from_nodes(noise, nodes[:-1] if terminal == "zero" else nodes, terminal=terminal)


def example(scheduler: Any, nfe: int = 5, terminal: str = "zero", **kwargs: Any) -> Any:
    """A schedule that fits a VP scheduler."""
    noise = hso.diffusers.noise_schedule(scheduler)
    return schedule_on(noise, vp_nodes(nfe, **kwargs), terminal)


def altered(schedule: Any, **fields: Any) -> Any:
    """A copy of ``schedule`` with other values, past all validation: what a bug might hand over."""
    other = copy.copy(schedule)
    for name, value in fields.items():
        object.__setattr__(other, name, value)
    return other


def gaussian(seed: int = 0) -> Gaussian:
    """Pixels with means in [-0.6, 0.6] and variances in [0.05, 0.5]."""
    random = np.random.default_rng(seed)
    return Gaussian(random.uniform(-0.6, 0.6, SHAPE), random.uniform(0.05, 0.5, SHAPE))


def start(seed: int = 1) -> Array:
    """Unit noise, exact in float32."""
    noise = np.random.default_rng(seed).standard_normal(SHAPE)
    return noise.astype(np.float32).astype(np.float64)


class Network:
    """The exact network for Gaussian data; remembers the timesteps that it was called with."""

    def __init__(self, data: Gaussian, prediction: str, alphas_cumprod: Any = None) -> None:
        self.data = data
        self.prediction = prediction
        self.timesteps: list[float] = []
        self._log_alpha: Array | None = None
        if alphas_cumprod is not None:
            self._log_alpha = 0.5 * np.log(np.asarray(alphas_cumprod.double().cpu().numpy()))

    def level(self, timestep: float) -> tuple[float, float]:
        """(alpha, sigma) at a timestep: log(alpha) is linear between table entries; flow: t/1000."""
        if self._log_alpha is None:
            return 1.0 - timestep / 1000.0, timestep / 1000.0
        log_alpha = np.interp(timestep, np.arange(len(self._log_alpha)), self._log_alpha)
        return float(np.exp(log_alpha)), float(np.sqrt(-np.expm1(2.0 * log_alpha)))

    def __call__(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        self.timesteps.append(float(timestep))
        alpha, sigma = self.level(float(timestep))
        level_x = x.detach().cpu().double().numpy()
        x0 = self.data.x0(level_x, alpha, sigma)
        noise = (level_x - alpha * x0) / sigma
        output = {
            "epsilon": noise,
            "v_prediction": alpha * noise - sigma * x0,
            "flow_prediction": noise - x0,
            "sample": x0,
        }[self.prediction]
        return torch.from_numpy(output).to(device=x.device, dtype=x.dtype)


def denoise(scheduler: Any, network: Network, noise: torch.Tensor, **options: Any) -> torch.Tensor:
    """The loop of diffusers' pipelines, over whatever the scheduler holds; ``options`` go to ``step``."""
    x = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for t in scheduler.timesteps:
        inputs = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(network(inputs, t), t, x, return_dict=False, **options)[0]
    return x


def run(scheduler: Any, network: Network, noise: Array) -> Array:
    """``denoise`` in float32 on the CPU."""
    result = denoise(scheduler, network, torch.from_numpy(noise).float())
    assert result.dtype == torch.float32
    return np.asarray(result.double().numpy())


def expected(solver: str, schedule: Any, data: Gaussian, noise: Array) -> Array:
    """The float64 reference for one of SOLVERS, in the scheduler's own variables."""
    sigmas = np.asarray(schedule.sigmas)
    if schedule.family == "flow":
        levels = flow_levels(np.minimum(sigmas, 1.0 if solver == "euler" else 1.0 - 1e-6))
    else:
        levels = vp_levels(sigmas)
    result = reference(solver, levels, data, noise)
    if solver == "euler" and schedule.family != "flow":
        result = result / levels.alpha[-1]  # Euler works on x/alpha
    return result


def reference(solver: str, levels: Levels, data: Gaussian, noise: Array) -> Array:
    predict = data.predictor(levels)
    if solver == "euler":
        return ddim(levels, predict, noise)
    name, order = solver[:-1], int(solver[-1])
    if name == "unipc":
        return unipc(levels, predict, noise, order=order)
    first_order_end = levels.steps < 15 or levels.sigma[-1] == 0.0
    return dpm_solver_pp(levels, predict, noise, order=order, first_order_end=first_order_end)
