"""Schedulers on rectified flows: what they sample against a float64 reference.

The orders of DPM-Solver++ and UniPC with their defaults, and FlowMatchEuler, are in
test_diffusers_solvers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import TERMINALS, Array, Network, flow_nodes, gaussian, schedule_on  # noqa: E402
from reference_singlestep import heun  # noqa: E402
from reference_solvers import flow_levels  # noqa: E402
from scheduler_cases import (  # noqa: E402
    NFE,
    Case,
    Problem,
    deis_multistep,
    dpm_multistep,
    dpm_singlestep,
    refused,
    sa_multistep,
    unipc_multistep,
)

TOLERANCE = 1e-5
TO_ZERO = ("zero", "skip")
MULTI, SINGLE = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}


def flow_heun(p: Problem) -> Array:
    return heun(p.levels.sigma, lambda x, s: p.data.x0(x, 1.0 - s, s), p.x)


def by_default(timestep: float) -> bool:
    """SA-Solver's tau_func."""
    return 200 <= timestep <= 800


def dpm(name: str, order: int, *, algorithm: str = "dpmsolver++", kind: str = "midpoint") -> Case:
    reference = dpm_multistep if name == MULTI else dpm_singlestep
    tau = 1.0 if algorithm.startswith("sde") else 0.0
    config = {**FLOW, "solver_order": order, "algorithm_type": algorithm, "solver_type": kind}
    return Case(name, reference(order, midpoint=kind == "midpoint", tau=tau), config, stochastic=tau > 0.0)


CASES = {
    "dpm++ 2 heun": dpm(MULTI, 2, kind="heun"),
    "dpm++ 3": dpm(MULTI, 3),
    "sde-dpm++ 1": dpm(MULTI, 1, algorithm="sde-dpmsolver++"),
    "sde-dpm++ 2": dpm(MULTI, 2, algorithm="sde-dpmsolver++"),
    "single dpm++ 1": dpm(SINGLE, 1),
    "single dpm++ 2": dpm(SINGLE, 2),
    "single dpm++ 2 heun": dpm(SINGLE, 2, kind="heun"),
    "single dpm++ 3": dpm(SINGLE, 3),
    "single dpm++ 3 heun": dpm(SINGLE, 3, kind="heun"),
    "single sde-dpm++ 2": dpm(SINGLE, 2, algorithm="sde-dpmsolver++"),
    "unipc 2 bh1": Case(
        "UniPCMultistepScheduler",
        unipc_multistep(2, b="bh1"),
        {**FLOW, "solver_order": 2, "solver_type": "bh1"},
        refused=TO_ZERO,
    ),
    **{
        f"sa {order}, {order}": Case(
            "SASolverScheduler",
            sa_multistep(order, order, by_default),
            {**FLOW, "predictor_order": order, "corrector_order": order},
            refused=TO_ZERO,
            stochastic=True,
        )
        for order in (1, 2, 3)
    },
    "heun": Case("FlowMatchHeunDiscreteScheduler", flow_heun, {"shift": 3.0}, two_calls=True),
}
# These carry x/alpha, and alpha is 0 at the start of a flow.
NOISE_PREDICTING = {
    **{
        f"deis {order}": Case(
            "DEISMultistepScheduler", deis_multistep(order), {**FLOW, "solver_order": order}, refused=TO_ZERO
        )
        for order in (1, 2, 3)
    },
}


def nodes(nfe: int, *, fractional: bool, first: float = 1.0) -> Array:
    """Flow times from ``first`` to 0.02, at timesteps that are whole numbers or not."""
    s = first * flow_nodes(nfe)
    return s if fractional else np.round(1000.0 * s) / 1000.0


def check(case: Case, terminal: str, first: float, fractional: bool) -> None:
    scheduler = case.build()
    noise = hso.diffusers.noise_schedule(scheduler)
    assert noise.family == "flow"
    for nfe in NFE:
        schedule = schedule_on(noise, nodes(nfe, fractional=fractional, first=first), terminal)
        if terminal in case.refused:
            assert f"schedule.terminal='{terminal}' ends at sigma 0" in refused(case, scheduler, schedule)
            continue
        hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device="cpu")
        network = Network(gaussian(), "flow_prediction")
        got = case.run(scheduler, network)
        assert len(network.timesteps) == case.calls(nfe)
        told = network.timesteps[::2] if case.two_calls else network.timesteps
        np.testing.assert_allclose(told, schedule.timesteps, rtol=1e-6, atol=1e-6)
        levels = np.minimum(schedule.sigmas, 1.0 if case.name.startswith("FlowMatch") else 1.0 - 1e-6)
        want = case.reference(Problem(flow_levels(levels), schedule.timesteps))
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("fractional", [False, True], ids=["integer", "fractional"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*calls the network")
def test_samples(name: str, fractional: bool, terminal: str) -> None:
    check(CASES[name], terminal, 1.0, fractional)


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("fractional", [False, True], ids=["integer", "fractional"])
@pytest.mark.parametrize("name", NOISE_PREDICTING)
def test_samples_of_noise_predicting_solvers(name: str, fractional: bool, terminal: str) -> None:
    """From alpha = 0.05 on, where float32 still has the digits."""
    check(NOISE_PREDICTING[name], terminal, 0.95, fractional)


@pytest.mark.parametrize("name", NOISE_PREDICTING)
def test_noise_predicting_solvers_cannot_start_in_pure_noise(name: str) -> None:
    case = NOISE_PREDICTING[name]
    scheduler = case.build()
    schedule = schedule_on(hso.diffusers.noise_schedule(scheduler), flow_nodes(5), "t_min")
    assert "schedule.sigmas starts at 0.999999" in refused(case, scheduler, schedule)


DYNAMIC: dict[str, dict[str, Any]] = {
    MULTI: {"solver_order": 3},
    SINGLE: {"solver_order": 2},
    "DEISMultistepScheduler": {"solver_order": 2},
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_shifting(name: str) -> None:
    """What a pipeline passes as ``mu`` does not move the nodes."""
    references = {MULTI: dpm_multistep, SINGLE: dpm_singlestep, "DEISMultistepScheduler": deis_multistep}
    order = DYNAMIC[name]["solver_order"]
    case = Case(name, references[name](order), {**FLOW, **DYNAMIC[name], "use_dynamic_shifting": True})
    scheduler = case.build()
    noise = hso.diffusers.noise_schedule(scheduler, mu=1.1)
    schedule = schedule_on(noise, nodes(6, fractional=True, first=0.95), "t_min")
    hso.diffusers.apply(scheduler, schedule)
    scheduler.set_timesteps(6, device="cpu", mu=0.7)
    got = case.run(scheduler, Network(gaussian(), "flow_prediction"))
    want = case.reference(Problem(flow_levels(schedule.sigmas), schedule.timesteps))
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)
