"""The gain on the initial noise: in schedules, in their files, and handed to diffusers."""

from __future__ import annotations

import copy
import json
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hso
from tables import SD as SD_NOISE

GAIN = 1.125
BAD = (0.0, -1.0, math.inf, math.nan, "1", True, None)


def test_with_gain_changes_the_gain_alone() -> None:
    schedule = hso.optimize(SD_NOISE, 5)
    scaled = schedule.with_gain(GAIN)
    assert (schedule.gain, scaled.gain) == (1.0, GAIN)
    assert scaled != schedule and scaled.with_gain(1) == schedule
    assert np.array_equal(scaled.lambdas, schedule.lambdas) and scaled.fitness == schedule.fitness
    assert "gain=1.125" in repr(scaled) and "gain" not in repr(schedule)
    for other in (copy.deepcopy(scaled), pickle.loads(pickle.dumps(scaled))):
        assert other == scaled and other.gain == GAIN


@pytest.mark.parametrize("gain", BAD)
def test_gains_that_are_none_are_refused(gain: Any) -> None:
    with pytest.raises(ValueError, match="gain must be"):
        hso.optimize(SD_NOISE, 5).with_gain(gain)


def test_files_hold_the_gain(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    schedule = hso.optimize(SD_NOISE, 5).with_gain(GAIN)
    schedule.save(path)
    assert hso.Schedule.load(path) == schedule
    document = json.loads(path.read_text())
    first = {name: value for name, value in document.items() if name != "gain"} | {"format": "hso-schedule/1"}
    path.write_text(json.dumps(first))
    assert hso.Schedule.load(path) == schedule.with_gain(1.0)
    for gain in (0.0, -2, "inf", "nan", True, "much"):
        path.write_text(json.dumps(document | {"gain": gain}))
        with pytest.raises(ValueError, match=r"schedule.json' is damaged: gain must be"):
            hso.Schedule.load(path)


pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import torch  # noqa: E402

from diffusers_helpers import (  # noqa: E402
    SD,
    SOLVERS,
    TERMINALS,
    Network,
    altered,
    build,
    denoise,
    example,
    expected,
    gaussian,
    run,
    start,
)
from pipeline_runs import Recorder  # noqa: E402
from tiny_flow_pipelines import stable_diffusion_3, wan  # noqa: E402
from tiny_pipelines import dit, stable_diffusion, stable_diffusion_img2img  # noqa: E402

VE_VARIABLES = ("EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "LMSDiscrete", "KDPM2Discrete")


def bare(name: str) -> Any:
    return getattr(diffusers, f"{name}Scheduler")(**SD)


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("gain", [0.9, GAIN])
@pytest.mark.parametrize("solver", SOLVERS)
def test_sampling_starts_from_gain_times_noise(solver: str, gain: float, terminal: str) -> None:
    scheduler = build(solver)
    schedule = example(scheduler, terminal=terminal).with_gain(gain)
    hso.diffusers.apply(scheduler, schedule)
    scheduler.set_timesteps(5)
    got = run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())
    want = expected(solver, schedule, gaussian(), gain * start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:DDIMScheduler cannot")
def test_ddim_gets_the_gain_through_its_stand_in() -> None:
    ddim = diffusers.DDIMScheduler(**SD, clip_sample=False)
    schedule = example(ddim).with_gain(GAIN)
    replacement = hso.diffusers.apply(ddim, schedule)
    assert ddim.init_noise_sigma == 1.0
    got = run(replacement, Network(gaussian(), "epsilon", ddim.alphas_cumprod), start())
    np.testing.assert_allclose(got, expected("dpm1", schedule, gaussian(), GAIN * start()), rtol=0.0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")
@pytest.mark.parametrize(
    "name", [*VE_VARIABLES, "DPMSolverMultistep", "DPMSolverSinglestep", "UniPCMultistep", "DDPM", "LCM", "TCD"]
)
def test_every_class_scales_its_own_and_gets_it_back(name: str) -> None:
    scheduler = bare(name)
    before, schedule = dict(vars(scheduler)), example(scheduler)
    hso.diffusers.apply(scheduler, schedule)
    plain = float(scheduler.init_noise_sigma)
    for gain in (GAIN, 0.5):  # the second is not on top of the first
        hso.diffusers.apply(scheduler, schedule.with_gain(gain))
        scheduler.set_timesteps(5)
        assert float(scheduler.init_noise_sigma) == pytest.approx(gain * plain, rel=1e-6)
        assert hso.diffusers.realised(scheduler).gain == gain
        assert float(pickle.loads(pickle.dumps(scheduler)).init_noise_sigma) == float(scheduler.init_noise_sigma)
    hso.diffusers.apply(scheduler, schedule.with_gain(1.0))
    assert float(scheduler.init_noise_sigma) == plain
    hso.diffusers.restore(scheduler)
    assert vars(scheduler).keys() == before.keys() and scheduler.init_noise_sigma is not None
    if "init_noise_sigma" in before:
        assert scheduler.init_noise_sigma == before["init_noise_sigma"]


@pytest.mark.parametrize("name", ["EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"])
def test_a_pipeline_with_gain_is_the_pipeline_on_scaled_latents(name: str) -> None:
    gain = 2.0  # a power of two commutes with rounding
    torch.manual_seed(0)
    tiny = stable_diffusion(bare(name))
    noise, schedule = tiny.noise(), example(tiny.pipe.scheduler)
    hso.diffusers.apply(tiny.pipe, schedule)
    plain, by_hand = tiny(5, latents=noise), tiny(5, latents=gain * noise)
    hso.diffusers.apply(tiny.pipe, schedule.with_gain(1.0))
    assert torch.equal(tiny(5, latents=noise), plain)
    hso.diffusers.apply(tiny.pipe, schedule.with_gain(gain))
    recorder = Recorder(tiny)
    assert torch.equal(tiny(5, latents=noise), by_hand) and not torch.equal(by_hand, plain)
    torch.testing.assert_close(recorder.seen[0], gain * noise[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", ["dpm2", "euler"])
def test_gain_1_changes_nothing(solver: str) -> None:
    scheduler = build(solver)
    schedule, network = example(scheduler), Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    noise = torch.from_numpy(start()).float()
    hso.diffusers.apply(scheduler, schedule)
    before = denoise(scheduler, network, noise)
    hso.diffusers.apply(scheduler, schedule.with_gain(1.0))
    assert torch.equal(denoise(scheduler, network, noise), before)


def test_image_to_image_takes_a_gain_without_effect() -> None:
    torch.manual_seed(0)
    tiny = stable_diffusion_img2img(bare("DPMSolverMultistep"))
    schedule = example(tiny.pipe.scheduler)
    hso.diffusers.apply(tiny.pipe, schedule)
    plain = tiny(5)
    hso.diffusers.apply(tiny.pipe, schedule.with_gain(GAIN))
    assert torch.equal(tiny(5), plain)


def flow_scheduler(name: str) -> Any:
    if name.startswith("FlowMatch"):
        return getattr(diffusers, f"{name}Scheduler")()
    return getattr(diffusers, f"{name}Scheduler")(use_flow_sigmas=True, prediction_type="flow_prediction")


@pytest.mark.parametrize("name", ["FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "UniPCMultistep"])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_flow_models_refuse_a_gain(name: str, in_pipeline: bool) -> None:
    scheduler = flow_scheduler(name)
    target = (wan if name == "UniPCMultistep" else stable_diffusion_3)(scheduler).pipe if in_pipeline else scheduler
    schedule = hso.optimize(hso.diffusers.noise_schedule(scheduler), 5)
    before = dict(vars(scheduler))
    with pytest.raises(ValueError, match=rf"schedule\.gain must be 1 for {name}Scheduler here.*latents=gain \* noise"):
        hso.diffusers.apply(target, schedule.with_gain(GAIN))
    assert vars(scheduler) == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
        hso.diffusers.apply(target, schedule)


def test_pipelines_that_do_not_scale_their_noise_refuse_a_gain() -> None:
    tiny = dit(bare("DPMSolverMultistep"))
    schedule = example(tiny.pipe.scheduler)
    with pytest.raises(ValueError, match=r"gain must be 1 .*DiTPipeline does not multiply"):
        hso.diffusers.apply(tiny.pipe, schedule.with_gain(GAIN))
    hso.diffusers.apply(tiny.pipe, schedule)
    hso.diffusers.apply(tiny.pipe.scheduler, schedule.with_gain(GAIN))  # a loop of one's own may multiply


@pytest.mark.parametrize("gain", BAD)
def test_bad_gains_leave_the_scheduler_as_it_was(gain: Any) -> None:
    scheduler = build("dpm2")
    schedule = example(scheduler)
    hso.diffusers.apply(scheduler, schedule)
    before = dict(vars(scheduler))
    with pytest.raises(ValueError, match=r"schedule\.gain must be"):
        hso.diffusers.apply(scheduler, altered(schedule, gain=gain))
    assert vars(scheduler) == before
