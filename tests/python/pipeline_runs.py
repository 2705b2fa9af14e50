"""Runs of the tiny pipelines: a schedule for each, and what its network is told and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import hso
from diffusers_helpers import Network
from reference_solvers import Gaussian
from tiny_flow_pipelines import flux, ltx, qwen_image, stable_diffusion_3, wan
from tiny_pipelines import (
    TinyPipeline,
    dit,
    latent_consistency,
    pixart_alpha,
    stable_diffusion,
    stable_diffusion_img2img,
    stable_diffusion_xl,
    stable_video_diffusion,
)

BUILDERS: dict[str, Callable[[Any], TinyPipeline]] = {
    "sd": stable_diffusion,
    "img2img": stable_diffusion_img2img,
    "sdxl": stable_diffusion_xl,
    "lcm": latent_consistency,
    "pixart": pixart_alpha,
    "dit": dit,
    "svd": stable_video_diffusion,
    "sd3": stable_diffusion_3,
    "flux": flux,
    "qwen": qwen_image,
    "wan": wan,
    "ltx": ltx,
}
X0 = 0.3  # what the network of a ray predicts in every pixel
ON_GPU = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
TWO_CALLS = {"Heun": "heun", "FlowMatchHeun": "heun", "KDPM2": "kdpm2", "KDPM2Ancestral": "kdpm2"}
NEVER_TO_ZERO = ("DEISMultistepScheduler", "SASolverScheduler")


def build(pipeline: str, name: str, config: dict[str, Any], device: str = "cpu", dtype: Any = None) -> TinyPipeline:
    """One of BUILDERS around a new scheduler, with the same weights every time."""
    torch.manual_seed(0)
    tiny = BUILDERS[pipeline](getattr(diffusers, name)(**config))
    tiny.pipe.to(device, dtype or torch.float32)
    return tiny


def optimized(pipe: Any, nfe: int = 5) -> Any:
    """A schedule of fractional timesteps for the scheduler of ``pipe``, with a terminal that it can reach."""
    name = type(pipe.scheduler).__name__
    mu = 0.5 if pipe.scheduler.config.get("use_dynamic_shifting") else None
    return hso.optimize(
        hso.diffusers.noise_schedule(pipe, mu=mu),
        nfe,
        terminal="t_min" if name in NEVER_TO_ZERO else "zero",
        solver=TWO_CALLS.get(name.removesuffix("Scheduler").removesuffix("Discrete")),
        limits="published" if name.startswith("DEIS") else None,  # DEIS does not start at alpha 1e-6
    )


def starts(schedule: Any, values: list[Any]) -> list[Any]:
    """Of one value for each call: those of the calls that start a step."""
    return values[:: 1 if schedule.nfe == schedule.steps else 2]


class Recorder:
    """What a pipeline's network is told and shown from now on, one entry for each call.

    With ``on_ray`` its answers are replaced by those of the exact network for data that is ``X0`` in
    every pixel, which knows the noise level by the timestep alone. Every sampler then moves on the
    ray alpha X0 + sigma eps: what the network is shown tells the sampler's noise levels.
    """

    def __init__(self, tiny: TinyPipeline, *, on_ray: bool = False, network: str | None = None) -> None:
        self.told: list[float] = []
        self.seen: list[torch.Tensor] = []
        self._unit = tiny.unit
        self.exact: Network | None = None
        if on_ray:
            table = getattr(tiny.pipe.scheduler, "alphas_cumprod", None)
            flow = tiny.prediction == "flow_prediction"
            self.exact = Network(Gaussian(np.float64(X0), np.float64(0.0)), tiny.prediction, None if flow else table)
        getattr(tiny.pipe, network or tiny.network).register_forward_hook(self, with_kwargs=True)

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """The hook itself, after a forward pass."""
        shown = args[0] if args else kwargs["hidden_states"]
        timestep = args[1] if len(args) > 1 else kwargs["timestep"]
        self.told.append(float(torch.as_tensor(timestep).flatten()[0]))
        self.seen.append(shown[-1].detach().float().cpu())
        if self.exact is None:
            return None
        answer = torch.zeros_like(output[0])
        values = self.exact(shown, torch.tensor(self.told[-1] * self._unit))
        # Networks that also predict variances have twice the channels.
        answer[tuple(slice(size) for size in values.shape)] = values
        return type(output)(sample=answer) if isinstance(output, diffusers.utils.BaseOutput) else (answer,)
