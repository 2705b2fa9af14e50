"""The latents of solvers in variance-exploding variables (Karras et al. 2022)."""

from __future__ import annotations

from typing import Any

from ._libraries import load
from ._scheduled import STATE, Applied, Scheduled
from ._target import setting


class ScheduledVE(Scheduled):
    """A solver on x/alpha, with the latent scale of the schedule's first noise level."""

    @property
    def init_noise_sigma(self) -> Any:
        """What pipelines multiply unit noise with, a tensor of no dimensions.

        sqrt(sigma^2 + sigma_data^2), sigma_data 1 where the class has none: divided by the same in
        ``scale_model_input``, the network first sees unit noise, as with every other scheduler. The
        schedule's gain multiplies it.
        diffusers takes sigma itself unless ``timestep_spacing`` is "leading", by which latents are
        too faint (0.2 % at SD's first sigma of 14.6, 1.4 % at 6), and for EDM the configured
        sigma_max, wherever the schedule starts.
        """
        state: Applied = vars(self)[STATE]
        first = float(state.handover.sigmas[0])
        data = float(setting(self, "sigma_data", 1.0))
        return load("torch").tensor(state.handover.gain * (first**2 + data**2) ** 0.5)
