"""Samples of scheduled diffusers schedulers against a float64 reference, on exact Gaussian data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import (  # noqa: E402
    SD,
    SHAPE,
    SOLVERS,
    TERMINALS,
    Network,
    altered,
    build,
    denoise,
    example,
    expected,
    flow_nodes,
    gaussian,
    run,
    schedule_on,
    start,
    vp_nodes,
)
from reference_solvers import ddim, unipc, ve_levels, vp_levels  # noqa: E402

TOLERANCE = 1e-5


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("fractional", [False, True], ids=["integer", "fractional"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_vp_samples(solver: str, fractional: bool, terminal: str, prediction: str) -> None:
    data, noise = gaussian(), start()
    for nfe in (1, 2, 3, 5, 10, 20):
        scheduler = build(solver, prediction_type=prediction)
        schedule = example(scheduler, nfe, terminal, fractional=fractional)
        assert hso.diffusers.apply(scheduler, schedule) is scheduler
        scheduler.set_timesteps(nfe, device="cpu")
        network = Network(data, prediction, scheduler.alphas_cumprod)
        got = run(scheduler, network, noise)
        assert len(network.timesteps) == nfe
        np.testing.assert_allclose(network.timesteps, schedule.timesteps, rtol=1e-7, atol=1e-7)
        want = expected(solver, schedule, data, noise)
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_wrong_timestep_would_be_noticed(solver: str) -> None:
    scheduler = build(solver)
    schedule = example(scheduler, 5)
    hso.diffusers.apply(scheduler, schedule)
    scheduler.timesteps = scheduler.timesteps - 0.1
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    error = np.abs(run(scheduler, network, start()) - expected(solver, schedule, gaussian(), start()))
    assert error.max() > 10.0 * TOLERANCE


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("terminal", TERMINALS)
def test_zero_terminal_snr(solver: str, terminal: str) -> None:
    """The first sigma is 4096; only v-prediction can start there."""
    scheduler = build(solver, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    schedule = example(scheduler, 6, terminal)
    assert schedule.sigmas[0] == pytest.approx(4096.0, rel=1e-3)
    hso.diffusers.apply(scheduler, schedule)
    got = run(scheduler, Network(gaussian(), "v_prediction", scheduler.alphas_cumprod), start())
    want = expected(solver, schedule, gaussian(), start())
    # Euler's latents start at 4096 and lose these digits themselves: an ulp there is 5e-4.
    limit = 5e-4 if solver == "euler" else TOLERANCE
    np.testing.assert_allclose(got, want, rtol=0.0, atol=limit)


@pytest.mark.parametrize("key", ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"])
@pytest.mark.parametrize("solver", ["dpm2", "unipc2", "euler"])
def test_settings_that_make_grids_are_overruled(solver: str, key: str) -> None:
    if key == "use_beta_sigmas":
        pytest.importorskip("scipy")
    scheduler = build(solver, **{key: True}, timestep_spacing="trailing")
    schedule = example(scheduler, 5, "t_min", fractional=True)
    hso.diffusers.apply(scheduler, schedule)
    got = run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())
    want = expected(solver, schedule, gaussian(), start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)


@pytest.mark.parametrize("final_sigmas_type", ["zero", "sigma_min"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("nfe", [6, 16])
def test_final_sigmas_type_follows_the_terminal(final_sigmas_type: str, terminal: str, nfe: int) -> None:
    """DPM-Solver reads the setting in step(): unsynced it is NaN or of lower order at the end."""
    scheduler = build("dpm2", final_sigmas_type=final_sigmas_type)
    schedule = example(scheduler, nfe, terminal)
    hso.diffusers.apply(scheduler, schedule)
    got = run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())
    want = expected("dpm2", schedule, gaussian(), start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)


@pytest.mark.parametrize("order", [2, 3])
def test_unipc_of_full_order_to_the_end(order: int) -> None:
    scheduler = build(f"unipc{order}", lower_order_final=False)
    schedule = example(scheduler, 6, "t_min")
    hso.diffusers.apply(scheduler, schedule)
    got = run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())
    levels = vp_levels(np.asarray(schedule.sigmas))
    predict = gaussian().predictor(levels)
    want = unipc(levels, predict, start(), order=order, lower_order_final=False)
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)
    lowered = unipc(levels, predict, start(), order=order)
    assert np.abs(lowered - want).max() > 10.0 * TOLERANCE


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
def test_euler_latents_have_the_scale_of_the_first_node(spacing: str) -> None:
    """Stock Euler is right for "leading" only: 0.2 % off at sigma 14.6, more below."""
    scheduler = build("euler", timestep_spacing=spacing)
    noise = hso.diffusers.noise_schedule(scheduler)
    schedule = schedule_on(noise, 0.6 * vp_nodes(4), "zero")
    hso.diffusers.apply(scheduler, schedule)
    first = float(schedule.sigmas[0])
    assert 1.0 < first < 4.0
    assert float(scheduler.init_noise_sigma) == pytest.approx(np.hypot(first, 1.0), rel=1e-6)
    unit = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = scheduler.scale_model_input(unit * scheduler.init_noise_sigma, scheduler.timesteps[0])
    torch.testing.assert_close(seen, unit)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("solver", ["dpm1", "dpm2", "unipc1", "unipc2", "unipc3", "euler"])
def test_flow_samples(solver: str, terminal: str, dynamic: bool) -> None:
    data, noise = gaussian(), start()
    for nfe in (1, 2, 3, 5, 10, 20):
        scheduler = flow_scheduler(solver, dynamic)
        model = hso.diffusers.noise_schedule(scheduler, mu=1.1 if dynamic else None)
        schedule = schedule_on(model, flow_nodes(nfe), terminal)
        hso.diffusers.apply(scheduler, schedule)
        scheduler.set_timesteps(nfe, device="cpu", mu=1.1 if dynamic else None)
        network = Network(data, "flow_prediction")
        got = run(scheduler, network, noise)
        np.testing.assert_allclose(network.timesteps, schedule.timesteps, rtol=1e-6)
        want = expected(solver, schedule, data, noise)
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


def flow_scheduler(solver: str, dynamic: bool) -> Any:
    if solver == "euler":
        # shift_terminal and karras are LTX's and would each move every node.
        return diffusers.FlowMatchEulerDiscreteScheduler(
            shift=3.0, use_dynamic_shifting=dynamic, shift_terminal=0.1, use_karras_sigmas=True
        )
    cls, config = SOLVERS[solver]
    return cls(
        **config,
        use_flow_sigmas=True,
        flow_shift=3.0,
        prediction_type="flow_prediction",
        use_dynamic_shifting=dynamic,
    )


@pytest.mark.parametrize("solver", ["dpm2", "unipc3"])
def test_pure_noise_of_a_flow_schedule_stays_finite(solver: str) -> None:
    """s = 1 exactly has no lambda: UniPC-3 would give NaN."""
    schedule = schedule_on(hso.NoiseSchedule.flow(shift=3.0), flow_nodes(5), "zero")
    sigmas, timesteps = np.array(schedule.sigmas), np.array(schedule.timesteps)
    sigmas[0], timesteps[0] = 1.0, 1000.0
    schedule = altered(schedule, sigmas=sigmas, timesteps=timesteps)
    scheduler = flow_scheduler(solver, dynamic=False)
    hso.diffusers.apply(scheduler, schedule)
    got = run(scheduler, Network(gaussian(), "flow_prediction"), start())
    want = expected(solver, schedule, gaussian(), start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)


@pytest.mark.parametrize("solver", ["dpm2", "unipc2"])
def test_an_ignored_mu_does_not_change_the_configuration(solver: str) -> None:
    """Stock DPM-Solver writes exp(mu) into its own configuration, and asserts on the key."""
    scheduler = flow_scheduler(solver, dynamic=False)
    schedule = schedule_on(hso.NoiseSchedule.flow(shift=3.0), flow_nodes(4), "zero")
    hso.diffusers.apply(scheduler, schedule)
    scheduler.set_timesteps(4, mu=0.7)
    assert scheduler.config.flow_shift == 3.0
    np.testing.assert_allclose(scheduler.timesteps.numpy(), schedule.timesteps, rtol=1e-6)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_edm_samples_of_euler_with_continuous_timesteps(terminal: str) -> None:
    """Stable Video Diffusion: the network is told log(sigma)/4."""
    scheduler = diffusers.EulerDiscreteScheduler(
        **SD,
        prediction_type="v_prediction",
        timestep_type="continuous",
        use_karras_sigmas=True,
        sigma_min=0.002,
        sigma_max=700.0,
        timestep_spacing="leading",
    )
    noise_schedule = hso.diffusers.noise_schedule(scheduler)
    assert noise_schedule.family == "ve"
    schedule = schedule_on(noise_schedule, np.linspace(0.9, 0.05, 7), terminal)
    hso.diffusers.apply(scheduler, schedule)
    data, unit = gaussian(), start()
    network = ContinuousNetwork(data, "v_prediction")
    got = run(scheduler, network, unit)
    levels = ve_levels(np.asarray(schedule.sigmas))
    want = ddim(levels, data.predictor(levels), unit * np.hypot(schedule.sigmas[0], 1.0))
    np.testing.assert_allclose(network.timesteps, np.log(schedule.sigmas[:6]) / 4.0, rtol=1e-6)
    # Latents of up to 1000 in float32.
    np.testing.assert_allclose(got, want, rtol=0.0, atol=2e-4)


class ContinuousNetwork(Network):
    """Told log(sigma)/4, and shown x/sqrt(sigma^2 + 1)."""

    def level(self, timestep: float) -> tuple[float, float]:
        sigma = float(np.exp(4.0 * timestep))
        return 1.0 / float(np.hypot(sigma, 1.0)), sigma / float(np.hypot(sigma, 1.0))


def test_half_precision_keeps_its_type() -> None:
    for solver in SOLVERS:
        scheduler = build(solver)
        hso.diffusers.apply(scheduler, example(scheduler, 5))
        network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
        noise = torch.from_numpy(start()).to(torch.bfloat16)
        result = denoise(scheduler, network, noise)
        assert result.dtype == torch.bfloat16, solver
        assert result.shape == SHAPE and bool(torch.isfinite(result).all()), solver
