"""HSO's ComfyUI nodes, loaded as ComfyUI loads them; stubbed are its folders and the models' noise alone.

test_comfyui_itself.py runs the same nodes in ComfyUI's own code.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hso

FOLDER = Path(__file__).parents[2] / "integrations" / "comfyui" / "hso_schedule"
COMMON = {"nfe": 5, "terminal": "zero", "search": "exact"}


@pytest.fixture
def custom_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The copied folder as a module, under the name that ComfyUI gives it, with `input_folder` beside it."""
    inputs = tmp_path / "input"
    inputs.mkdir()
    folder_paths = types.ModuleType("folder_paths")
    folder_paths.get_input_directory = lambda: str(inputs)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "folder_paths", folder_paths)
    copied = tmp_path / "custom_nodes" / "hso_schedule"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns("__pycache__"))
    name = str(copied).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, copied / "__init__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    module.input_folder = inputs
    yield module
    for loaded in [key for key in sys.modules if key.startswith(name + ".")]:
        del sys.modules[loaded]


def node(module: Any, name: str) -> Any:
    return module.NODE_CLASS_MAPPINGS[name]()


class CONST:
    """ComfyUI marks flow models with this base."""


class ModelSamplingDiscrete:
    def __init__(self, alphas_cumprod: Any) -> None:
        self.sigmas = torch.tensor(((1 - alphas_cumprod) / alphas_cumprod) ** 0.5, dtype=torch.float32)

    @property
    def sigma_max(self) -> torch.Tensor:
        return self.sigmas[-1]


class ModelSamplingFlow(CONST):
    def __init__(self, shift: float, n: int, bend: float = 1.0) -> None:
        u = (torch.arange(1, n + 1, dtype=torch.float64) / n) ** bend
        self.sigmas = (shift * u / (1 + (shift - 1) * u)).float()

    @property
    def sigma_max(self) -> torch.Tensor:
        return self.sigmas[-1]


class ModelSamplingContinuousEDM:
    sigma_min, sigma_max = torch.tensor(0.002), torch.tensor(80.0)
    sigmas = torch.linspace(math.log(0.002), math.log(80.0), 1000).exp()


class Model:
    """A MODEL: ModelPatcher's way to what it runs with."""

    def __init__(self, sampling: Any) -> None:
        self.sampling = sampling

    def get_model_object(self, name: str) -> Any:
        assert name == "model_sampling"
        return self.sampling


def sd_table() -> Any:
    return np.cumprod(1.0 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)


def close(sigmas: torch.Tensor, schedule: hso.Schedule, rtol: float = 3e-5) -> None:
    assert sigmas.dtype == torch.float32 and sigmas.device.type == "cpu"
    np.testing.assert_allclose(sigmas.numpy(), schedule.sigmas, rtol=rtol, atol=1e-9)


def test_nodes_are_declared_as_comfyui_wants_them(custom_node: Any) -> None:
    assert custom_node.NODE_CLASS_MAPPINGS.keys() == custom_node.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for cls in custom_node.NODE_CLASS_MAPPINGS.values():
        inputs = cls.INPUT_TYPES()
        assert set(inputs) <= {"required", "optional"}
        assert all(isinstance(value, tuple) for group in inputs.values() for value in group.values())
        assert cls.RETURN_TYPES == ("SIGMAS",)
        assert callable(getattr(cls, cls.FUNCTION))
        assert isinstance(cls.CATEGORY, str)
    presets = custom_node.NODE_CLASS_MAPPINGS["HSOSchedule"].INPUT_TYPES()["required"]["preset"][0]
    assert presets == hso.presets.names()


@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
@pytest.mark.parametrize("preset", ["sd15", "sdxl", "edm", "sd3"])
def test_a_model_by_name(custom_node: Any, preset: str, terminal: str) -> None:
    (sigmas,) = node(custom_node, "HSOSchedule").sigmas(preset, 6, terminal, "exact")
    close(sigmas, hso.optimize(hso.NoiseSchedule.preset(preset), nfe=6, terminal=terminal), rtol=1e-7)


def test_size_and_shift_of_flow_models(custom_node: Any) -> None:
    run = node(custom_node, "HSOSchedule").sigmas
    (sigmas,) = run("flux-dev", **COMMON, width=512, height=768)
    noise = hso.NoiseSchedule.preset("flux-dev", width=512, height=768)
    close(sigmas, hso.optimize(noise, nfe=5), rtol=1e-7)
    (sigmas,) = run("sd3", **COMMON, shift=2.0)
    close(sigmas, hso.optimize(hso.NoiseSchedule.flow(shift=2.0), nfe=5), rtol=1e-7)
    with pytest.raises(ValueError, match="must be left out: preset 'sd15'"):
        run("sd15", **COMMON, width=512)


@pytest.mark.parametrize("search", ["bilevel", "paper"])
def test_the_published_searches_take_the_seed(custom_node: Any, search: str) -> None:
    (sigmas,) = node(custom_node, "HSOSchedule").sigmas("sd15", 4, "t_min", search, seed=3)
    noise = hso.NoiseSchedule.preset("sd15")
    close(sigmas, hso.optimize(noise, nfe=4, terminal="t_min", search=search, seed=3), rtol=1e-7)


def test_the_connected_models_noise_is_read(custom_node: Any) -> None:
    run = node(custom_node, "HSOScheduleForModel").sigmas
    (sigmas,) = run(Model(ModelSamplingDiscrete(sd_table())), **COMMON)
    close(sigmas, hso.optimize(hso.NoiseSchedule.preset("sd15"), nfe=5))
    (sigmas,) = run(Model(ModelSamplingFlow(shift=3.0, n=1000)), **COMMON)
    close(sigmas, hso.optimize(hso.NoiseSchedule.flow(shift=3.0), nfe=5), rtol=1e-4)
    (sigmas,) = run(Model(ModelSamplingFlow(shift=math.exp(1.15), n=10000)), **COMMON)  # Flux's table
    close(sigmas, hso.optimize(hso.NoiseSchedule.flow(shift=math.exp(1.15)), nfe=5), rtol=1e-4)
    (sigmas,) = run(Model(ModelSamplingContinuousEDM()), **COMMON)
    close(sigmas, hso.optimize(hso.NoiseSchedule.edm(sigma_min=0.002, sigma_max=80.0), nfe=5))


def test_a_flow_table_that_is_no_shift_is_taken_as_it_is(custom_node: Any) -> None:
    sampling = ModelSamplingFlow(shift=3.0, n=1000, bend=1.3)
    noise = custom_node.nodes.noise_schedule(Model(sampling))
    assert noise.family == "flow" and noise.shift == 1.0
    sigmas = sampling.sigmas.double().numpy()
    assert noise.t_range == pytest.approx((sigmas[0], sigmas[-2]), rel=1e-6)


def test_models_without_a_table_are_refused(custom_node: Any) -> None:
    run = node(custom_node, "HSOScheduleForModel").sigmas
    with pytest.raises(ValueError, match="SimpleNamespace has no table of sigmas"):
        run(Model(types.SimpleNamespace()), **COMMON)
    with pytest.raises(ValueError, match="1 different values: too few"):
        run(Model(types.SimpleNamespace(sigmas=torch.ones(5))), **COMMON)


def test_denoise_starts_the_steps_lower(custom_node: Any) -> None:
    noise = hso.NoiseSchedule.flow(shift=3.0)
    (sigmas,) = node(custom_node, "HSOSchedule").sigmas("sd3", 4, "zero", "exact", denoise=0.5)
    assert len(sigmas) == 5
    assert float(sigmas[0]) == pytest.approx(3.0 * 0.5 / (1.0 + 2.0 * 0.5))
    first = noise.shifted(0.5)
    close(sigmas, hso.optimize(noise, nfe=4, t_max=(first, first)), rtol=1e-7)


def test_files_of_the_input_folder(custom_node: Any) -> None:
    cls = custom_node.NODE_CLASS_MAPPINGS["HSOScheduleFile"]
    schedule = hso.optimize(hso.NoiseSchedule.preset("sd15"), nfe=5)
    (custom_node.input_folder / "mine").mkdir()
    schedule.save(custom_node.input_folder / "mine" / "five.json")
    assert cls.INPUT_TYPES()["required"]["file"] == (["mine/five.json"],)
    assert cls.VALIDATE_INPUTS("mine/five.json") is True
    close(cls().sigmas("mine/five.json")[0], schedule, rtol=1e-7)
    close(cls().sigmas("mine/five.json", Model(ModelSamplingDiscrete(sd_table())))[0], schedule, rtol=1e-7)


def test_a_changed_file_is_noticed_and_an_unchanged_one_is_not_read_again(custom_node: Any) -> None:
    cls = custom_node.NODE_CLASS_MAPPINGS["HSOScheduleFile"]
    path = custom_node.input_folder / "five.json"
    noise = hso.NoiseSchedule.preset("sd15")
    hso.optimize(noise, nfe=5).save(path)
    first = cls.IS_CHANGED("five.json", None)
    os.utime(path, (1.0, 1.0))
    assert cls.IS_CHANGED("five.json") == first
    hso.optimize(noise, nfe=6).save(path)
    assert cls.IS_CHANGED("five.json") != first
    others = [custom_node.NODE_CLASS_MAPPINGS[name] for name in ("HSOSchedule", "HSOScheduleForModel")]
    assert not any(hasattr(other, "IS_CHANGED") for other in others)  # functions of their inputs


@pytest.mark.parametrize(
    "name", ["../secret.json", "/etc/passwd", "a/../../secret.json", "link.json", ".", "none.json"]
)
def test_files_elsewhere_are_refused(custom_node: Any, name: str) -> None:
    cls = custom_node.NODE_CLASS_MAPPINGS["HSOScheduleFile"]
    secret = custom_node.input_folder.parent / "secret.json"
    hso.optimize(hso.NoiseSchedule.preset("sd15"), nfe=5).save(secret)
    (custom_node.input_folder / "link.json").symlink_to(secret)
    (custom_node.input_folder / "a").mkdir()
    assert "input folder, got" in cls.VALIDATE_INPUTS(name)
    for call in (cls.IS_CHANGED, cls().sigmas):
        with pytest.raises(ValueError, match="input folder, got"):
            call(name)


def test_files_that_do_not_fit_are_refused(custom_node: Any) -> None:
    run = node(custom_node, "HSOScheduleFile").sigmas
    path = custom_node.input_folder / "x.json"
    discrete, flow = Model(ModelSamplingDiscrete(sd_table())), Model(ModelSamplingFlow(shift=3.0, n=1000))
    schedule = hso.optimize(hso.NoiseSchedule.preset("sd15"), nfe=5)
    schedule.save(path)
    with pytest.raises(ValueError, match="of family 'vp', the connected one is a flow model"):
        run("x.json", flow)
    hso.optimize(hso.NoiseSchedule.flow(shift=3.0), nfe=5).save(path)
    with pytest.raises(ValueError, match="of family 'flow', the connected one is no flow model"):
        run("x.json", discrete)
    hso.optimize(hso.NoiseSchedule.preset("edm"), nfe=5).save(path)
    with pytest.raises(ValueError, match=r"starts at sigma 80, the connected model's highest is 14\.61"):
        run("x.json", discrete)
    schedule.with_gain(1.1).save(path)
    with pytest.raises(ValueError, match=r"gain must be 1 .* got 1\.1"):
        run("x.json")
    path.write_text(json.dumps({"format": "a workflow"}))
    with pytest.raises(ValueError, match=r"x\.json"):
        run("x.json")


def test_without_hso_the_nodes_load_and_say_what_is_missing(custom_node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (custom_node.input_folder / "five.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "hso", None)
    nodes = custom_node.NODE_CLASS_MAPPINGS
    for cls in nodes.values():
        cls.INPUT_TYPES()  # ComfyUI asks for it when the interface loads
    wanted = f'"{sys.executable}" -m pip install hso'
    assert wanted in nodes["HSOSchedule"].VALIDATE_INPUTS("flux-dev")
    assert wanted in nodes["HSOScheduleFile"].VALIDATE_INPUTS("five.json")
    model = Model(ModelSamplingDiscrete(sd_table()))
    for run, arguments in (
        (nodes["HSOSchedule"]().sigmas, {"preset": "sd15", **COMMON}),
        (nodes["HSOScheduleForModel"]().sigmas, {"model": model, **COMMON}),
        (nodes["HSOScheduleFile"]().sigmas, {"file": "five.json"}),
    ):
        with pytest.raises(ImportError) as error:
            run(**arguments)
        assert wanted in str(error.value)


def test_an_unknown_preset_is_named(custom_node: Any) -> None:
    message = custom_node.NODE_CLASS_MAPPINGS["HSOSchedule"].VALIDATE_INPUTS("sd99")
    assert message.startswith("preset must be one of auraflow, ") and message.endswith("got 'sd99'")
    assert custom_node.NODE_CLASS_MAPPINGS["HSOSchedule"].VALIDATE_INPUTS("sdxl") is True


def test_inputs_that_other_nodes_give_are_checked_when_they_run(custom_node: Any) -> None:
    for name in ("HSOSchedule", "HSOScheduleFile"):
        assert custom_node.NODE_CLASS_MAPPINGS[name].VALIDATE_INPUTS(None) is True
    with pytest.raises(ValueError, match="sd99"):
        node(custom_node, "HSOSchedule").sigmas("sd99", **COMMON)


def test_an_impossible_schedule_is_hsos_error(custom_node: Any) -> None:
    with pytest.raises(ValueError, match="nfe"):
        node(custom_node, "HSOSchedule").sigmas("sd15", 0, "zero", "exact")


def test_the_registry_file_names_the_folder_and_the_requirement() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == (FOLDER / "requirements.txt").read_text().split() == ["hso"]
    assert project["tool"]["comfy"]["DisplayName"] and "comfyui" not in project["project"]["name"].lower()
    assert project["project"]["version"] == hso.__version__
