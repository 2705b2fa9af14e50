"""What every scheduler must keep to besides the numbers: fresh runs, types, settings without effect."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, Network, denoise, gaussian, schedule_on, start, vp_nodes  # noqa: E402
from reference_solvers import vp_levels  # noqa: E402
from scheduler_cases import SEED, Case, Problem, consistency, posterior  # noqa: E402
from vp_cases import CASES  # noqa: E402

TABLE_LOOKUP = {
    "ddpm": Case("DDPMScheduler", posterior, {"clip_sample": False}, stochastic=True),
    "lcm": Case("LCMScheduler", consistency, stochastic=True),
}
ALL = {**CASES, **TABLE_LOOKUP}

pytestmark = pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")


def prepared(case: Case, steps: int = 6, **config: object) -> tuple[object, object]:
    scheduler = case.build(**SD, **config)
    terminal = "t_min" if case.refused else "zero"
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(steps), terminal)
    return hso.diffusers.apply(scheduler, schedule), schedule


@pytest.mark.parametrize("name", ALL)
def test_a_run_that_was_broken_off_leaves_nothing_behind(name: str) -> None:
    """After 2 and 3 calls: within a step of two calls, within a group, with a history."""
    case = ALL[name]
    scheduler, _ = prepared(case)
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    want = case.run(scheduler, network)
    for calls in (2, 3):
        scheduler.set_timesteps(6)
        x = torch.from_numpy(start(3)).float()
        for t in itertools.islice(scheduler.timesteps, calls):
            inputs = scheduler.scale_model_input(x, t)
            x = scheduler.step(network(inputs, t), t, x, return_dict=False)[0]
        scheduler.set_timesteps(6)
        np.testing.assert_array_equal(case.run(scheduler, network), want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ALL)
def test_half_precision_keeps_its_type(name: str, dtype: str) -> None:
    case = ALL[name]
    scheduler, schedule = prepared(case, 10)
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    noise = torch.from_numpy(start()).to(getattr(torch, dtype))
    options = {"generator": torch.Generator().manual_seed(SEED)} if case.stochastic else {}
    result = denoise(scheduler, network, noise, **options)
    assert result.dtype == getattr(torch, dtype)
    assert result.shape == noise.shape and bool(torch.isfinite(result).all())
    if not case.stochastic:
        want = case.reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
        # 8 or 11 bits, in latents of up to 50.
        assert np.abs(result.double().numpy() - want).max() < 1.0


WITH_SPACING = ("dpm++ 3", "unipc 3 bh1", "deis 3", "sa 2, 2", "heun", "kdpm2", "kdpm2 ancestral", "lms")
GRID_SETTINGS = [
    *itertools.product(
        (*WITH_SPACING, "single dpm++ 3 heun"), ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
    ),
    *itertools.product((*WITH_SPACING, "euler ancestral"), ("trailing", "leading", "linspace")),
    ("dpm++ 3", "use_lu_lambdas"),
]


@pytest.mark.parametrize(("name", "key"), GRID_SETTINGS)
def test_settings_that_make_grids_are_overruled(name: str, key: str) -> None:
    """They shape the scheduler's own grid, and the scale of its latents."""
    if key == "use_beta_sigmas":
        pytest.importorskip("scipy")
    case = ALL[name]
    setting = {key: True} if key.startswith("use") else {"timestep_spacing": key}
    scheduler, schedule = prepared(case, **setting)
    got = case.run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod))
    want = case.reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
    np.testing.assert_allclose(got, want, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_noise_level_would_be_noticed(name: str) -> None:
    """A tenth of a timestep at the network, or a thousandth of a sigma at the solver."""
    case = ALL[name]
    scheduler, schedule = prepared(case)
    problem = Problem(vp_levels(hso.diffusers.realised(scheduler).sigmas), schedule.timesteps)
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    if name not in TABLE_LOOKUP:
        scheduler.timesteps = scheduler.timesteps - 0.1
        assert np.abs(case.run(scheduler, network) - case.reference(problem)).max() > 1e-4
        scheduler.set_timesteps(6)
        scheduler.sigmas = scheduler.sigmas * 1.001
    else:
        scheduler.alphas_cumprod = scheduler.alphas_cumprod * 0.999
    assert np.abs(case.run(scheduler, network) - case.reference(problem)).max() > 1e-4
