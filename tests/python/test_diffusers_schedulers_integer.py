"""DDPM, LCM and TCD, which take whole timesteps: samples against a float64 reference.

Whatever schedule is applied, ``realised`` says which one runs, and that one is compared.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, TERMINALS, Array, Network, gaussian, schedule_on, vp_nodes  # noqa: E402
from reference_solvers import Levels, vp_levels  # noqa: E402
from reference_stochastic import tcd  # noqa: E402
from scheduler_cases import NFE, Case, Problem, consistency, posterior, refused  # noqa: E402

TOLERANCE = 1e-5
TABLE = diffusers.DDPMScheduler(**SD).alphas_cumprod.double().numpy()


def at(timesteps: Array) -> Levels:
    """Levels of the table's entries."""
    return Levels(np.sqrt(TABLE[timesteps]), np.sqrt(1.0 - TABLE[timesteps]))


def strategic(gamma: float) -> Case:
    """TCD: from every node by DDIM to (1 - gamma) of the next one's timestep, rounded down."""

    def sample(p: Problem) -> Array:
        ends = np.append(np.rint(p.timesteps[1:]), 0.0)
        between = at(np.floor((1.0 - gamma) * ends + 1e-4).astype(int))
        return tcd(p.levels, between, p.predict, p.x, p.noises)

    return Case("TCDScheduler", sample, refused=("t_min",), stochastic=True, options={"eta": gamma})


NO_CLIP = {"clip_sample": False}
CASES = {
    "ddpm": Case("DDPMScheduler", posterior, NO_CLIP, refused=("t_min",), stochastic=True),
    "ddpm log": Case(
        "DDPMScheduler",
        posterior,
        {**NO_CLIP, "variance_type": "fixed_small_log"},
        refused=("t_min",),
        stochastic=True,
    ),
    "lcm": Case("LCMScheduler", consistency, {}, refused=("t_min",), stochastic=True),
    "tcd 0": strategic(0.0),
    "tcd 0.3": strategic(0.3),
    "tcd 1": strategic(1.0),
}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("fractional", [False, True], ids=["integer", "fractional"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")
def test_samples(name: str, fractional: bool, terminal: str, prediction: str) -> None:
    case = CASES[name]
    scheduler = case.build(**SD, prediction_type=prediction)
    noise = hso.diffusers.noise_schedule(scheduler)
    for nfe in NFE:
        schedule = schedule_on(noise, vp_nodes(nfe, fractional=fractional), terminal)
        if terminal in case.refused:
            assert "terminal='zero'" in refused(case, scheduler, schedule)
            continue
        hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device="cpu")
        network = Network(gaussian(), prediction, scheduler.alphas_cumprod)
        got = case.run(scheduler, network)
        np.testing.assert_array_equal(network.timesteps, np.rint(schedule.timesteps))
        runs = hso.diffusers.realised(scheduler)
        np.testing.assert_allclose(runs.timesteps, network.timesteps, atol=1e-6)
        want = case.reference(Problem(vp_levels(runs.sigmas), runs.timesteps))
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


@pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")
def test_tcd_stops_at_the_first_entry_of_its_table() -> None:
    """The one end above sigma 0 that it can run, and what it makes of an end at 0."""
    scheduler = diffusers.TCDScheduler(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    nodes = np.append(vp_nodes(5)[:-1], 1.0 / 1000.0)
    for terminal in ("t_min", "zero"):
        schedule = hso.Schedule.from_nodes(noise, nodes if terminal == "t_min" else nodes[:-1], terminal=terminal)
        hso.diffusers.apply(scheduler, schedule)
        runs = hso.diffusers.realised(scheduler)
        assert runs.terminal == "t_min"
        assert runs.sigmas[-1] == pytest.approx(np.sqrt(1.0 / TABLE[0] - 1.0), rel=1e-6)
        np.testing.assert_allclose(runs.timesteps, schedule.timesteps, atol=1e-6)


@pytest.mark.parametrize("cls", ["LCMScheduler", "TCDScheduler", "DDPMScheduler"])
@pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")
def test_zero_terminal_snr(cls: str) -> None:
    """They keep an exact 0 at the table's end: the first sample is pure noise."""
    names = {"LCMScheduler": "lcm", "TCDScheduler": "tcd 0.3", "DDPMScheduler": "ddpm"}
    case = CASES[names[cls]]
    scheduler = case.build(**SD, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    assert float(scheduler.alphas_cumprod[-1]) == 0.0
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), vp_nodes(5), "zero")
    hso.diffusers.apply(scheduler, schedule)
    table = scheduler.alphas_cumprod.double().clamp(min=2.0**-24)
    got = case.run(scheduler, Network(gaussian(), "v_prediction", table))
    runs = hso.diffusers.realised(scheduler)
    levels = vp_levels(runs.sigmas)
    if cls == "TCDScheduler":
        ends = np.floor(0.7 * np.append(np.rint(runs.timesteps[1:]), 0.0) + 1e-4).astype(int)
        squares = scheduler.alphas_cumprod.double().numpy()[ends]
        problem = Problem(levels, runs.timesteps)
        between = Levels(np.sqrt(squares), np.sqrt(1.0 - squares))
        want = tcd(levels, between, problem.predict, problem.x, problem.noises)
    else:
        want = case.reference(Problem(levels, runs.timesteps))
    # alpha is 0 in theirs and 2.4e-4 in ours.
    np.testing.assert_allclose(got, want, rtol=0.0, atol=1e-3)
