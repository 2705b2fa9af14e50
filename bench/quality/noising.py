"""How clean images become training examples: Stable Diffusion's table, DDPM's, and flow matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_Table: Any = DDPMScheduler
_Flow: Any = FlowMatchEulerDiscreteScheduler

TRAIN_TIMESTEPS = 1000


class Noising(Protocol):
    """One family of noise levels and what a network on it predicts."""

    @property
    def scheduler(self) -> Any:
        """The diffusers scheduler that goes with the network."""

    def timesteps(self, spread: torch.Tensor) -> torch.Tensor:
        """What the network is told, (n,), at `spread` (n,) in [0, 1000]."""

    def noisy(self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """The network's input, alpha * clean + sigma * noise, (n, ...)."""

    def target(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """What the network should predict, (n, ...)."""


@dataclass(frozen=True)
class TableNoising:
    """A variance-preserving table of 1000 levels, given by its betas; the network predicts the noise."""

    scheduler: Any

    @classmethod
    def of_betas(cls, schedule: str, start: float, end: float) -> TableNoising:
        """The table that diffusers builds from the name and the ends of its betas."""
        return cls(
            _Table(
                num_train_timesteps=TRAIN_TIMESTEPS,
                beta_schedule=schedule,
                beta_start=start,
                beta_end=end,
                prediction_type="epsilon",
                clip_sample=False,
            )
        )

    def timesteps(self, spread: torch.Tensor) -> torch.Tensor:
        """The table's index, int64."""
        return spread.long().clamp_max(TRAIN_TIMESTEPS - 1)

    def noisy(self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """alpha and sigma from the table."""
        mixed: torch.Tensor = self.scheduler.add_noise(clean, noise, timesteps)
        return mixed

    def target(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The noise."""
        return noise


@dataclass(frozen=True)
class FlowNoising:
    """Rectified flow: alpha = 1 - s, sigma = s; the network is told 1000 s and predicts the velocity."""

    scheduler: Any

    @classmethod
    def unshifted(cls) -> FlowNoising:
        """With the scheduler's shift at 1, so that its s is the network's."""
        return cls(_Flow(num_train_timesteps=TRAIN_TIMESTEPS, shift=1.0))

    def timesteps(self, spread: torch.Tensor) -> torch.Tensor:
        """Any real number: s is continuous."""
        return spread

    def noisy(self, clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """The straight line from the image to the noise."""
        s = (timesteps / TRAIN_TIMESTEPS).view(-1, *[1] * (clean.ndim - 1))
        return (1.0 - s) * clean + s * noise

    def target(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The line's derivative in s."""
        return noise - clean


NAMES = ("sd", "ddpm", "flow")


def build(name: str) -> Noising:
    """The family called `name`: "sd", "ddpm" (Ho et al. 2020) or "flow" (Liu et al. 2022)."""
    if name == "sd":
        return TableNoising.of_betas("scaled_linear", 0.00085, 0.012)
    if name == "ddpm":
        return TableNoising.of_betas("linear", 1e-4, 0.02)
    if name == "flow":
        return FlowNoising.unshifted()
    raise ValueError(f"noise must be one of {', '.join(NAMES)}, got {name!r}")
