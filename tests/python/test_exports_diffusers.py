"""Exported diffusers code, run where hso cannot be imported, samples what ``hso.diffusers.apply`` does, to the bit."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

import exported_runs
import hso
from exported_runs import CASES, SD, build, sample
from hso import exports
from tiny_flow_pipelines import flux, stable_diffusion_3
from tiny_pipelines import stable_diffusion

NOISES = {
    "vp": hso.diffusers.noise_schedule(diffusers.DPMSolverMultistepScheduler(**SD)),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "ve": hso.NoiseSchedule.preset("edm"),
}
RUNS = [(name, terminal) for name in CASES for terminal in ("zero", "t_min", "skip")]


def schedule(family: str, terminal: str = "zero") -> hso.Schedule:
    return hso.optimize(NOISES[family], nfe=5, terminal=terminal)


def code_for(given: hso.Schedule) -> Any:
    namespace: dict[str, Any] = {}
    exec(exports.export(given, "diffusers"), namespace)
    return namespace["use_schedule"]


@pytest.fixture(scope="module")
def without_hso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with each run's result, all made in one process that cannot import hso."""
    folder = tmp_path_factory.mktemp("exported")
    for name, terminal in RUNS:
        text = exports.export(schedule(name.split("-")[0], terminal), "diffusers")
        (folder / f"{name}.{terminal}.py").write_text(text)
    subprocess.run([sys.executable, exported_runs.__file__, str(folder)], check=True, timeout=240)
    return folder


@pytest.mark.parametrize(("name", "terminal"), RUNS)
def test_the_code_samples_what_apply_samples(without_hso: Path, name: str, terminal: str) -> None:
    given = schedule(name.split("-")[0], terminal)
    scheduler = build(name)
    hso.diffusers.apply(scheduler, given)
    expected, told = sample(scheduler, given.steps)
    result, told_result = torch.load(without_hso / f"{name}.{terminal}.pt")
    assert torch.isfinite(result).all()
    assert torch.equal(result, expected)
    assert told_result == told
    assert told == pytest.approx(given.timesteps.tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("make", "scheduler"),
    [
        (stable_diffusion, diffusers.UniPCMultistepScheduler(**SD)),
        (stable_diffusion, diffusers.EulerDiscreteScheduler(**SD)),
        (stable_diffusion_3, diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)),
        (flux, diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)),
    ],
    ids=["sd-unipc", "sd-euler", "sd3", "flux"],
)
def test_pipelines_run_the_code(make: Any, scheduler: Any) -> None:
    given = schedule("flow" if "Flow" in type(scheduler).__name__ else "vp")
    tiny = make(copy.deepcopy(scheduler))
    code_for(given)(tiny.pipe)
    result = tiny(given.steps)
    with pytest.raises(ValueError, match="num_inference_steps must be 5, got 7"):
        tiny(7)
    tiny.pipe.scheduler = copy.deepcopy(scheduler)
    hso.diffusers.apply(tiny.pipe, given)
    assert torch.equal(result, tiny(given.steps))


def test_the_last_schedule_holds() -> None:
    scheduler = build("vp-dpm")
    first, second = schedule("vp"), hso.optimize(NOISES["vp"], nfe=7)
    code_for(second)(code_for(first)(scheduler))
    scheduler.set_timesteps(7)
    assert scheduler.sigmas.tolist() == second.sigmas.tolist()
    assert type(scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert isinstance(scheduler, diffusers.DPMSolverMultistepScheduler)


@pytest.mark.parametrize(
    ("scheduler", "family", "message"),
    [
        (diffusers.DDIMScheduler(**SD), "vp", "not with DDIMScheduler. For DDIM: pipe.scheduler = DPMSolver"),
        (diffusers.HeunDiscreteScheduler(**SD), "vp", "not with HeunDiscreteScheduler"),
        (diffusers.DPMSolverMultistepScheduler(), "vp", "noise table is another one"),
        (diffusers.DPMSolverMultistepScheduler(**exported_runs.FLOW), "vp", "noise table is another one"),
        (diffusers.UniPCMultistepScheduler(**SD, solver_type="bh1"), "vp", "needs dpmsolver"),
        (diffusers.UniPCMultistepScheduler(**SD), "flow", "use_flow_sigmas"),
        (diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True), "flow", "invert_sigmas"),
        (diffusers.EulerDiscreteScheduler(**SD), "flow", "not with EulerDiscreteScheduler"),
        (diffusers.EulerDiscreteScheduler(**SD), "ve", "not with EulerDiscreteScheduler"),
    ],
)
def test_the_code_refuses_schedulers_that_would_run_it_wrong(scheduler: Any, family: str, message: str) -> None:
    before = dict(vars(scheduler))
    with pytest.raises(ValueError, match=message):
        code_for(schedule(family))(scheduler)
    assert vars(scheduler).keys() == before.keys() and "Fixed" not in type(scheduler).__qualname__


def test_ddims_replacement_in_the_message_works() -> None:
    """The line that the error offers, run as it is."""
    pipe = stable_diffusion(diffusers.DDIMScheduler(**SD, clip_sample=False)).pipe
    given = schedule("vp")
    with pytest.raises(ValueError) as error:
        code_for(given)(pipe)
    exec(str(error.value).split("For DDIM: ")[1], {**vars(diffusers), "pipe": pipe})
    code_for(given)(pipe)
    stand_in = hso.diffusers.equivalent(diffusers.DDIMScheduler(**SD, clip_sample=False))
    hso.diffusers.apply(stand_in, given)
    assert torch.equal(sample(pipe.scheduler, 5)[0], sample(stand_in, 5)[0])


def test_sdnexts_timesteps_in_the_schedulers_that_it_calls() -> None:
    """It passes ``timesteps=`` as they are, to flow schedulers ``sigmas=`` of a thousandth of them."""
    given = schedule("vp")
    text = exports.export(given, "sdnext")
    scheduler = build("vp-dpm")
    scheduler.set_timesteps(timesteps=[int(x) for x in text.split(",")])
    back = exports.parse(text, "sdnext", NOISES["vp"])
    assert scheduler.sigmas.tolist() == pytest.approx(back.sigmas.tolist(), rel=1e-5)
    assert back.sigmas == pytest.approx(given.sigmas, rel=6e-3)
    given = schedule("flow")
    text = exports.export(given, "sdnext")
    scheduler = build("flow-euler")
    scheduler.set_timesteps(sigmas=[int(x) / 1000.0 for x in text.split(",")])
    back = exports.parse(text, "sdnext", NOISES["flow"])
    assert scheduler.sigmas.tolist() == pytest.approx(back.sigmas.tolist(), rel=3e-6)
    assert back.sigmas == pytest.approx(given.sigmas, abs=1.5e-3)


def test_a_table_of_its_own_has_no_scheduler() -> None:
    general = hso.NoiseSchedule.from_table([0.1, 0.5, 1.0], [0.9, 0.5, 0.2], [0.2, 0.6, 0.9])
    assert general.family == "general"
    with pytest.raises(
        ValueError, match=r"schedule\.family must be one of vp, flow, ve for 'diffusers', got 'general'"
    ):
        exports.export(hso.Schedule.from_nodes(general, [1.0, 0.5]), "diffusers")
