"""Schedulers with the preconditioning of Karras et al. 2022: samples against a float64 reference."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import TERMINALS, Array, Network, gaussian, schedule_on, start  # noqa: E402
from reference_solvers import ddim, ve_levels  # noqa: E402
from scheduler_cases import NFE, Case, Problem, dpm_multistep, refused  # noqa: E402

SIGMA_DATA = 0.5
# Latents start at 80 times a normal number: 3e2, and an ulp of that is 3e-5. They lose these digits
# before the first step, whoever computes.
TOLERANCE = 1e-4
# From 3 on, where float32 has the digits.
FINE_TOLERANCE = 1e-5
DPM = "EDMDPMSolverMultistepScheduler"


class Preconditioned(Network):
    """F of D = c_skip y + c_out F(c_in y; c_noise), told c_noise = log(sigma)/4 (Karras et al., Table 1)."""

    def __call__(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        self.timesteps.append(float(timestep))
        sigma = float(np.exp(4.0 * float(timestep)))
        norm = np.hypot(sigma, SIGMA_DATA)
        y = x.double().numpy() * norm
        skip = (SIGMA_DATA / norm) ** 2
        out = sigma * SIGMA_DATA / norm * (-1.0 if self.prediction == "v_prediction" else 1.0)
        return torch.from_numpy((self.data.denoise(y, sigma) - skip * y) / out).to(x.dtype)


def euler(p: Problem) -> Array:
    return ddim(p.levels, p.predict, p.x)


def dpm(order: int, *, algorithm: str = "dpmsolver++", kind: str = "midpoint") -> Case:
    tau = 1.0 if algorithm.startswith("sde") else 0.0
    config = {"solver_order": order, "algorithm_type": algorithm, "solver_type": kind}
    reference = dpm_multistep(order, midpoint=kind == "midpoint", tau=tau)
    return Case(DPM, reference, config, stochastic=tau > 0.0)


CASES = {
    "euler": Case("EDMEulerScheduler", euler),
    "dpm++ 1": dpm(1),
    "dpm++ 2 midpoint": dpm(2),
    "dpm++ 2 heun": dpm(2, kind="heun"),
    "dpm++ 3": dpm(3),
    "sde-dpm++ 1": dpm(1, algorithm="sde-dpmsolver++"),
    "sde-dpm++ 2 midpoint": dpm(2, algorithm="sde-dpmsolver++"),
    "sde-dpm++ 2 heun": dpm(2, algorithm="sde-dpmsolver++", kind="heun"),
}


def nodes(nfe: int, first: float) -> Array:
    """Times, linear in log(sigma), from ``first`` to 0.05, the steps uneven by a factor of 2."""
    spread = np.linspace(1.0, 0.0, nfe + 1) ** 1.3
    return 0.05 + (first - 0.05) * spread


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("sigma_schedule", ["karras", "exponential"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("first", "limit"), [(1.0, TOLERANCE), (0.69, FINE_TOLERANCE)], ids=["from 80", "from 3"])
def test_samples(name: str, sigma_schedule: str, terminal: str, prediction: str, first: float, limit: float) -> None:
    """Timesteps are log(sigma)/4: there are no whole ones to try."""
    case = CASES[name]
    scheduler = case.build(prediction_type=prediction, sigma_schedule=sigma_schedule)
    noise = hso.diffusers.noise_schedule(scheduler)
    assert noise.family == "ve"
    for nfe in NFE:
        schedule = schedule_on(noise, nodes(nfe, first), terminal)
        hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device="cpu")
        network = Preconditioned(gaussian(), prediction)
        got = case.run(scheduler, network)
        assert len(network.timesteps) == nfe
        np.testing.assert_allclose(network.timesteps, 0.25 * np.log(schedule.sigmas[:nfe]), rtol=1e-6, atol=1e-7)
        begin = start() * np.hypot(schedule.sigmas[0], SIGMA_DATA)
        want = case.reference(Problem(ve_levels(schedule.sigmas), schedule.timesteps, x=begin))
        np.testing.assert_allclose(got, want, rtol=0.0, atol=limit, err_msg=f"nfe={nfe}")


def test_the_first_sigma_is_that_of_edm() -> None:
    noise = hso.diffusers.noise_schedule(diffusers.EDMEulerScheduler())
    assert schedule_on(noise, nodes(3, 1.0), "zero").sigmas[0] == pytest.approx(80.0)
    assert 2.0 < schedule_on(noise, nodes(3, 0.69), "zero").sigmas[0] < 4.0


def test_the_third_order_of_the_sde_is_refused() -> None:
    case = dpm(3, algorithm="sde-dpmsolver++")
    scheduler = case.build()
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), nodes(6, 1.0), "zero")
    assert "solver_order=3 does not exist" in refused(case, scheduler, schedule)
