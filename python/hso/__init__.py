"""HSO: where to place the few steps of a diffusion sampler.

    noise = hso.NoiseSchedule.preset("sd21")
    schedule = hso.optimize(noise, nfe=5)
    schedule.timesteps, schedule.sigmas

Importing this package needs NumPy alone; ``hso.diffusers`` and plots import what they need when used.
"""

import importlib
from typing import TYPE_CHECKING, Any

try:
    from . import _core
except ImportError as error:  # pragma: no cover - only without the compiled extension
    error.msg += ". Is the extension built? Install the package: pip install ."
    raise

from . import presets
from .noise_schedule import NoiseSchedule
from .objective import (
    ErrorProxy,
    d_min,
    dm_nonuni,
    dm_nonuni_gradient,
    karras_start,
    mep,
    mep_gradient,
    mep_hessian,
    spf,
)
from .optimize import optimize
from .schedule import Psi, Schedule

if TYPE_CHECKING:
    from . import chain, diffusers, oss, schedules
    from .calibration import Profile, calibrate

__version__: str = _core.__version__

__all__ = [
    "ErrorProxy",
    "NoiseSchedule",
    "Profile",
    "Psi",
    "Schedule",
    "__version__",
    "calibrate",
    "calibration",
    "chain",
    "d_min",
    "diffusers",
    "dm_nonuni",
    "dm_nonuni_gradient",
    "karras_start",
    "mep",
    "mep_gradient",
    "mep_hessian",
    "network",
    "objectives",
    "optimize",
    "oss",
    "presets",
    "refine",
    "schedules",
    "spf",
]


_MODULES = ("calibration", "chain", "diffusers", "network", "objectives", "oss", "refine", "schedules")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in ("Profile", "calibrate"):
        return getattr(importlib.import_module(".calibration", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
