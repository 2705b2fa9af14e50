"""Samples the small model under a schedule, and measures the distance to its many-step solution."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from diffusers.utils import logging as diffusers_logging

import hso

MODEL = Path(__file__).parent / "models" / "fashion_mnist_sd"
SOLVERS = {"UniPC": UniPCMultistepScheduler, "DDIM": DDIMScheduler, "DPM++ 2M": DPMSolverMultistepScheduler}

Images = npt.NDArray[np.float32]
"""(n, 28, 28) in [-1, 1]."""


@dataclass(frozen=True)
class Sampler:
    """The model with the device it runs on and the noise that every schedule starts from, (n, 1, 28, 28)."""

    unet: Any
    config: dict[str, Any]
    noise: torch.Tensor

    @classmethod
    def load(cls, count: int, seed: int, folder: Path = MODEL) -> Sampler:
        """Loads the pipeline of `folder`, on a GPU where there is one, and draws `count` starts."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        diffusers_logging.disable_progress_bar()
        # float32, which is the default whatever the file holds: rounding stays out of the distances
        load: Any = DDPMPipeline.from_pretrained
        pipe = load(folder, use_safetensors=True)
        unet = pipe.unet.to(device=device).eval()
        shape = (count, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
        # drawn on the CPU: the same noise on every device
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
        return cls(unet, dict(pipe.scheduler.config), noise)

    @property
    def noise_schedule(self) -> hso.NoiseSchedule:
        """The noise table that the model was trained on."""
        return hso.diffusers.noise_schedule(self._scheduler("UniPC"))

    def scheduler(self, solver: str, nfe: int, schedule: hso.Schedule | None) -> Any:
        """A diffusers scheduler set to `nfe` network calls under `schedule`, or under its own default."""
        scheduler = self._scheduler(solver)
        if schedule is not None:
            with warnings.catch_warnings():
                # that DDIM is replaced by its equivalent is known here
                warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
                scheduler = hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device=self.noise.device)
        return scheduler

    def _scheduler(self, solver: str) -> Any:
        """A scheduler of the pipeline's configuration, as a user builds it with from_config."""
        # every class ignores some of the others' keys, and says so
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SOLVERS[solver].from_config(copy.deepcopy(self.config))

    @torch.inference_mode()
    def run(self, scheduler: Any, after_call: Callable[[], object] = lambda: None) -> Images:
        """The images at the end of the scheduler's timesteps; `after_call` follows every network call."""
        x = self.noise * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            output = self.unet(scheduler.scale_model_input(x, t), t).sample
            x = scheduler.step(output, t, x).prev_sample
            after_call()
        images: Images = x.clamp(-1.0, 1.0).squeeze(1).float().cpu().numpy()
        return images
