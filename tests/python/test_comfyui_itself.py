"""The nodes and the ComfyUI export in ComfyUI's own code; scripts/test_comfyui.sh fetches it. Skipped without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import comfyui_host
import hso
from hso import exports
from reference_solvers import Gaussian, Levels, ddim, dpm_solver_pp, flow_levels, vp_levels

COMFYUI = os.environ.get("HSO_COMFYUI")
PACKAGES = os.environ.get("HSO_COMFYUI_PACKAGES", "")
NODES = Path(__file__).parents[2] / "integrations" / "comfyui" / "hso_schedule"
SD = hso.NoiseSchedule.preset("sd15")
FLOW = hso.NoiseSchedule.flow(shift=3.0)

pytestmark = pytest.mark.skipif(COMFYUI is None, reason="HSO_COMFYUI is not set: run scripts/test_comfyui.sh")


@pytest.fixture(scope="module")
def data() -> Gaussian:
    random = np.random.default_rng(0)
    return Gaussian(random.uniform(-0.6, 0.6, (1, 4, 6, 6)), random.uniform(0.05, 0.5, (1, 4, 6, 6)))


@pytest.fixture(scope="module")
def results(data: Gaussian, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that the host made, in one process."""
    folder = tmp_path_factory.mktemp("comfyui")
    inputs = folder / "input"
    inputs.mkdir()
    lam = np.asarray(SD.lam(np.arange(1, 1001) / 1000.0))
    network = {
        "mean": torch.tensor(data.mean),
        "variance": torch.tensor(data.variance),
        "alpha": torch.tensor(SD.alpha(lam)),
        "sigma": torch.tensor(SD.sigma(lam)),
    }
    torch.save(network, inputs / "network.pt")
    torch.save(network, folder / "network.pt")
    schedule = hso.optimize(SD, nfe=5)
    schedule.save(inputs / "five.json")
    (inputs / "manual.txt").write_text(exports.export(schedule, "comfyui"))
    out = folder / "out.pt"
    command = [sys.executable, comfyui_host.__file__, COMFYUI, PACKAGES, str(NODES), str(inputs), str(out)]
    subprocess.run([str(word) for word in command], check=True, timeout=500)
    return dict(torch.load(out))


def noise_seen(data: Gaussian, levels: Levels, told: Levels) -> Any:
    """An x0-predictor whose network takes the noise level for `told`."""

    def predict(x: Any, i: int) -> Any:
        x0 = data.x0(x, told.alpha[i], told.sigma[i])
        noise = (x - told.alpha[i] * x0) / told.sigma[i]
        return (x - levels.sigma[i] * noise) / levels.alpha[i]

    return predict


@pytest.mark.parametrize("name", ["vp-euler", "vp-euler-t_min", "vp-dpmpp_2m", "vp-denoise"])
def test_stable_diffusion_in_comfyui(results: dict[str, Any], data: Gaussian, name: str) -> None:
    terminal = "t_min" if name.endswith("t_min") else "zero"
    first = {"t_max": (0.6, 0.6)} if name == "vp-denoise" else {}
    schedule = hso.optimize(SD, nfe=5, terminal=terminal, **first)
    found = results[name]
    np.testing.assert_allclose(found["sigmas"], schedule.sigmas, rtol=3e-5, atol=1e-9)
    whole = np.rint(schedule.timesteps)
    assert found["told"] == whole.tolist()
    levels = vp_levels(found["sigmas"].double().numpy())
    lam = np.asarray(SD.lam((whole + 1.0) / 1000.0))
    told = Levels(np.asarray(SD.alpha(lam)), np.asarray(SD.sigma(lam)))
    # A run from full noise starts with unit variance of x; one from less (denoise) with sigma/alpha of x/alpha.
    start = results["noise"].double().numpy() * (levels.sigma[0] if name == "vp-denoise" else 1.0)
    predict = noise_seen(data, levels, told)
    if "2m" in name:
        expected = dpm_solver_pp(levels, predict, start, order=2, first_order_end=True)
    else:
        expected = ddim(levels, predict, start)
    np.testing.assert_allclose(found["samples"], expected / levels.alpha[-1], atol=2e-4)


@pytest.mark.parametrize("name", ["flow-euler", "flow-euler-t_min"])
def test_flow_models_in_comfyui(results: dict[str, Any], data: Gaussian, name: str) -> None:
    schedule = hso.optimize(FLOW, nfe=5, terminal="t_min" if name.endswith("t_min") else "zero")
    found = results[name]
    np.testing.assert_allclose(found["sigmas"], schedule.sigmas, rtol=1e-5)
    assert found["told"] == pytest.approx(schedule.timesteps.tolist(), abs=1e-2)
    levels = flow_levels(found["sigmas"].double().numpy())
    expected = ddim(levels, data.predictor(levels), results["noise"].double().numpy() * levels.sigma[0])
    # What is left of flow latents is divided by the share of the signal in them.
    np.testing.assert_allclose(found["samples"], expected / levels.alpha[-1], atol=2e-4)


def test_schedules_fit_the_connected_model(results: dict[str, Any]) -> None:
    flux = hso.optimize(hso.NoiseSchedule.flow(shift=float(np.exp(1.15))), nfe=5)
    np.testing.assert_allclose(results["flux"]["sigmas"], flux.sigmas, rtol=1e-4, atol=1e-9)
    edm = hso.optimize(hso.NoiseSchedule.preset("edm"), nfe=5)
    np.testing.assert_allclose(results["edm"]["sigmas"], edm.sigmas, rtol=1e-5, atol=1e-9)
    cascade = results["cascade"]["sigmas"]
    assert torch.all(torch.diff(cascade) < 0) and cascade[-1] == 0 and cascade[0] > 50


def test_manual_sigmas_reads_the_export(results: dict[str, Any]) -> None:
    expected = hso.optimize(SD, nfe=5).sigmas.astype(np.float32)
    np.testing.assert_array_equal(results["manual"].numpy(), expected)


def test_comfyui_passes_workflows_and_shows_what_is_wrong(results: dict[str, Any]) -> None:
    assert results["valid"][0], results["valid"][1]
    assert results["file"][0], results["file"][1]
    assert not results["unknown preset"][0] and "got 'sd99'" in results["unknown preset"][1]
    assert not results["outside"][0] and "inside ComfyUI's input folder" in results["outside"][1]
