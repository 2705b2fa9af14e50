"""Every scheduler for variance-preserving tables: what it samples against a float64 reference.

diffusers' own ``step``, in float32, with an exact network that takes its noise level from the timestep
that it is told. Orders 1 and 2 of DPM-Solver++, UniPC with bh2 and Euler are in test_diffusers_solvers.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, TERMINALS, Network, denoise, gaussian, schedule_on, start, vp_nodes  # noqa: E402
from reference_solvers import vp_levels  # noqa: E402
from scheduler_cases import (  # noqa: E402
    NFE,
    Case,
    Problem,
    deis_multistep,
    dpm_multistep,
    dpm_singlestep,
    refused,
    sa_multistep,
)
from vp_cases import CASES, MULTI, SINGLE, dpm  # noqa: E402

TOLERANCE = 1e-5
# Up to so many steps these carry x/alpha, 15 times x at the start, or multiply rounding by e^h or h^2 of
# steps of 3 and more: float32 has too few digits for them then.
UNSTABLE_UP_TO = {
    "single dpm 2 midpoint": 5,
    "single dpm 3 midpoint": 5,
    "single dpm 3 heun": 5,
    "single sde-dpm++ 3 heun": 20,
    "unipc 2 noise": 5,
    "unipc 3 noise": 5,
    "sa noise 2, 2": 5,
}


def tolerance(name: str, steps: int) -> float:
    return 1e-4 if steps <= UNSTABLE_UP_TO.get(name, 0) else TOLERANCE


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("fractional", [False, True], ids=["integer", "fractional"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*calls the network")
def test_samples(name: str, fractional: bool, terminal: str, prediction: str) -> None:
    case = CASES[name]
    scheduler = case.build(**SD, prediction_type=prediction)
    noise = hso.diffusers.noise_schedule(scheduler)
    for nfe in NFE:
        schedule = schedule_on(noise, vp_nodes(nfe, fractional=fractional), terminal)
        if terminal in case.refused:
            assert f"schedule.terminal='{terminal}' ends at sigma 0" in refused(case, scheduler, schedule)
            continue
        hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device="cpu")
        network = Network(gaussian(), prediction, scheduler.alphas_cumprod)
        got = case.run(scheduler, network)
        assert len(network.timesteps) == case.calls(nfe)
        told = network.timesteps[::2] if case.two_calls else network.timesteps
        np.testing.assert_allclose(told, schedule.timesteps, rtol=1e-6, atol=1e-6)
        want = case.reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
        np.testing.assert_allclose(got, want, rtol=0.0, atol=tolerance(name, nfe), err_msg=f"nfe={nfe}")


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", [name for name in UNSTABLE_UP_TO if not CASES[name].stochastic])
def test_what_float32_loses_is_all_that_is_lost(name: str, terminal: str) -> None:
    """The same with latents in float64, at whole timesteps, which float32 holds exactly."""
    case = CASES[name]
    if terminal in case.refused:
        return
    scheduler = case.build(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    for nfe in NFE:
        schedule = schedule_on(noise, vp_nodes(nfe), terminal)
        hso.diffusers.apply(scheduler, schedule)
        got = denoise(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), torch.from_numpy(start()))
        want = case.reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
        np.testing.assert_allclose(got.numpy(), want, rtol=0.0, atol=1e-10, err_msg=f"nfe={nfe}")


# The settings that say how a run ends, where they are not at their defaults.
ENDS = {
    "dpm++ 3": (MULTI, {"solver_order": 3}, dpm_multistep(3, lower_order_final=False)),
    "dpm++ 2": (MULTI, {"solver_order": 2}, dpm_multistep(2, lower_order_final=False)),
    "single 2": (SINGLE, {"solver_order": 2}, dpm_singlestep(2, lower_order_final=True)),
    "single 3": (SINGLE, {"solver_order": 3}, dpm_singlestep(3, lower_order_final=True)),
    "deis 3": ("DEISMultistepScheduler", {"solver_order": 3}, deis_multistep(3, lower_order_final=False)),
    "sa 3, 3": (
        "SASolverScheduler",
        {"predictor_order": 3, "corrector_order": 3},
        sa_multistep(3, 3, lambda timestep: 200 <= timestep <= 800, lower_order_final=False),
    ),
}


@pytest.mark.parametrize(
    ("name", "terminal"),
    [*((name, "t_min") for name in ENDS), *((name, "zero") for name in ENDS if ENDS[name][0] in (MULTI, SINGLE))],
)
def test_lower_order_final(name: str, terminal: str) -> None:
    """The other value of the setting than the class's default."""
    cls, config, reference = ENDS[name]
    case = Case(cls, reference, {**config, "lower_order_final": cls == SINGLE}, stochastic=cls.startswith("SA"))
    scheduler = case.build(**SD)
    for nfe in (2, 3, 6, 10, 16):
        schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(nfe), terminal)
        hso.diffusers.apply(scheduler, schedule)
        got = case.run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod))
        want = reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


ZERO_SNR = {
    "dpm++ 3": CASES["dpm++ 3"],
    "sde-dpm++ 2": CASES["sde-dpm++ 2 midpoint"],
    "euler ancestral": CASES["euler ancestral"],
    "unipc 3 bh1": CASES["unipc 3 bh1"],
}


@pytest.mark.parametrize("name", ZERO_SNR)
def test_zero_terminal_snr(name: str) -> None:
    """The first sigma is 4096."""
    case = ZERO_SNR[name]
    scheduler = case.build(**SD, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(6), "t_min")
    assert schedule.sigmas[0] == pytest.approx(4096.0, rel=1e-3)
    hso.diffusers.apply(scheduler, schedule)
    got = case.run(scheduler, Network(gaussian(), "v_prediction", scheduler.alphas_cumprod))
    want = case.reference(Problem(vp_levels(schedule.sigmas), schedule.timesteps))
    # Euler's latents start at 4096 and lose these digits themselves: an ulp there is 5e-4.
    np.testing.assert_allclose(got, want, rtol=0.0, atol=5e-4 if name == "euler ancestral" else TOLERANCE)


def test_the_third_order_of_the_sde_without_plus_is_refused() -> None:
    """diffusers has no formula for it and stops in the third step with an UnboundLocalError."""
    case = dpm(MULTI, "sde-dpmsolver", 3)
    scheduler = case.build(**SD)
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(6), "t_min")
    assert "sde-dpmsolver" in refused(case, scheduler, schedule)


@pytest.mark.parametrize("name", ["heun", "kdpm2", "kdpm2 ancestral"])
def test_network_calls_are_those_that_the_schedule_was_made_for(name: str) -> None:
    """No warning then, and ``nfe`` is what the network counts."""
    case = CASES[name]
    scheduler = case.build(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    for nfe in (1, 3, 9):
        schedule = hso.optimize(noise, nfe, solver="heun" if name == "heun" else "kdpm2")
        with warnings.catch_warnings():
            warnings.simplefilter("error", hso.diffusers.HsoWarning)
            hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(schedule.steps)
        network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
        case.run(scheduler, network)
        assert len(network.timesteps) == nfe == schedule.nfe == 2 * schedule.steps - 1


@pytest.mark.parametrize("name", ["heun", "kdpm2", "kdpm2 ancestral"])
def test_more_network_calls_than_the_schedule_was_made_for_are_announced(name: str) -> None:
    scheduler = CASES[name].build(**SD)
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(5), "zero")
    with pytest.warns(hso.diffusers.HsoWarning, match="calls the network 9 times in the 5 steps"):
        hso.diffusers.apply(scheduler, schedule)
