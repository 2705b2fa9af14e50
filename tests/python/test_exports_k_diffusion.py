"""Exported k-diffusion code in k-diffusion's own samplers; scripts/test_comfyui.sh fetches them. Skipped without."""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

import hso
from diffusers_helpers import Network, build, gaussian, run, start
from hso import exports

PACKAGES = os.environ.get("HSO_K_DIFFUSION")


def exported(schedule: hso.Schedule) -> torch.Tensor:
    namespace: dict[str, Any] = {}
    exec(exports.export(schedule, "k-diffusion"), namespace)
    sigmas = namespace["sigmas"]
    assert isinstance(sigmas, torch.Tensor)
    return sigmas


def test_the_code_defines_the_sigmas() -> None:
    schedule = hso.optimize(hso.NoiseSchedule.preset("sdxl"), nfe=6)
    sigmas = exported(schedule)
    assert sigmas.dtype == torch.float32
    np.testing.assert_array_equal(sigmas.numpy(), schedule.sigmas.astype(np.float32))


def test_whole_numbers_are_no_integer_tensor() -> None:
    noise = hso.NoiseSchedule.edm(sigma_min=0.5, sigma_max=80.0)
    sigmas = exported(hso.Schedule.from_nodes(noise, [1.0, float(noise.t(0.0))]))
    assert sigmas.dtype == torch.float32 and sigmas.tolist() == pytest.approx([80.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def sampling() -> Any:
    """``k_diffusion.sampling`` without the rest of its package, which loads training code."""
    if PACKAGES is None:
        pytest.skip("HSO_K_DIFFUSION is not set: run scripts/test_comfyui.sh")
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(Path(PACKAGES) / "k_diffusion")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "k_diffusion", package)
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            stub = types.ModuleType(name)  # k_diffusion.utils reads images with it
            stub.__spec__ = importlib.machinery.ModuleSpec(name, None)
            patch.setitem(sys.modules, name, stub)
        sys.modules["torchvision.transforms"].functional = sys.modules[  # type: ignore[attr-defined]
            "torchvision.transforms.functional"
        ]
        patch.syspath_prepend(str(PACKAGES))
        yield importlib.import_module("k_diffusion.sampling")


def denoiser(level: Callable[[float], tuple[float, float]]) -> Any:
    """model(x, sigma) of k-diffusion for Gaussian pixels: E[x0]; `level` is sigma's (alpha, sigma) of x."""
    data = gaussian()

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        x0 = data.x0(x.double().numpy(), *level(float(sigma[0])))
        return torch.from_numpy(x0).to(x.dtype)

    return model


@pytest.mark.parametrize(
    ("sampler", "solver", "terminal"),
    [("sample_euler", "euler", "zero"), ("sample_euler", "euler", "t_min"), ("sample_dpmpp_2m", "dpm2", "zero")],
)
def test_the_samplers_do_what_diffusers_does(sampling: Any, sampler: str, solver: str, terminal: str) -> None:
    scheduler = build(solver)
    schedule = hso.optimize(hso.diffusers.noise_schedule(scheduler), nfe=6, terminal=terminal)
    sigmas = exported(schedule)
    noise = torch.from_numpy(start()).float()
    x = noise * (sigmas[0] ** 2 + 1.0) ** 0.5  # unit variance of alpha x, as diffusers starts
    result = getattr(sampling, sampler)(denoiser(lambda s: (1.0, s)), x, sigmas, disable=True)
    hso.diffusers.apply(scheduler, schedule)
    scheduler.set_timesteps(schedule.steps)
    expected = run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_euler_runs_flow_models(sampling: Any, terminal: str) -> None:
    schedule = hso.optimize(hso.NoiseSchedule.flow(shift=3.0), nfe=6, terminal=terminal)
    sigmas = exported(schedule)
    x = torch.from_numpy(start()).float() * sigmas[0]
    result = sampling.sample_euler(denoiser(lambda s: (1.0 - s, s)), x, sigmas, disable=True)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    hso.diffusers.apply(scheduler, schedule)
    scheduler.set_timesteps(schedule.steps)
    expected = run(scheduler, Network(gaussian(), "flow_prediction"), start())
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-4)
