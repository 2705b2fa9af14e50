"""Runs that start in the middle of a schedule, as image to image does: noising, and the first steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, SHAPE, Network, example, gaussian, start  # noqa: E402

NAMES = [
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
]
VE = ("Euler", "Heun", "KDPM2", "LMS")


def prepared(name: str, **config: Any) -> tuple[Any, Any]:
    scheduler = getattr(diffusers, name)(**SD, **config)
    solver = {"Heun": "heun", "KDPM": "kdpm2"}.get(name[:4])
    schedule = example(scheduler, 8, "t_min", fractional=True)
    schedule = hso.Schedule.from_nodes(
        hso.diffusers.noise_schedule(scheduler), schedule.t, terminal="t_min", solver=solver
    )
    return hso.diffusers.apply(scheduler, schedule), schedule


@pytest.mark.parametrize("begin", [True, False], ids=["begin index", "lookup"])
@pytest.mark.parametrize("name", NAMES)
def test_noise_is_added_at_the_schedules_levels(name: str, begin: bool) -> None:
    scheduler, schedule = prepared(name)
    image = torch.from_numpy(start(5)).float()
    noise = torch.from_numpy(start(6)).float()
    for i in (0, 3):
        scheduler.set_timesteps(8)
        place = i * scheduler.order
        if begin:
            scheduler.set_begin_index(place)
        told = scheduler.timesteps[place : place + 1].repeat(SHAPE[0])
        got = scheduler.add_noise(image, noise, told).double()
        sigma = schedule.sigmas[i]
        want = image.double() + sigma * noise.double()
        if not name.startswith(VE):
            want = want / np.hypot(1.0, sigma)
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_tail_of_a_schedule_is_that_schedule(name: str) -> None:
    """Begun at node 3, the run is the one of a schedule that begins there."""
    scheduler, schedule = prepared(name)
    tail = hso.Schedule.from_nodes(
        hso.diffusers.noise_schedule(scheduler), schedule.t[3:], terminal="t_min", solver=schedule.solver
    )
    results = []
    for part, first in ((schedule, 3), (tail, 0)):
        hso.diffusers.apply(scheduler, part)
        scheduler.set_timesteps(part.steps)
        place = first * scheduler.order
        scheduler.set_begin_index(place)
        network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
        x = torch.from_numpy(start()).float() * float(schedule.sigmas[3] if name.startswith(VE) else 1.0)
        generator = {"generator": torch.Generator().manual_seed(0)} if "Ancestral" in name or "SA" in name else {}
        for t in scheduler.timesteps[place:]:
            inputs = scheduler.scale_model_input(x, t)
            x = scheduler.step(network(inputs, t), t, x, **generator, return_dict=False)[0]
        results.append(x)
    if name == "DPMSolverSinglestepScheduler":
        # Its groups of two steps are laid out from the schedule's start, so the tail begins inside one.
        assert torch.isfinite(results[0]).all()
        return
    torch.testing.assert_close(results[0], results[1], rtol=0.0, atol=1e-5)


def test_stock_lms_takes_weights_for_outputs_that_it_does_not_have() -> None:
    """Why ``apply`` passes LMS its order."""
    scheduler, _ = prepared("LMSDiscreteScheduler")
    scheduler.set_begin_index(3)
    x, output = torch.from_numpy(start()).float(), torch.ones(SHAPE)
    scheduler.scale_model_input(x, scheduler.timesteps[3])
    ours = scheduler.step(output, scheduler.timesteps[3], x, return_dict=False)[0]
    gap = float(scheduler.sigmas[4] - scheduler.sigmas[3])
    torch.testing.assert_close(ours, x + gap * output, rtol=0.0, atol=1e-6)
    scheduler.set_timesteps(8)
    scheduler.set_begin_index(3)
    stock = diffusers.LMSDiscreteScheduler.step(scheduler, output, scheduler.timesteps[3], x, return_dict=False)[0]
    assert (stock - ours).abs().max() > 0.1 * abs(gap)


def test_strength_of_consistency_models_is_refused() -> None:
    scheduler = diffusers.LCMScheduler(**SD)
    with pytest.warns(hso.diffusers.HsoWarning):
        hso.diffusers.apply(scheduler, example(scheduler, 4))
    scheduler.set_timesteps(4, original_inference_steps=50)
    with pytest.raises(ValueError, match=r"strength must be 1, got 0\.5"):
        scheduler.set_timesteps(4, original_inference_steps=50, strength=0.5)
