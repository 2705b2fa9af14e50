"""A Stable Diffusion pipeline of diffusers that samples given jobs, each from a noise of its own."""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging

import hso
from protocol_inputs import Job
from protocol_store import Pixels, digest
from sampling import SOLVERS


@dataclass(frozen=True)
class Model:
    """The pipeline, what its parameters are known by, and its scheduler's configuration as it was loaded."""

    pipe: Any
    fingerprint: str
    config: dict[str, Any]

    @classmethod
    def load(cls, name: str, device: torch.device, dtype: torch.dtype) -> Model:
        """Load a folder or a repository of the Hugging Face hub; ValueError where there is no such pipeline."""
        if not Path(name).is_dir() and (len(name.split("/")) != 2 or name.startswith((".", "/", "~"))):
            raise ValueError(f"model {name!r} is neither a folder nor a name of the form owner/model")
        diffusers_logging.disable_progress_bar()
        load: Any = StableDiffusionPipeline.from_pretrained
        try:
            # a safety checker would blacken images, and FID count them
            pipe = load(name, torch_dtype=dtype, safety_checker=None, requires_safety_checker=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            first = str(error).strip().splitlines()[:1]
            raise ValueError(
                f"model {name!r} cannot be loaded as a Stable Diffusion pipeline: {' '.join(first)}"
            ) from error
        pipe.set_progress_bar_config(disable=True)
        config = dict(pipe.scheduler.config)
        return cls(pipe.to(device), _fingerprint(pipe, config), config)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images."""
        side = int(self.pipe.unet.config.sample_size * self.pipe.vae_scale_factor)
        return side, side

    @property
    def noise_schedule(self) -> hso.NoiseSchedule:
        """The noise table that the model was trained on."""
        return hso.diffusers.noise_schedule(self._scheduler("DDIM"))

    def prepare(self, solver: str, nfe: int, schedule: hso.Schedule | None) -> dict[str, Any]:
        """Set the pipeline to a solver and schedule; return what its images depend on besides prompt and seed."""
        self.pipe.scheduler = self._scheduler(solver)
        if schedule is not None:
            with warnings.catch_warnings():
                # that DDIM is replaced by its equivalent is known here
                warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
                hso.diffusers.apply(self.pipe, schedule)
        self.pipe.scheduler.set_timesteps(nfe)
        return {
            "model": self.fingerprint,
            "solver": solver,
            "scheduler": _stable(self.config),
            "timesteps": [float(t) for t in self.pipe.scheduler.timesteps],
            "schedule": None if schedule is None else [schedule.terminal, schedule.sigmas.tolist()],
            "dtype": str(self.pipe.unet.dtype),
        }

    @torch.inference_mode()
    def sample(self, jobs: Sequence[Job], nfe: int, guidance_scale: float) -> Pixels:
        """The images of the jobs, (n, height, width, 3), under what was prepared."""
        unet = self.pipe.unet.config
        shape = (unet.in_channels, unet.sample_size, unet.sample_size)
        # drawn on the CPU in float32: the same noise on every device, in every process and type
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(job.noise_seed)) for job in jobs]
        images = self.pipe(
            [job.prompt for job in jobs],
            latents=torch.stack(noise).to(self.pipe.device, self.pipe.unet.dtype),
            num_inference_steps=nfe,
            guidance_scale=guidance_scale,
            output_type="np",
        ).images
        if not np.all(np.isfinite(images)):
            raise ValueError(f"images of {jobs[0].prompt!r} and its batch are not finite; try another dtype")
        pixels: Pixels = np.rint(images * 255.0).astype(np.uint8)
        return pixels

    def _scheduler(self, solver: str) -> Any:
        # every class ignores some of the others' keys, and says so
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SOLVERS[solver].from_config(copy.deepcopy(self.config))


def _fingerprint(pipe: Any, config: dict[str, Any]) -> str:
    """A hash of the pipeline's weights, vocabulary and noise: the same model under another name has the same images."""
    content = hashlib.blake2b(digest_size=16)
    for name in ("text_encoder", "unet", "vae"):
        for key, value in sorted(getattr(pipe, name).state_dict().items()):
            content.update(f"{name}.{key} {value.dtype} {tuple(value.shape)}".encode())
            content.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    content.update(json.dumps(pipe.tokenizer.get_vocab(), sort_keys=True).encode())
    content.update(digest(_stable(config)).encode())
    return content.hexdigest()


def _stable(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without diffusers' own notes on it, whose order differs from process to process."""
    return {key: value for key, value in config.items() if not key.startswith("_")}
