"""Samples with exported diffusers code, in a process that cannot import hso.

Run as a script with a folder: it executes each ``<case>.<terminal>.py`` there and writes the samples, and what the
network was told, beside it (``.pt``). The tests import ``sample`` and ``build`` and do the same with
``hso.diffusers.apply``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import diffusers
import torch

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}

# name: scheduler class, configuration
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vp-dpm": ("DPMSolverMultistepScheduler", SD),
    "vp-dpm-karras": ("DPMSolverMultistepScheduler", {**SD, "use_karras_sigmas": True}),
    "vp-dpm3": ("DPMSolverMultistepScheduler", {**SD, "solver_order": 3}),
    "vp-unipc": ("UniPCMultistepScheduler", SD),
    "vp-euler": ("EulerDiscreteScheduler", {**SD, "timestep_spacing": "trailing"}),
    "vp-euler-a": ("EulerAncestralDiscreteScheduler", SD),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    "flow-euler-dynamic": ("FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}),
    "flow-euler-terminal": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "shift_terminal": 0.1}),
    "flow-unipc": ("UniPCMultistepScheduler", FLOW),
    "flow-dpm": ("DPMSolverMultistepScheduler", FLOW),
    "ve-euler": ("EDMEulerScheduler", {}),
    "ve-dpm": ("EDMDPMSolverMultistepScheduler", {}),
}


def build(name: str) -> Any:
    """A new scheduler for a case."""
    cls, config = CASES[name]
    return getattr(diffusers, cls)(**config)


def sample(scheduler: Any, steps: int) -> tuple[torch.Tensor, list[float]]:
    """What the scheduler makes of fixed noise with a network that sees the timestep, and the timesteps."""
    scheduler.set_timesteps(steps)
    noise = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    x = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    random = torch.Generator().manual_seed(2)
    options = {"generator": random} if type(scheduler).__name__.startswith("EulerAncestral") else {}
    told = []
    for t in scheduler.timesteps:
        inputs = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        told.append(float(t))
        output = 0.4 * inputs + 0.3 * torch.sin(3.0 * inputs + t / 300.0)
        x = scheduler.step(output, t, x, return_dict=False, **options)[0]
    return x, told


def main(folder: Path) -> None:
    for code in sorted(folder.glob("*.py")):
        namespace: dict[str, Any] = {}
        exec(code.read_text(), namespace)
        name = code.stem.split(".")[0]
        scheduler = namespace["use_schedule"](build(name))
        torch.save(sample(scheduler, len(namespace["TIMESTEPS"])), code.with_suffix(".pt"))


if __name__ == "__main__":
    sys.modules["hso"] = None  # type: ignore[assignment]
    main(Path(sys.argv[1]))
