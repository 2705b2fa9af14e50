"""diffusers' pipelines with a scheduler and no networks: enough for what they compute from an image's size."""

from __future__ import annotations

import inspect
from typing import Any


def bare_pipeline(cls: Any, scheduler: Any) -> Any:
    """A pipeline of the class ``cls`` whose other components are None."""
    parts = [part.name for part in inspect.signature(cls).parameters.values() if part.default is part.empty]
    return cls(**{**dict.fromkeys(parts), "scheduler": scheduler})


def count_tokens(pipe: Any, width: int, height: int, num_frames: int | None) -> int:
    """The number of tokens that a pipeline passes to its calculate_shift, read off the latents that it makes."""
    import torch

    size = (height, width) if num_frames is None else (height, width, num_frames)
    made = pipe.prepare_latents(1, 16, *size, torch.float32, torch.device("cpu"), None)
    latents = made[0] if isinstance(made, tuple) else made
    if type(pipe).__name__ in ("StableDiffusion3Pipeline", "ZImagePipeline"):  # not packed yet
        return int(latents.shape[2] // 2 * (latents.shape[3] // 2))
    return int(latents.shape[1])
