"""HSO: where to place the few steps of a diffusion sampler.

    noise = hso.NoiseSchedule.preset("sd21")
    schedule = hso.optimize(noise, nfe=5)
    schedule.timesteps, schedule.sigmas

This package needs NumPy alone, and each of its parts is imported when it is first used: `import hso` itself takes some
milliseconds. ``hso.diffusers`` and plots import what else they need.
"""

import importlib
from typing import TYPE_CHECKING, Any

try:
    from . import _core
except ImportError as error:  # pragma: no cover - only without the compiled extension
    error.msg += ". Is the extension built? Install the package: pip install ."
    raise

if TYPE_CHECKING:
    from . import calibration, chain, diffusers, exports, network, objectives, oss, plot, presets, refine, schedules
    from ._explain import Explanation, explain
    from ._optimize import optimize
    from .calibration import Profile, calibrate
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
    from .schedule import Psi, Schedule

__version__: str = _core.__version__

__all__ = [
    "ErrorProxy",
    "Explanation",
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
    "explain",
    "exports",
    "karras_start",
    "mep",
    "mep_gradient",
    "mep_hessian",
    "network",
    "objectives",
    "optimize",
    "oss",
    "plot",
    "presets",
    "refine",
    "schedules",
    "spf",
]

_MODULES = (
    "calibration",
    "chain",
    "diffusers",
    "exports",
    "network",
    "objectives",
    "oss",
    "plot",
    "presets",
    "refine",
    "schedules",
)
_NAMES = {
    "_explain": ("Explanation", "explain"),
    "_optimize": ("optimize",),
    "calibration": ("Profile", "calibrate"),
    "noise_schedule": ("NoiseSchedule",),
    "objective": (
        "ErrorProxy",
        "d_min",
        "dm_nonuni",
        "dm_nonuni_gradient",
        "karras_start",
        "mep",
        "mep_gradient",
        "mep_hessian",
        "spf",
    ),
    "schedule": ("Psi", "Schedule"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
