"""The examples' own samplers and scheduler against the reference solvers, diffusers' solvers, and an integrated ODE."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import hso
from example_scripts import load
from reference_solvers import Levels, ddim, dpm_solver_pp

PRESETS = ("sd21", "flux-dev", "edm-cifar10")
START = np.random.default_rng(3).standard_normal((40, 2))


def reference_levels(noise: hso.NoiseSchedule, schedule: hso.Schedule) -> Levels:
    """From the schedule's sigmas alone, by the families' definitions."""
    sigma = schedule.sigmas
    if noise.family == "flow":
        return Levels(1.0 - sigma, sigma)
    if noise.family == "ve":
        return Levels(np.ones_like(sigma), sigma)
    return Levels(1.0 / np.hypot(1.0, sigma), sigma / np.hypot(1.0, sigma))


@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
@pytest.mark.parametrize("preset", PRESETS)
def test_loops_are_ddim_and_dpm_solver(preset: str, terminal: str) -> None:
    script = load("own_sampler")
    noise = hso.NoiseSchedule.preset(preset)
    schedule = hso.optimize(noise, 5, terminal=terminal)
    levels = reference_levels(noise, schedule)

    def predict(x: np.ndarray, i: int) -> np.ndarray:
        return script.denoise(x, float(levels.alpha[i]), float(levels.sigma[i]))

    first = script.initial(START, levels.alpha[0], levels.sigma[0], noise)
    np.testing.assert_allclose(
        script.ddim(script.denoise, noise, schedule, START), ddim(levels, predict, first), rtol=1e-6, atol=1e-8
    )
    expected = dpm_solver_pp(levels, predict, first, order=2, first_order_end=terminal != "t_min")
    found = script.dpm_solver(script.denoise, noise, schedule, START)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("loop", "order"), [("ddim", 1), ("dpm_solver", 2)])
def test_loops_are_diffusers_dpm_solver(loop: str, order: int) -> None:
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    script = load("own_sampler")
    config = hso.presets.get("sd21").scheduler_config | {"prediction_type": "sample", "solver_order": order}
    scheduler = diffusers.DPMSolverMultistepScheduler.from_config(config)
    noise = hso.diffusers.noise_schedule(scheduler)
    schedule = hso.optimize(noise, 6)
    hso.diffusers.apply(scheduler, schedule)
    alpha, sigma = script.levels(noise, schedule)
    x = torch.from_numpy(script.initial(START, alpha[0], sigma[0], noise))
    for i, t in enumerate(scheduler.timesteps):
        x0 = torch.from_numpy(script.denoise(x.numpy(), alpha[i], sigma[i]))
        x = scheduler.step(x0, t, x).prev_sample
    found = getattr(script, loop)(script.denoise, noise, schedule, START)
    np.testing.assert_allclose(found, x.numpy(), rtol=1e-4, atol=1e-5)


def test_denoiser_is_the_posterior_mean() -> None:
    """Against the mean of many draws of x0, weighted by how likely they make x."""
    script = load("own_sampler")
    random = np.random.default_rng(5)
    draws = script.CENTRES[random.integers(4, size=400_000)] + script.WIDTH * random.standard_normal((400_000, 2))
    alpha, sigma = 0.8, 0.6
    for x in START[:3]:
        weight = np.exp(-0.5 * np.sum((x - alpha * draws) ** 2, axis=1) / sigma**2)
        mean = weight @ draws / weight.sum()
        np.testing.assert_allclose(script.denoise(x[None], alpha, sigma)[0], mean, atol=0.01)


@pytest.mark.parametrize("preset", PRESETS)
def test_loops_converge_to_the_solution_of_the_ode(preset: str) -> None:
    """dy/dk = (y - D)/k in y = x/alpha, k = sigma/alpha: integrated by SciPy from the first node."""
    integrate = pytest.importorskip("scipy.integrate")
    script = load("own_sampler")
    noise = hso.NoiseSchedule.preset(preset)
    schedule = hso.schedules.uniform_lambda(noise, 1500, terminal="t_min")
    lam = schedule.lambdas
    alpha, sigma = float(noise.alpha(lam[0])), float(noise.sigma(lam[0]))
    x = script.initial(START[:4], alpha, sigma, noise)

    def slope(at: float, y: np.ndarray) -> np.ndarray:  # along lambda, where k = exp(-lambda)
        a, s = float(noise.alpha(at)), float(noise.sigma(at))
        return -(y.reshape(4, 2) - script.denoise(a * y.reshape(4, 2), a, s)).ravel()

    solution = integrate.solve_ivp(slope, (lam[0], lam[-1]), (x / alpha).ravel(), rtol=1e-8, atol=1e-10)
    expected = solution.y[:, -1].reshape(4, 2) * float(noise.alpha(lam[-1]))
    found = script.dpm_solver(script.denoise, noise, schedule, START[:4])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_table_names_the_least_error_whoever_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    script = load("own_sampler")
    script.main(["--preset", "flux-dev", "--nfe", "4", "6", "--points", "60", "--reference", "300"])
    _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    noise = hso.NoiseSchedule.preset("flux-dev")
    start = np.random.default_rng(0).standard_normal((60, 2))
    solution = script.dpm_solver(script.denoise, noise, hso.schedules.uniform_lambda(noise, 300), start)
    for line, (nfe, name) in zip(lines, [(n, s) for n in (4, 6) for s in ("ddim", "dpm_solver")], strict=True):
        errors = [float(text) for text in re.findall(r"0\.\d{4}|1\.\d{4}", line)]
        names = ["uniform t", "uniform lambda", "HSO"]
        assert line.endswith("least: " + names[int(np.argmin(errors))])
        found = getattr(script, name)(script.denoise, noise, hso.optimize(noise, nfe), start)
        assert errors[2] == pytest.approx(np.sqrt(np.mean((found - solution) ** 2)), abs=5.1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow_prediction", "sample"])
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_own_scheduler_is_ddim_for_every_prediction(prediction: str, terminal: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from diffusers_helpers import Network, gaussian, run, start

    script = load("own_scheduler")
    flow = prediction == "flow_prediction"
    noise = hso.NoiseSchedule.preset("sd3" if flow else "sd21")
    schedule = hso.optimize(noise, 5, terminal=terminal)
    table = None if flow else table_of("sd21")
    scheduler = script.ScheduledDDIM.on(noise, schedule, prediction_type=prediction)
    scheduler.set_timesteps(5)
    data, x = gaussian(), start()
    levels = reference_levels(noise, schedule)
    found = run(scheduler, Network(data, prediction, table), x)
    np.testing.assert_allclose(found, ddim(levels, data.predictor(levels), x), atol=2e-4)


def table_of(preset: str) -> object:
    import diffusers

    return diffusers.DDIMScheduler.from_config(hso.presets.get(preset).scheduler_config).alphas_cumprod


def test_own_scheduler_is_read_back_without_hso(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    script = load("own_scheduler")
    noise = hso.NoiseSchedule.preset("sd21")
    first = script.ScheduledDDIM.on(noise, hso.optimize(noise, 5), prediction_type="v_prediction")
    first.save_config(tmp_path)
    second = script.ScheduledDDIM.from_config(script.ScheduledDDIM.load_config(tmp_path))
    assert dict(second.config) == dict(first.config)
    x, output = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        assert torch.equal(first.step(output, 0, x).prev_sample, second.step(output, 0, x, return_dict=False)[0])


def test_own_scheduler_refuses_what_it_cannot_run() -> None:
    pytest.importorskip("diffusers")
    script = load("own_scheduler")
    noise = hso.NoiseSchedule.preset("sd21")
    scheduler = script.ScheduledDDIM.on(noise, hso.optimize(noise, 5))
    with pytest.raises(ValueError, match="num_inference_steps must be 5"):
        scheduler.set_timesteps(6)
    with pytest.raises(ValueError, match="must be 5, alone"):
        scheduler.set_timesteps(5, sigmas=[1.0, 0.5])


def test_own_scheduler_agrees_with_diffusers_solver_in_a_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("torch", "diffusers", "transformers"):
        pytest.importorskip(module)
    import tiny_stable_diffusion

    tiny_stable_diffusion.save(tmp_path / "model", tmp_path / "words")
    monkeypatch.chdir(tmp_path)
    load("own_scheduler").main(["--model", "model", "--nfe", "5"])
    timesteps, difference, _ = capsys.readouterr().out.splitlines()
    expected = hso.optimize(hso.NoiseSchedule.preset("sd15"), 5).timesteps
    found = [float(t) for t in re.findall(r"\d+\.\d+", timesteps)]
    assert found == pytest.approx(expected, rel=1e-4)  # diffusers' table is made of float32 betas
    assert float(difference.rsplit(" ", 1)[1]) < 1e-5
    assert (tmp_path / "own-scheduler.png").is_file() and (tmp_path / "own-scheduler").is_dir()
