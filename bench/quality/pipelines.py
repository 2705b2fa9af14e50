"""A diffusers pipeline for the small unconditional models, flow and latent ones included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_Base: Any = DiffusionPipeline

IMAGE_SIZE = 28


class FashionPipeline(_Base):  # type: ignore[misc]
    """A network, its scheduler and, for a latent model, the autoencoder.

    diffusers has no unconditional pipeline for flow matching, nor one for an AutoencoderKL;
    `FashionPipeline.from_pretrained` also reads the folders that DDPMPipeline wrote.
    """

    model_cpu_offload_seq = "unet->vae"
    _optional_components = ["vae"]  # noqa: RUF012

    def __init__(self, unet: Any, scheduler: Any, vae: Any = None) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler, vae=vae)

    @torch.no_grad()
    def __call__(
        self, batch_size: int = 1, num_inference_steps: int = 50, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images (batch_size, 1, 28, 28) in [-1, 1], sampled with the pipeline's scheduler."""
        size = self.unet.config.sample_size
        shape = (batch_size, self.unet.config.in_channels, size, size)
        self.scheduler.set_timesteps(num_inference_steps)
        x = torch.randn(shape, generator=generator).to(self.device, self.unet.dtype)
        x = x * getattr(self.scheduler, "init_noise_sigma", 1.0)
        for t in self.progress_bar(self.scheduler.timesteps):
            scaled = self.scheduler.scale_model_input(x, t) if hasattr(self.scheduler, "scale_model_input") else x
            output = self.unet(scaled, t).sample
            x = self.scheduler.step(output, t, x).prev_sample
        if self.vae is not None:
            x = decode(self.vae, x)
        images: torch.Tensor = x.clamp(-1.0, 1.0)
        return images


def load_part(part_class: Any, folder: Path, name: str) -> Any:
    """The network or autoencoder called `name` of a pipeline folder, in float32 and ready for evaluation."""
    part = part_class.from_pretrained(folder, subfolder=name, use_safetensors=True).float().eval()
    # else diffusers would write this machine's folder into what is saved of it
    part.register_to_config(_name_or_path=None)
    return part


@torch.no_grad()
def encode(vae: Any, images: torch.Tensor) -> torch.Tensor:
    """The posterior's means, scaled to unit variance, of images (n, 1, 28, 28) in [-1, 1]."""
    means: torch.Tensor = vae.encode(pad(images)).latent_dist.mean
    latents: torch.Tensor = (means - vae.config.shift_factor) * vae.config.scaling_factor
    return latents


@torch.no_grad()
def decode(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """The images (n, 1, 28, 28), not clamped, of latents of unit variance."""
    images: torch.Tensor = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
    return crop(images)


def pad(images: torch.Tensor) -> torch.Tensor:
    """28x28 to 32x32, which halves twice to 8x8 and on; the border is black, as the images' own is."""
    return torch.nn.functional.pad(images, (2, 2, 2, 2), value=-1.0)


def crop(images: torch.Tensor) -> torch.Tensor:
    """32x32 back to 28x28."""
    return images[..., 2:-2, 2:-2]
