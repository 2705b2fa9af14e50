"""The noise schedules of known models, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import one_of


def _scaled_linear(beta_start: float, beta_end: float) -> dict[str, Any]:
    return {"betas": np.linspace(beta_start**0.5, beta_end**0.5, 1000) ** 2}


_STABLE_DIFFUSION = ("from_betas", lambda: _scaled_linear(0.00085, 0.012))
_DDPM = ("from_betas", lambda: {"betas": np.linspace(1e-4, 0.02, 1000)})

_PRESETS: dict[str, Any] = {
    "sd15": _STABLE_DIFFUSION,
    "sd21": _STABLE_DIFFUSION,
    "sd21-base": _STABLE_DIFFUSION,
    "sdxl": _STABLE_DIFFUSION,
    "ddpm": _DDPM,
    "dit": _DDPM,
    "pixart-alpha": _DDPM,
    "pixart-sigma": _DDPM,
    "sd3": ("flow", lambda: {"shift": 3.0}),
    "sd35": ("flow", lambda: {"shift": 3.0}),
    "flux-dev": ("flow", lambda: {"shift": float(np.exp(1.15))}),
    "flux-schnell": ("flow", lambda: {"shift": 1.0}),
    "wan2.1": ("flow", lambda: {"shift": 3.0}),
    "edm": ("edm", lambda: {"sigma_min": 0.002, "sigma_max": 80.0}),
}
"""Name -> (NoiseSchedule's class method, its arguments), from the models' published configurations.

flux-dev's shift depends on the resolution: exp(mu) with mu = 1.15 at 1024 x 1024 (4096 image tokens), as its
pipeline computes it; wan2.1's is the 480p models' (720p: 5).
"""


def preset_names() -> list[str]:
    """The names that NoiseSchedule.preset knows."""
    return sorted(_PRESETS)


def preset_parameters(name: str, shift: float | None = None) -> tuple[str, dict[str, Any]]:
    """The class method of NoiseSchedule and its arguments for a preset."""
    factory, parameters = _PRESETS[one_of("name", name, preset_names())]
    arguments = parameters()
    if shift is not None:
        if factory != "flow":
            raise ValueError(f"shift must be left out for preset {name!r}, which is no flow model, got {shift!r}")
        arguments["shift"] = shift
    return factory, arguments
