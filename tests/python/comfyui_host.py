"""Runs HSO's nodes inside ComfyUI's own code, without its server, on a model with an exact network.

As a script: python comfyui_host.py COMFYUI PACKAGES NODES INPUT OUT. COMFYUI is a copy of ComfyUI, PACKAGES a folder
with what it imports beyond the test environment, NODES the folder of HSO's nodes, INPUT holds ``network.pt`` (means,
variances, noise levels by timestep), a schedule file and a list for ManualSigmas; OUT takes the results. Only libraries
for images, audio and video files are stubbed.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.machinery
import sys
import unittest.mock
from pathlib import Path
from typing import Any

import torch

STUBBED = ("torchvision", "torchaudio", "av", "kornia", "spandrel")


class Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules for STUBBED, which ComfyUI imports and sampling does not touch."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in STUBBED else None

    def create_module(self, spec: Any) -> Any:
        module = unittest.mock.MagicMock()
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module: Any) -> None:
        pass


def connect(comfyui: Path, packages: Path, inputs: Path) -> None:
    """Make ComfyUI importable, on the CPU and with `inputs` as its input folder."""
    sys.meta_path.insert(0, Stubs())
    sys.path.insert(0, str(comfyui))
    sys.path.append(str(packages))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import folder_paths

    folder_paths.set_input_directory(str(inputs))


class Network(torch.nn.Module):
    """Predicts noise (flow: noise - x0) for Gaussian pixels, from the timestep that it is told."""

    def __init__(self, given: dict[str, Any], flow: bool) -> None:
        super().__init__()
        self.given, self.flow, self.told = given, flow, []
        self.dtype = torch.float32

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, **_: Any) -> torch.Tensor:
        t = float(timesteps[0])
        self.told.append(t)
        if self.flow:
            alpha, sigma = 1.0 - t / 1000.0, t / 1000.0
        else:
            assert t == int(t)
            alpha, sigma = self.given["alpha"][int(t)], self.given["sigma"][int(t)]
        mean, variance = self.given["mean"], self.given["variance"]
        x64 = x.double()
        x0 = mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x64 - alpha * mean)
        noise = (x64 - alpha * x0) / sigma
        return (noise - x0 if self.flow else noise).to(x.dtype)


def model(given: dict[str, Any], kind: str, settings: dict[str, Any]) -> Any:
    """A MODEL of ComfyUI: its BaseModel and ModelPatcher around the exact network."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.supported_models_base

    config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
    config.sampling_settings = settings
    base = comfy.model_base.BaseModel(config, model_type=comfy.model_base.ModelType[kind])
    base.diffusion_model = Network(given, flow=kind in ("FLOW", "FLUX"))
    return comfy.model_patcher.ModelPatcher(base, torch.device("cpu"), torch.device("cpu"))


def sample(patcher: Any, sampler: str, sigmas: torch.Tensor, seed: int) -> torch.Tensor:
    """ComfyUI's node SamplerCustom, from noise of `seed` on an empty latent."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import SamplerCustom

    empty = {"samples": torch.zeros(1, 4, 6, 6)}
    prompt = [[torch.zeros(1, 1, 4), {}]]
    result = SamplerCustom.execute(
        patcher, True, seed, 1.0, prompt, prompt, comfy.samplers.sampler_object(sampler), sigmas, empty
    )
    return result.result[0]["samples"]


def validate(inputs: dict[str, Any], class_type: str) -> tuple[bool, str]:
    """What ComfyUI says of a workflow with this node: fine or not, and the details of its errors."""
    import execution

    prompt = {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    valid, error, _, node_errors = asyncio.run(execution.validate_prompt("test", prompt, None))
    return valid, f"{error} {node_errors}"


def main(comfyui: Path, packages: Path, folder: Path, inputs: Path, out: Path) -> None:
    connect(comfyui, packages, inputs)
    import comfyui_version

    import nodes

    assert asyncio.run(nodes.load_custom_node(str(folder)))
    preview = comfyui / "comfy_extras" / "nodes_preview_any.py"
    assert asyncio.run(nodes.load_custom_node(str(preview), module_parent="comfy_extras"))
    given = torch.load(inputs / "network.pt")
    results: dict[str, Any] = {"version": comfyui_version.__version__}
    for_model = nodes.NODE_CLASS_MAPPINGS["HSOScheduleForModel"]()
    for name, kind, settings, sampler, terminal, denoise in (
        ("vp-euler", "EPS", {}, "euler", "zero", 1.0),
        ("vp-euler-t_min", "EPS", {}, "euler", "t_min", 1.0),
        ("vp-dpmpp_2m", "EPS", {}, "dpmpp_2m", "zero", 1.0),
        ("vp-denoise", "EPS", {}, "euler", "zero", 0.6),
        ("flow-euler", "FLOW", {"shift": 3.0}, "euler", "zero", 1.0),
        ("flow-euler-t_min", "FLOW", {"shift": 3.0}, "euler", "t_min", 1.0),
    ):
        patcher = model(given, kind, settings)
        (sigmas,) = for_model.sigmas(patcher, 5, terminal, "exact", denoise, 0)
        samples = sample(patcher, sampler, sigmas, seed=7)
        results[name] = {"sigmas": sigmas, "samples": samples, "told": patcher.model.diffusion_model.told}
    # With a shift of 1.15 in ModelSamplingFlux, and EDM's continuous noise: schedules only.
    for name, kind, settings in (
        ("flux", "FLUX", {"shift": 1.15}),
        ("edm", "EDM", {"sigma_min": 0.002, "sigma_max": 80.0}),
        ("cascade", "STABLE_CASCADE", {"shift": 2.0}),
    ):
        results[name] = {"sigmas": for_model.sigmas(model(given, kind, settings), 5, "zero", "exact")[0]}
    import comfy.sample

    results["noise"] = comfy.sample.prepare_noise(torch.zeros(1, 4, 6, 6), 7)
    from comfy_extras.nodes_custom_sampler import ManualSigmas

    results["manual"] = ManualSigmas.execute((inputs / "manual.txt").read_text()).result[0]
    common = {"nfe": 5, "terminal": "zero", "search": "exact", "denoise": 1.0, "seed": 0}
    results["valid"] = validate({"preset": "sd15", **common}, "HSOSchedule")
    results["unknown preset"] = validate({"preset": "sd99", **common}, "HSOSchedule")
    results["file"] = validate({"file": "five.json"}, "HSOScheduleFile")
    results["outside"] = validate({"file": "../network.pt"}, "HSOScheduleFile")
    torch.save(results, out)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
