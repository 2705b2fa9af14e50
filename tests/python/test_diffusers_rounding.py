"""Timesteps in the formats that networks and schedulers take: whole numbers and half precision."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, example, schedule_on  # noqa: E402

VP = hso.diffusers.noise_schedule(diffusers.DDPMScheduler(**SD))
FLOW = hso.NoiseSchedule.flow(shift=3.0)
INTEGER = ["DDPMScheduler", "LCMScheduler", "TCDScheduler"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_rounding_is_torchs(dtype: str) -> None:
    from hso.diffusers._rounding import as_dtype

    values = np.concatenate([np.random.default_rng(0).uniform(0.0, 1000.0, 2000), np.arange(0.0, 1024.0, 0.5)])
    want = torch.tensor(values, dtype=torch.float32).to(getattr(torch, dtype)).double().numpy()
    np.testing.assert_array_equal(as_dtype(values, dtype), want)


@pytest.mark.parametrize("dtype", ["int64", "bfloat16", "float16"])
@pytest.mark.parametrize("noise", [VP, FLOW, hso.NoiseSchedule.edm()], ids=["vp", "flow", "edm"])
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_rounded_schedules_are_representable(noise: Any, dtype: str, terminal: str) -> None:
    schedule = hso.Schedule.from_nodes(noise, np.linspace(1.0, 0.1, 6), terminal=terminal)
    if dtype == "int64" and noise.family == "ve":  # log(sigma)/4 spans from -1.6 to 1.1
        with pytest.raises(ValueError, match=r"both .* in int64"):
            hso.diffusers.round_timesteps(noise, schedule, dtype)
        return
    rounded = hso.diffusers.round_timesteps(noise, schedule, dtype)
    told = torch.tensor(rounded.timesteps)
    np.testing.assert_array_equal(told.to(getattr(torch, dtype)).double().numpy(), told.numpy())
    assert np.abs(rounded.timesteps - schedule.timesteps).max() <= (4.0 if dtype == "bfloat16" else 0.5)
    np.testing.assert_allclose(rounded.lambdas[:-1], noise.lam(rounded.t[:-1]), rtol=1e-12)
    assert rounded.nfe == 5 or terminal == "zero"
    assert rounded.terminal == ("zero" if terminal == "skip" else terminal)
    if terminal == "t_min":
        assert rounded.t[-1] == schedule.t[-1]


def test_rounding_of_the_first_timestep_stays_in_the_table() -> None:
    """999 is 1000 in bfloat16, one more than the table has."""
    schedule = hso.Schedule.from_nodes(VP, [1.0, 0.5])
    assert hso.diffusers.round_timesteps(VP, schedule, "bfloat16").timesteps[0] == pytest.approx(996.0)


def test_refusals_of_rounding() -> None:
    schedule = hso.Schedule.from_nodes(VP, [0.9, 0.601, 0.6])
    with pytest.raises(ValueError, match="entries 1 and 2, 600 and 599, are both 600 in bfloat16"):
        hso.diffusers.round_timesteps(VP, schedule, "bfloat16")
    with pytest.raises(ValueError, match="dtype must be one of"):
        hso.diffusers.round_timesteps(VP, schedule, "int8")
    with pytest.raises(ValueError, match="noise must be the noise schedule that the schedule was made for"):
        hso.diffusers.round_timesteps(FLOW, schedule, "int64")


@pytest.mark.parametrize("name", INTEGER)
def test_integer_schedulers_report_what_runs(name: str) -> None:
    scheduler = getattr(diffusers, name)(**SD)
    schedule = example(scheduler, 5, fractional=True)
    with pytest.warns(hso.diffusers.HsoWarning, match=r"takes whole timesteps only.*off by at most 0\.\d"):
        hso.diffusers.apply(scheduler, schedule)
    realised = hso.diffusers.realised(scheduler)
    told = scheduler.timesteps
    assert told.dtype == torch.int64
    np.testing.assert_array_equal(told.numpy(), np.rint(schedule.timesteps))
    np.testing.assert_allclose(realised.timesteps, told.numpy(), rtol=0, atol=1e-9)
    table = np.sqrt(1.0 / scheduler.alphas_cumprod.double().numpy() - 1.0)
    np.testing.assert_allclose(realised.sigmas[:5], table[told.numpy()], rtol=1e-9)
    assert realised.sigmas[-1] == (pytest.approx(table[0], rel=1e-9) if name == "TCDScheduler" else 0.0)


@pytest.mark.parametrize("name", INTEGER)
def test_whole_timesteps_need_no_words(name: str) -> None:
    """Only TCD, which ends elsewhere, and the grids of distillation have something to say."""
    scheduler = getattr(diffusers, name)(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    schedule = hso.Schedule.from_nodes(noise, [1.0, 0.74, 0.5, 0.26])  # timesteps 999, 739, 499, 259
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", hso.diffusers.HsoWarning)
        hso.diffusers.apply(scheduler, schedule)
    words = " ".join(str(w.message) for w in caught if w.category is hso.diffusers.HsoWarning)
    assert ("ends at timestep 0" in words) == (name == "TCDScheduler")
    assert "whole timesteps" not in words and "distilled" not in words


def test_nodes_off_the_distillation_grid_are_named() -> None:
    scheduler = diffusers.LCMScheduler(**SD, original_inference_steps=50)
    schedule = hso.Schedule.from_nodes(hso.diffusers.noise_schedule(scheduler), [1.0, 0.75, 0.5])
    with pytest.warns(hso.diffusers.HsoWarning, match=r"1 of 3 timesteps are not among the 50 .*19, 39, \.\.\. 999"):
        hso.diffusers.apply(scheduler, schedule)


def test_other_schedulers_realise_the_schedule_itself() -> None:
    scheduler = diffusers.UniPCMultistepScheduler(**SD)
    with pytest.raises(ValueError, match="this UniPCMultistepScheduler holds no schedule"):
        hso.diffusers.realised(scheduler)
    schedule = example(scheduler, 5, fractional=True)
    hso.diffusers.apply(scheduler, schedule)
    assert hso.diffusers.realised(scheduler) is schedule
    assert hso.diffusers.realised(copy.deepcopy(scheduler)) == schedule


class Pipe:
    """As much of a pipeline as ``apply`` looks at."""

    def __init__(self, scheduler: Any, dtype: Any) -> None:
        self.scheduler = scheduler
        self.transformer = torch.nn.Linear(1, 1, dtype=dtype)
        self.transformer.dtype = dtype


class FluxPipeline(Pipe):
    pass


class StableDiffusion3Pipeline(Pipe):
    pass


def test_nodes_that_coincide_in_what_the_network_sees_are_refused() -> None:
    """Flux hands its network bfloat16 timesteps: 860 and 861 are the same. SD3 does not."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    schedule = schedule_on(FLOW, np.array([0.99, 0.861, 0.860, 0.3]), "zero")
    before = scheduler.timesteps.clone()
    with pytest.raises(ValueError, match="entries 1 and 2, 861 and 860, are both 860 in bfloat16"):
        hso.diffusers.apply(FluxPipeline(scheduler, torch.bfloat16), schedule)
    assert torch.equal(scheduler.timesteps, before) and type(scheduler) is diffusers.FlowMatchEulerDiscreteScheduler
    hso.diffusers.apply(FluxPipeline(scheduler, torch.float32), schedule)
    hso.diffusers.apply(StableDiffusion3Pipeline(scheduler, torch.bfloat16), schedule)
    for dtype, words in (("bfloat16", "in bfloat16"), ("int8", "timestep_dtype must be one of")):
        with pytest.raises(ValueError, match=words):
            hso.diffusers.apply(scheduler, schedule, timestep_dtype=dtype)
    hso.diffusers.apply(FluxPipeline(scheduler, torch.bfloat16), schedule, timestep_dtype="float32")


def test_what_flux_does_to_timesteps() -> None:
    """Divided by 1000 and multiplied again in bfloat16: the check sees every rounding on the way."""
    from hso.diffusers._rounding import as_dtype

    exact = torch.linspace(1000.0, 20.0, 400, dtype=torch.float64)
    seen = ((exact.float().to(torch.bfloat16) / 1000).to(torch.bfloat16) * 1000).double().numpy()
    ours = as_dtype(1000.0 * as_dtype(as_dtype(exact.numpy(), "bfloat16") / 1000.0, "bfloat16"), "bfloat16")
    np.testing.assert_array_equal(ours, seen)
