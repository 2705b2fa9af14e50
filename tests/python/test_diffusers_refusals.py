"""What apply refuses and noise_schedule cannot know; nothing changes on the way."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import (  # noqa: E402
    SD,
    Network,
    altered,
    build,
    example,
    flow_nodes,
    gaussian,
    run,
    schedule_on,
    start,
    vp_nodes,
)
from reference_solvers import vp_levels  # noqa: E402


def with_entry(schedule: Any, name: str, index: int, value: float) -> Any:
    values = np.array(getattr(schedule, name))
    values[index] = value
    return altered(schedule, **{name: values})


def nearly_equal(scheduler: Any) -> Any:
    schedule = example(scheduler)
    return with_entry(schedule, "sigmas", 2, np.nextafter(schedule.sigmas[1], 0.0))


def close_nodes(scheduler: Any) -> Any:
    noise = hso.diffusers.noise_schedule(scheduler)
    return hso.Schedule.from_nodes(noise, [0.9, 0.5, 0.4999, 0.1])


def flow(nfe: int = 4, terminal: str = "zero") -> Any:
    return schedule_on(hso.NoiseSchedule.flow(shift=3.0), flow_nodes(nfe), terminal)


def to_t_min(scheduler: Any) -> Any:
    return example(scheduler, terminal="t_min")


def to_t_min_from_zero_snr(scheduler: Any) -> Any:
    noise = hso.diffusers.noise_schedule(scheduler)
    return schedule_on(noise, np.array([1.0, 0.7, 0.4, 0.1]), "t_min")


def singlestep_dpmsolver() -> Any:
    with pytest.warns(FutureWarning):
        return diffusers.DPMSolverSinglestepScheduler(**SD, algorithm_type="dpmsolver", final_sigmas_type="sigma_min")


def solver_p() -> Any:
    return build("unipc2", solver_p=build("dpm2"))


def dpmsolver(**config: Any) -> Any:
    with pytest.warns(FutureWarning):
        return build("dpm2", algorithm_type="dpmsolver", final_sigmas_type="sigma_min", **config)


Make = Callable[[], Any]
REFUSALS: dict[str, tuple[Make, Callable[[Any], Any], str]] = {
    "NaN sigma": (
        lambda: build("dpm1"),
        lambda s: with_entry(example(s), "sigmas", 1, np.nan),
        "schedule.sigmas must be finite, entry 1 is",
    ),
    "NaN timestep": (
        lambda: build("euler"),
        lambda s: with_entry(example(s), "timesteps", 0, np.nan),
        "schedule.timesteps must be finite, entry 0 is",
    ),
    "equal in float32": (lambda: build("dpm1"), nearly_equal, "strictly in float32.*entries 1 and 2"),
    "too few sigmas": (
        lambda: build("dpm1"),
        lambda s: altered(example(s), sigmas=example(s).sigmas[:-1]),
        r"schedule.sigmas must have 6 entries for 5 timesteps, got shape \(5,\)",
    ),
    "terminal above zero": (
        lambda: build("dpm1"),
        lambda s: altered(example(s, terminal="t_min"), terminal="zero"),
        "must end at 0 for terminal='zero'",
    ),
    "terminal at zero": (
        lambda: build("dpm1"),
        lambda s: altered(example(s), terminal="t_min"),
        "must end above 0",
    ),
    "unknown terminal": (
        lambda: build("dpm1"),
        lambda s: altered(example(s), terminal="end"),
        "terminal must be one of",
    ),
    "beyond the table": (
        lambda: build("dpm1"),
        lambda s: with_entry(example(s), "timesteps", 0, 1001.0),
        r"must lie in \[0, 999\]",
    ),
    "a node of another table": (
        lambda: build("euler"),
        lambda s: with_entry(example(s), "sigmas", 2, 1.001 * example(s).sigmas[2]),
        "another noise schedule.*relative difference 0.001",
    ),
    "a terminal of another table": (
        lambda: build("dpm1"),
        lambda s: with_entry(example(s, terminal="t_min"), "sigmas", -1, 0.04),
        "another noise schedule",
    ),
    "zero terminal SNR on a plain table": (
        lambda: build("euler"),
        lambda s: example(build("euler", rescale_betas_zero_snr=True)),
        "another noise schedule",
    ),
    "flow timesteps that are not 1000 s": (
        lambda: diffusers.FlowMatchEulerDiscreteScheduler(),
        lambda s: with_entry(flow(), "timesteps", 1, 850.0),
        "another noise schedule",
    ),
    "flow schedule on VP UniPC": (lambda: build("unipc2"), lambda s: flow(), "family is 'flow'"),
    "VP schedule on flow UniPC": (
        lambda: build("unipc2", use_flow_sigmas=True),
        lambda s: example(build("unipc2")),
        "family is 'vp'.*runs 'flow'",
    ),
    "VP schedule on continuous Euler": (
        lambda: build("euler", timestep_type="continuous", prediction_type="v_prediction"),
        lambda s: example(build("euler")),
        "family is 'vp'.*runs 've'",
    ),
    "another noise table": (
        lambda: build("unipc2", beta_schedule="linear"),
        lambda s: example(build("unipc2")),
        "another noise schedule",
    ),
    "close nodes": (lambda: build("dpm2"), close_nodes, "entries 1 and 2 are .* needs 0\\.01 beside"),
    "close nodes for UniPC": (lambda: build("unipc3"), close_nodes, "entries 1 and 2 are .* needs 0\\.01"),
    "bh1 to zero": (lambda: build("unipc2", solver_type="bh1"), example, "solver_type='bh1' gives NaN"),
    "noise prediction to zero": (lambda: build("unipc2", predict_x0=False), example, "predict_x0=False gives NaN"),
    "full order to zero": (
        lambda: build("unipc2", lower_order_final=False),
        lambda s: example(s, terminal="skip"),
        "lower_order_final=False gives NaN",
    ),
    "solver_p": (solver_p, example, "solver_p"),
    "dpmsolver to zero": (dpmsolver, example, "algorithm_type='dpmsolver'"),
    "lambda_min_clipped": (
        lambda: build("dpm2", lambda_min_clipped=-2.0),
        example,
        "lambda_min_clipped=-2: optimize with a smaller t_max",
    ),
    "invert_sigmas": (
        lambda: diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True),
        lambda s: flow(),
        "invert_sigmas",
    ),
    "IPNDM": (lambda: diffusers.IPNDMScheduler(), lambda s: flow(), "IPNDMScheduler cannot run"),
    "parallel DDIM": (lambda: diffusers.DDIMParallelScheduler(**SD), example, "hso.diffusers.equivalent"),
    "CogVideoX": (lambda: diffusers.CogVideoXDDIMScheduler(), example, "hso.diffusers.equivalent"),
    "CogVideoX DPM": (lambda: diffusers.CogVideoXDPMScheduler(), example, "DPMSolverMultistepScheduler.from_config"),
    "PNDM": (lambda: diffusers.PNDMScheduler(**SD), example, "DPMSolverMultistepScheduler.from_config"),
    "unknown": (
        lambda: diffusers.VQDiffusionScheduler(num_vec_classes=8),
        lambda s: example(build("dpm1")),
        "VQDiffusionScheduler is not supported, only",
    ),
    "DEIS to zero": (lambda: diffusers.DEISMultistepScheduler(**SD), example, "DEISMultistepScheduler gives NaN"),
    "SA to zero": (lambda: diffusers.SASolverScheduler(**SD), example, "SASolverScheduler gives NaN"),
    "singlestep dpmsolver to zero": (singlestep_dpmsolver, example, "algorithm_type='dpmsolver'"),
    "DEIS from pure noise": (
        lambda: diffusers.DEISMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
        lambda s: flow(terminal="t_min"),
        "alpha is 1e-06: DEIS of DEISMultistepScheduler divides by it and needs 0.001",
    ),
    "flow predictions for noise-predicting UniPC": (
        lambda: build("unipc2", predict_x0=False, use_flow_sigmas=True, prediction_type="flow_prediction"),
        lambda s: flow(terminal="t_min"),
        "prediction_type='flow_prediction' is not known to predict_x0=False of UniPCMultistepScheduler",
    ),
    "flow predictions for noise-predicting SA": (
        lambda: diffusers.SASolverScheduler(
            algorithm_type="noise_prediction", use_flow_sigmas=True, prediction_type="flow_prediction"
        ),
        lambda s: flow(terminal="t_min"),
        "prediction_type='flow_prediction' is not known to algorithm_type='noise_prediction'",
    ),
    "flow predictions for the first DPM-Solver": (
        lambda: dpmsolver(use_flow_sigmas=True, prediction_type="flow_prediction"),
        lambda s: flow(terminal="t_min"),
        "prediction_type='flow_prediction' is not known to algorithm_type='dpmsolver'",
    ),
    "next to no signal": (
        lambda: build("unipc2", predict_x0=False, rescale_betas_zero_snr=True, prediction_type="v_prediction"),
        to_t_min_from_zero_snr,
        "alpha is 0.00024: predict_x0=False of UniPCMultistepScheduler divides by it and needs 0.001",
    ),
    "SDE of order 3": (
        lambda: diffusers.EDMDPMSolverMultistepScheduler(solver_order=3, algorithm_type="sde-dpmsolver++"),
        lambda s: schedule_on(hso.diffusers.noise_schedule(s), np.linspace(0.9, 0.1, 6), "zero"),
        "solver_order=3 does not exist",
    ),
    "SDE of order 3, noise-predicting": (
        lambda: build("dpm2", solver_order=3, algorithm_type="sde-dpmsolver", final_sigmas_type="sigma_min"),
        to_t_min,
        "solver_order=3 does not exist for algorithm_type='sde-dpmsolver'",
    ),
    "t_min on DDPM": (lambda: diffusers.DDPMScheduler(**SD), to_t_min, "DDPMScheduler goes to sigma 0"),
    "t_min on LCM": (lambda: diffusers.LCMScheduler(**SD), to_t_min, "LCMScheduler returns the network's x0"),
    "t_min on TCD": (lambda: diffusers.TCDScheduler(**SD), to_t_min, "TCDScheduler always ends at timestep 0"),
    "TCD to where it stands": (
        lambda: diffusers.TCDScheduler(**SD),
        lambda s: schedule_on(hso.diffusers.noise_schedule(s), np.array([0.9, 0.5, 0.0012, 0.001]), "zero"),
        "must stay above 0.5 for TCDScheduler",
    ),
    "learned variance": (
        lambda: diffusers.DDPMScheduler(**SD, variance_type="learned_range"),
        example,
        "variance_type='learned_range' adds noise after the last step",
    ),
    "large variance": (
        lambda: diffusers.DDPMScheduler(**SD, variance_type="fixed_large"),
        example,
        "algorithm_type='sde-dpmsolver\\+\\+'",
    ),
    "equal whole timesteps": (
        lambda: diffusers.LCMScheduler(**SD),
        lambda s: schedule_on(hso.diffusers.noise_schedule(s), np.array([0.9, 0.5014, 0.5007, 0.1]), "zero"),
        "entries 1 and 2, 500.4 and 499.7, are both 500 in int64",
    ),
}


def values(scheduler: Any) -> bytes:
    """Everything in a scheduler but SA's tau_func, a lambda of its own that does not pickle."""
    return pickle.dumps({key: value for key, value in vars(scheduler).items() if key != "tau_func"})


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_with_nothing_changed(name: str) -> None:
    make, schedule_for, words = REFUSALS[name]
    scheduler = make()
    schedule = schedule_for(scheduler)
    attributes, written, cls = dict(vars(scheduler)), values(scheduler), type(scheduler)
    with pytest.raises(ValueError, match=words):
        hso.diffusers.apply(scheduler, schedule)
    assert type(scheduler) is cls
    assert all(vars(scheduler)[key] is value for key, value in attributes.items())
    assert values(scheduler) == written


def test_a_refused_second_schedule_leaves_the_first() -> None:
    scheduler = hso.diffusers.apply(build("unipc2"), example(build("unipc2"), 4))
    timesteps = scheduler.timesteps.clone()
    with pytest.raises(ValueError, match="family"):
        hso.diffusers.apply(scheduler, flow())
    scheduler.set_timesteps(4)
    assert torch.equal(scheduler.timesteps, timesteps)
    assert hso.diffusers.restore(hso.diffusers.restore(scheduler)) is scheduler
    assert type(scheduler) is diffusers.UniPCMultistepScheduler


def test_a_scheduler_built_from_a_scheduled_one_is_plain() -> None:
    scheduler = hso.diffusers.apply(build("dpm2"), example(build("dpm2"), 4))
    other = type(scheduler).from_config(scheduler.config)
    assert type(other) is diffusers.DPMSolverMultistepScheduler
    other.set_timesteps(9)
    assert len(other.timesteps) == 9
    assert "hso" not in repr(scheduler) and repr(scheduler).startswith("DPMSolverMultistepScheduler")


def test_where_unipc_may_go_to_zero() -> None:
    """lower_order_final only matters above order 1, and none of it with noise left at the end."""
    for config in ({"solver_type": "bh1"}, {"predict_x0": False}, {"lower_order_final": False}):
        scheduler = build("unipc2", **config)
        hso.diffusers.apply(scheduler, example(scheduler, terminal="t_min"))
    scheduler = build("unipc1", lower_order_final=False)
    hso.diffusers.apply(scheduler, example(scheduler))


@pytest.mark.parametrize("solver", ["dpm1", "euler", "unipc1"])
def test_close_nodes_pass_at_order_one(solver: str) -> None:
    scheduler = build(solver)
    hso.diffusers.apply(scheduler, close_nodes(scheduler))


@pytest.mark.parametrize("solver", ["dpm2", "unipc2", "unipc3"])
def test_many_small_steps_are_no_close_nodes(solver: str) -> None:
    """A thousand equal steps of 0.006 in lambda, to the exact solution."""
    scheduler = build(solver)
    noise = hso.diffusers.noise_schedule(scheduler)
    schedule = hso.schedules.uniform_lambda(noise, 1000, terminal="t_min")
    assert np.diff(schedule.lambdas).max() < 0.01
    hso.diffusers.apply(scheduler, schedule)
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    levels = vp_levels(np.asarray(schedule.sigmas))
    exact = gaussian().solution(levels, start())
    np.testing.assert_allclose(run(scheduler, network, start()), exact, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan"), float("inf")])
def test_tolerance_is_checked(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        hso.diffusers.apply(build("dpm1"), example(build("dpm1")), tolerance=tolerance)


def test_a_table_rebuilt_in_float64_fits() -> None:
    """What a float32 table loses in 1 - alphas_cumprod is no reason to refuse."""
    for config in ({}, {"beta_schedule": "linear"}, {"beta_schedule": "squaredcos_cap_v2"}):
        scheduler = build("dpm1", **config)
        noise = hso.NoiseSchedule.from_betas(scheduler.betas.double().numpy())
        for lowest in (0.001, 0.002, 0.004):
            nodes = np.append(vp_nodes(5)[1:-1], lowest)
            hso.diffusers.apply(scheduler, schedule_on(noise, nodes, "t_min"))
