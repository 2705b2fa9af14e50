"""Schedulers under a schedule against the solvers in float64, on a network with an exact answer."""

import warnings
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_harness import SD, SHAPE, Network, drive, flow_scales, vp_scales  # noqa: E402
from reference_solvers import GaussianModel, dpm_solver_2m, first_order, unipc  # noqa: E402

MODEL = GaussianModel(SHAPE)
NFES = (1, 2, 3, 5, 10, 20)
SOLVERS = {
    "DDIM": (diffusers.DDIMScheduler, {"clip_sample": False}, first_order),
    "DPM 1": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 1}, first_order),
    "DPM 2": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 2}, dpm_solver_2m),
    "UniPC 1": (diffusers.UniPCMultistepScheduler, {"solver_order": 1}, partial(unipc, order=1)),
    "UniPC 2": (diffusers.UniPCMultistepScheduler, {"solver_order": 2}, partial(unipc, order=2)),
    "UniPC 3": (diffusers.UniPCMultistepScheduler, {"solver_order": 3}, partial(unipc, order=3)),
    "Euler": (diffusers.EulerDiscreteScheduler, {}, first_order),
}


def make_schedule(noise, nfe, terminal, kind):
    """An optimized (fractional) schedule, or a uniform one on whole timesteps."""
    if kind == "fractional":
        return hso.optimize(noise, nfe=nfe, terminal=terminal)
    nodes = nfe + (terminal != "zero")
    return hso.Schedule.from_nodes(noise, (np.linspace(979, 19, nodes).round() + 1) / 1000, terminal=terminal)


def apply_quietly(scheduler, schedule):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
        return hso.diffusers.apply(scheduler, schedule)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("kind", ["fractional", "whole"])
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
@pytest.mark.parametrize("name", SOLVERS)
def test_samples_agree_with_float64(name, terminal, kind, prediction):
    make, config, solve = SOLVERS[name]
    noise_image = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    for nfe in NFES:
        scheduler = make(**SD, **config, prediction_type=prediction)
        noise = hso.diffusers.noise_schedule(scheduler)
        schedule = make_schedule(noise, nfe, terminal, kind)
        log_alphas = 0.5 * np.log(scheduler.alphas_cumprod.double().numpy())
        network = Network(MODEL, lambda t, table=log_alphas: vp_scales(table, t), prediction)
        ready = apply_quietly(scheduler, schedule)
        result = drive(ready, network, noise_image, nfe).double().numpy()

        assert len(network.timesteps) == nfe
        np.testing.assert_array_equal(np.float32(network.timesteps), np.float32(schedule.timesteps))
        alphas, sigmas = 1.0 / np.hypot(1.0, schedule.sigmas), schedule.sigmas / np.hypot(1.0, schedule.sigmas)
        expected = solve(
            noise_image.double().numpy(),
            alphas,
            sigmas,
            lambda x, i, a=alphas, s=sigmas: MODEL.x0(x, a[i], s[i]),
        )
        if name == "Euler":  # it works in x/alpha
            expected = expected / alphas[-1]
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5, err_msg=f"nfe {nfe}")


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("nfe", NFES)
def test_flow_matching_euler(nfe, shift):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    schedule = hso.optimize(hso.diffusers.noise_schedule(scheduler), nfe=nfe)
    network = Network(MODEL, flow_scales, "flow_prediction")
    noise_image = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) * float(schedule.sigmas[0])
    hso.diffusers.apply(scheduler, schedule)
    result = drive(scheduler, network, noise_image, nfe).double().numpy()
    alphas, sigmas = 1.0 - schedule.sigmas, schedule.sigmas
    expected = first_order(noise_image.double().numpy(), alphas, sigmas, lambda x, i: MODEL.x0(x, alphas[i], sigmas[i]))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_the_reference_converges_to_the_exact_flow():
    """The oracle itself: a Gaussian's probability flow keeps every pixel at the same quantile."""
    noise = hso.NoiseSchedule.preset("sd21")
    x = np.random.default_rng(3).standard_normal(SHAPE)
    # order 3 starts with a step of order 1 and its corrector: second order over a fixed range
    for solve, order in (
        (first_order, 1),
        (dpm_solver_2m, 2),
        (partial(unipc, order=2), 2),
        (partial(unipc, order=3), 2),
    ):
        errors = {}
        for steps in (40, 80):
            lam = np.linspace(noise.lam(1.0), noise.lam(0.05), steps + 1)
            alphas, sigmas = noise.alpha(lam), noise.sigma(lam)
            found = solve(x, alphas, sigmas, lambda y, i, a=alphas, s=sigmas: MODEL.x0(y, a[i], s[i]))
            spread = [np.sqrt(alphas[k] ** 2 * MODEL.variance + sigmas[k] ** 2) for k in (0, -1)]
            exact = alphas[-1] * MODEL.mean + spread[1] / spread[0] * (x - alphas[0] * MODEL.mean)
            errors[steps] = np.abs(found - exact).max()
        slope = np.log2(errors[40] / errors[80])
        assert slope > order - 0.15, (order, slope, errors)
