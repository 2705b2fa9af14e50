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

__version__: str = _core.__version__

__all__ = [
    "ErrorProxy",
    "NoiseSchedule",
    "Psi",
    "Schedule",
    "__version__",
    "chain",
    "d_min",
    "diffusers",
    "dm_nonuni",
    "dm_nonuni_gradient",
    "karras_start",
    "mep",
    "mep_gradient",
    "mep_hessian",
    "optimize",
    "oss",
    "presets",
    "schedules",
    "spf",
]


def __getattr__(name: str) -> Any:
    if name in ("chain", "diffusers", "oss", "schedules"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
