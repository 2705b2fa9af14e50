"""A scheduler driven as a pipeline drives it, with an exact network that hears only the timestep it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gaussian_solvers import Array, GaussianModel

SHAPE = (1, 2, 4, 4)
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}


def vp_scales(log_alphas: Array, timestep: float) -> tuple[float, float]:
    """alpha and sigma at a fractional timestep, log(alpha) linear between the table's entries, in float64."""
    log_alpha = float(np.interp(timestep, np.arange(log_alphas.size), log_alphas))
    return float(np.exp(log_alpha)), float(np.sqrt(-np.expm1(2.0 * log_alpha)))


def flow_scales(timestep: float) -> tuple[float, float]:
    """alpha = 1 - s and sigma = s at timestep 1000 s."""
    return 1.0 - timestep / 1000.0, timestep / 1000.0


class Network:
    """Answers with what `prediction` asks for, from the exact x0; remembers the timesteps it was told."""

    def __init__(self, model: GaussianModel, scales: Callable[[float], tuple[float, float]], prediction: str) -> None:
        self.model, self.scales, self.prediction = model, scales, prediction
        self.timesteps: list[float] = []

    def __call__(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        self.timesteps.append(float(timestep))
        alpha, sigma = self.scales(float(timestep))
        x = sample.double().cpu().numpy()
        x0 = self.model.x0(x, alpha, sigma)
        eps = (x - alpha * x0) / sigma
        output = {
            "epsilon": eps,
            "v_prediction": alpha * eps - sigma * x0,
            "sample": x0,
            "flow_prediction": eps - x0,
        }[self.prediction]
        return torch.from_numpy(output).to(sample)


def drive(scheduler: Any, network: Network, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """What a text-to-image pipeline does between its encoder and its decoder."""
    scheduler.set_timesteps(steps, device=noise.device)
    x = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for t in scheduler.timesteps:
        scale = getattr(scheduler, "scale_model_input", lambda sample, _: sample)
        x = scheduler.step(network(scale(x, t), t), t, x).prev_sample
    return x
