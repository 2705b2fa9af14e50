"""The committed models behind one interface: a noisy x and a noise level in, the prediction of x0 out.

A noise level is lambda = log(alpha / sigma), as everywhere in hso: x = alpha x0 + sigma noise with
the model's own `noise` giving alpha, sigma and the timestep that the network is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers.utils import logging as diffusers_logging

import hso
import noising
from mixture import ImageMixture
from pipelines import IMAGE_SIZE, FashionPipeline, decode, encode

FOLDER = Path(__file__).parent / "models"
NAMES = ("mixture", "sd", "ddpm", "flow", "latent")
_TRAINED_BY = {
    "mixture": "fit_mixture.py",
    "sd": "train_unet.py --noise sd",
    "ddpm": "train_unet.py --noise ddpm",
    "flow": "train_unet.py --noise flow",
    "latent": "train_latent.py",
}


class Model(Protocol):
    """What a sampler needs of a model. x is (n, *shape), images are (n, 1, 28, 28) in [-1, 1]."""

    @property
    def noise(self) -> hso.NoiseSchedule:
        """The noise levels that it was trained on, or is asked at."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one x."""

    @property
    def dtype(self) -> torch.dtype:
        """That it computes in."""

    def denoise(self, x: torch.Tensor, level: float) -> torch.Tensor:
        """E[x0 | x], or the network's guess at it, at lambda = `level`."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """The x0 of images."""

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """The images, not clamped, of an x0."""


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A pipeline's network, and its autoencoder if it has one; on the pipeline's device, in float32."""

    pipeline: Any
    noise: hso.NoiseSchedule
    predicts_velocity: bool
    dtype: torch.dtype = torch.float32

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one x."""
        config = self.pipeline.unet.config
        return (config.in_channels, config.sample_size, config.sample_size)

    @torch.no_grad()
    def denoise(self, x: torch.Tensor, level: float) -> torch.Tensor:
        """(x - sigma * noise) / alpha from the predicted noise, x - sigma * velocity from the velocity noise - x0."""
        alpha, sigma = float(self.noise.alpha(level)), float(self.noise.sigma(level))
        timestep = torch.full((len(x),), float(self.noise.timestep(level)), device=x.device)
        output: torch.Tensor = self.pipeline.unet(x, timestep).sample
        return x - sigma * output if self.predicts_velocity else (x - sigma * output) / alpha

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Latents of unit variance where there is an autoencoder."""
        return images if self._vae is None else encode(self._vae, images)

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """The way back."""
        return x if self._vae is None else decode(self._vae, x)

    @property
    def _vae(self) -> Any:
        return getattr(self.pipeline, "vae", None)


@dataclass(frozen=True, eq=False)
class MixtureModel:
    """The Gaussian mixture: exact at every level of any noise schedule, in float64 on the CPU."""

    mixture: ImageMixture
    noise: hso.NoiseSchedule
    shape: tuple[int, int, int] = (1, IMAGE_SIZE, IMAGE_SIZE)
    dtype: torch.dtype = torch.float64

    def denoise(self, x: torch.Tensor, level: float) -> torch.Tensor:
        """E[x0 | x] in closed form, in x's dtype."""
        alpha, sigma = float(self.noise.alpha(level)), float(self.noise.sigma(level))
        flat = x.flatten(1).double().cpu().numpy()
        return torch.from_numpy(self.mixture.denoise(flat, alpha, sigma)).view(x.shape).to(x)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Images are their own x0."""
        return images

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """An x0 is its own image."""
        return x


def load(
    name: str, *, noise: hso.NoiseSchedule | None = None, folder: Path = FOLDER, device: str = "cpu"
) -> NetworkModel | MixtureModel:
    """The model called `name`, from `folder`/fashion_mnist_`name`; nothing is downloaded.

    "mixture" is exact for any `noise`, by default Stable Diffusion's table; a network has its own.
    Raises ValueError for another name and FileNotFoundError, with the command that makes them, for
    missing weights.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    if noise is not None and name != "mixture":
        raise ValueError(f"noise can be chosen for the mixture only, {name!r} was trained on its own")
    path = folder / f"fashion_mnist_{name}"
    kept = path / ("mixture.npz" if name == "mixture" else "model_index.json")
    if not kept.is_file():
        raise FileNotFoundError(f"{kept} not found: make it with python bench/quality/{_TRAINED_BY[name]} --out {path}")
    if name == "mixture":
        table = noise or hso.diffusers.noise_schedule(noising.build("sd").scheduler)
        return MixtureModel(ImageMixture.load(kept), table)
    diffusers_logging.disable_progress_bar()
    # float32, which is the default whatever the files hold: rounding stays out of the comparisons
    pipeline: Any = FashionPipeline.from_pretrained(path, use_safetensors=True).to(device)
    pipeline.unet.eval()
    if pipeline.vae is not None:
        pipeline.vae.eval()
    own = hso.diffusers.noise_schedule(pipeline.scheduler)
    return NetworkModel(pipeline, own, predicts_velocity=name == "flow")
