"""Refinement: samplers with gradients, the descent towards a teacher, and the search by any metric."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import hso
import hso.refine
from gaussian_model import GaussianModel
from hso.refine import TorchNoise, against_teacher, by_metric, denoiser
from reference_solvers import Gaussian, Levels, ddim, dpm_solver_pp, flow_levels, unipc, ve_levels, vp_levels
from tables import SD

torch = pytest.importorskip("torch")

from hso.refine._nodes import Nodes  # noqa: E402
from hso.refine._sampler import SOLVERS, sample  # noqa: E402
from hso.refine._start import as_start  # noqa: E402

Array = np.ndarray[Any, Any]
NOISES = {"vp": SD, "flow": hso.NoiseSchedule.flow(shift=3.0), "ve": hso.NoiseSchedule.edm()}
LEVELS = {"vp": vp_levels, "flow": flow_levels, "ve": ve_levels}


@dataclass(frozen=True)
class Mixture:
    """Components of one variance each: E[x0 | x] in torch, at lam; `told` stands in for lam where it is given."""

    noise: hso.NoiseSchedule
    means: Any
    variance: float

    @classmethod
    def make(cls, noise: hso.NoiseSchedule, dimensions: int = 8, components: int = 5) -> Mixture:
        random = np.random.default_rng(0)
        return cls(noise, torch.from_numpy(1.5 * random.standard_normal((components, dimensions))), 0.05)

    def at(self, x: Any, alpha: Any, sigma: Any) -> Any:
        means, variance = self.means.to(x.dtype), alpha**2 * self.variance + sigma**2
        squares = (x[:, None] - alpha * means).square().sum(-1)
        centres = torch.softmax(-0.5 * squares / variance, -1) @ means
        return centres + alpha * self.variance / variance * (x - alpha * centres)

    def __call__(self, x: Any, lam: Any) -> Any:
        levels = TorchNoise(self.noise)
        return self.at(x, levels.alpha(lam), levels.sigma(lam))

    def numpy(self, x: Array, alpha: float, sigma: float) -> Array:
        with torch.no_grad():
            return np.asarray(self.at(torch.from_numpy(x), alpha, sigma))


MODEL = Mixture.make(SD)


def reference(solver: str, levels: Levels, predict: Callable[[Array, int], Array], x: Array) -> Array:
    if solver == "ddim":
        return ddim(levels, predict, x)
    if solver == "unipc":
        return unipc(levels, predict, x, order=2)
    first_order_end = levels.steps < 15 or levels.sigma[-1] == 0.0
    return dpm_solver_pp(levels, predict, x, order=2, first_order_end=first_order_end)


def sampled(model: Mixture, schedule: hso.Schedule, solver: str, eps: Array) -> Array:
    """What the float64 reference solver makes of unit noise."""
    levels = LEVELS[schedule.family](np.asarray(schedule.sigmas))
    x = schedule.gain * eps * (levels.sigma[0] if schedule.family == "ve" else 1.0)
    return reference(solver, levels, lambda x, i: model.numpy(x, float(levels.alpha[i]), float(levels.sigma[i])), x)


def error(model: Mixture, schedule: hso.Schedule, solver: str, count: int = 256) -> float:
    """Mean RMSE to 400 steps on noise that no refinement has seen."""
    eps = np.random.default_rng(99).standard_normal((count, model.means.shape[1]))
    truth = sampled(model, hso.schedules.uniform_lambda(model.noise, 400), "dpm-solver++", eps)
    return float(np.sqrt(np.mean((sampled(model, schedule, solver, eps) - truth) ** 2, axis=1)).mean())


def refined(start: hso.Schedule, **options: Any) -> hso.refine.Refined:
    settings = {"shape": (8,), "dtype": "float64", "teacher": 60, "pairs": 32, "steps": 40} | options
    return against_teacher(settings.pop("denoise", MODEL), start, settings.pop("noise", SD), **settings)


# The samplers.


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("nfe", [2, 3, 6, 16])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("family", NOISES)
def test_samplers_are_the_reference_solvers(family: str, solver: Any, nfe: int, terminal: Any) -> None:
    noise = NOISES[family]
    random = np.random.default_rng(1)
    data = Gaussian(random.uniform(-0.6, 0.6, 8), random.uniform(0.05, 0.5, 8))
    schedule = hso.optimize(noise, nfe, terminal=terminal, t_max=(0.9, 0.99))
    levels = LEVELS[family](np.asarray(schedule.sigmas))
    x = random.standard_normal((3, 8))
    want = reference(solver, levels, data.predictor(levels), x)
    torch_levels = TorchNoise(noise)
    lam = torch.from_numpy(np.array(schedule.lambdas if terminal == "t_min" else schedule.lambdas[:-1]))
    mean, variance = torch.from_numpy(data.mean), torch.from_numpy(data.variance)

    def ask(x: Any, i: int) -> Any:
        alpha, sigma = torch_levels.alpha(lam[i]), torch_levels.sigma(lam[i])
        return mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x - alpha * mean)

    got = sample(ask, torch_levels, lam, torch.from_numpy(x), solver=solver, ends_at_zero=terminal == "zero")
    np.testing.assert_allclose(np.asarray(got), want, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("family", NOISES)
def test_gradients_are_those_of_finite_differences(family: str, solver: Any, terminal: Any) -> None:
    noise = NOISES[family]
    model = Mixture.make(noise)
    levels = TorchNoise(noise)
    # no two gaps are the same: the smaller one has no derivative there
    schedule = hso.schedules.karras(noise, 5, terminal=terminal, t_max=0.95, t_min=0.2)
    start = as_start(schedule.with_gain(1.1), noise, None)
    eps = torch.from_numpy(np.random.default_rng(2).standard_normal((4, 8)))
    nodes = Nodes(start, free_ends=True, decouple=True, gain=True)
    with torch.no_grad():
        nodes.shifts.copy_(torch.tensor([0.3, -0.2, 0.4, 0.1][: len(nodes.shifts)]))

    def loss() -> Any:
        lam = nodes.lambdas()
        told = nodes.told(lam)
        x = nodes.gain() * (levels.sigma(lam[0]) * eps if family == "ve" else eps)
        # at the level it is told, with its input's own scale: what a network does with a wrong timestep
        ask = lambda x, i: model(x * levels.alpha(told[i]) / levels.alpha(lam[i]), told[i])  # noqa: E731
        return sample(ask, levels, lam, x, solver=solver, ends_at_zero=terminal == "zero").square().sum()

    gradients = torch.autograd.grad(loss(), nodes.parameters)
    assert len(nodes.parameters) == 4
    for parameter, gradient in zip(nodes.parameters, gradients, strict=True):
        flat, found = parameter.detach().reshape(-1), gradient.reshape(-1)
        for i in range(len(flat)):
            sides = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    flat[i] += step
                    sides.append(float(loss()))
                    flat[i] -= step
            assert float(found[i]) == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("family", NOISES)
def test_torch_noise_has_values_and_derivatives(family: str) -> None:
    noise = NOISES[family]
    for at in np.linspace(*noise.lambda_range, 7):
        for name in ("alpha", "sigma", "timestep"):
            lam = torch.tensor(at, dtype=torch.float64, requires_grad=True)
            value = getattr(TorchNoise(noise), name)(lam)
            exact = getattr(noise, name)
            assert float(value.detach()) == exact(at)
            (slope,) = torch.autograd.grad(value, lam) if value.requires_grad else (torch.tensor(0.0),)
            low, high = max(at - 1e-4, noise.lambda_range[0]), min(at + 1e-4, noise.lambda_range[1])
            assert float(slope) == pytest.approx((exact(high) - exact(low)) / (high - low), rel=1e-2, abs=1e-6)


# Against a teacher.


@pytest.mark.parametrize(("solver", "share"), [("ddim", 0.85), ("dpm-solver++", 0.5), ("unipc", 0.5)])
def test_refined_schedules_are_better_on_other_noises(solver: Any, share: float) -> None:
    start = hso.schedules.karras(SD, 5)
    result = refined(start, solver=solver, pairs=64)
    schedule = result.schedule
    assert error(MODEL, schedule, solver) < share * error(MODEL, start, solver)
    assert (schedule.search, schedule.nfe, schedule.solver, schedule.terminal) == ("refined", 5, solver, "zero")
    assert result.told is None and schedule.gain == 1.0
    train, validation = result.history
    assert train.shape == validation.shape and np.isnan(train[0]) and np.isfinite(train[1:]).all()
    assert validation.min() < validation[0]


@pytest.mark.parametrize("family", ["flow", "ve"])
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_other_families_and_terminals(family: str, terminal: Any) -> None:
    noise = NOISES[family]
    model, start = Mixture.make(noise), hso.optimize(noise, 4, terminal=terminal)
    result = refined(start, denoise=model, noise=noise, solver="ddim", dtype="float32")
    schedule = result.schedule
    assert result.history.validation.min() < result.history.validation[0]
    assert schedule.terminal == ("t_min" if terminal == "t_min" else "zero")
    assert (schedule.steps, schedule.family) == (4, family)
    low, high = noise.lambda_range
    nodes = schedule.lambdas[np.isfinite(schedule.lambdas)]
    assert nodes[0] >= low and nodes[-1] <= high and np.diff(nodes).min() > 0.019


def test_the_gain_is_refined_when_asked() -> None:
    start = hso.optimize(SD, 4)
    with_gain, without = refined(start, solver="ddim", gain=True).schedule, refined(start, solver="ddim").schedule
    assert with_gain.gain > 1.01 and without.gain == 1.0
    assert error(MODEL, with_gain, "ddim") < error(MODEL, without, "ddim")
    assert refined(start.with_gain(1.05), solver="ddim", steps=3).schedule.gain == 1.05


def test_ends_stay_where_they_are_told_to() -> None:
    start = hso.optimize(SD, 5)
    fixed = refined(start, free_ends=False).schedule
    assert fixed != start
    np.testing.assert_allclose(fixed.lambdas[[0, -2]], start.lambdas[[0, -2]], rtol=0.0, atol=1e-9)
    ends = (float(start.lambdas[0]), float(start.lambdas[-2]) + 0.05)
    free = refined(start, lambda_range=ends).schedule
    assert free.lambdas[0] >= ends[0] - 1e-9 and free.lambdas[-2] <= ends[1] + 1e-9


class Misled:
    """A network that is right where it is told another level than its input has: `told` shifted by `by`."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.asked: list[tuple[float, float]] = []

    def __call__(self, x: Any, lam: Any, told: Any) -> Any:
        self.asked.append((float(lam.detach()), float(told.detach())))
        low, high = SD.lambda_range
        return MODEL(x, (told - self.by).clamp(low, high)) + 0.0 * lam


def test_told_levels_move_within_bounds_and_are_used() -> None:
    start, network = hso.optimize(SD, 5), Misled(0.2)
    result = refined(start, denoise=network, pairs=16, teacher=lambda eps: taught_by_model(eps))
    schedule, told = result.schedule, result.told
    assert told is not None and told.shape == (5,)
    nodes = schedule.lambdas[:-1]
    gaps = np.diff(nodes)
    assert np.all(np.abs(told - nodes)[1:-1] < 0.5 * np.minimum(gaps[:-1], gaps[1:]))
    np.testing.assert_allclose(told[[0, -1]], nodes[[0, -1]], rtol=0.0, atol=1e-9)
    assert np.all((told - nodes)[2:-1] > 0.05)  # towards what it is right about, where noise does not hide it
    np.testing.assert_allclose(schedule.timesteps, SD.timestep(told), rtol=1e-9)
    assert any(lam != shown for lam, shown in network.asked)
    alone = refined(start, denoise=network, pairs=16, teacher=lambda eps: taught_by_model(eps), decouple=False)
    assert alone.told is None
    assert result.history.validation.min() < alone.history.validation.min()


def taught_by_model(eps: Any) -> Any:
    x = sampled(MODEL, hso.schedules.uniform_lambda(SD, 60), "dpm-solver++", np.asarray(eps))
    return torch.from_numpy(x)


def test_apply_takes_told_levels_with_a_tolerance() -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DPMSolverMultistepScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", solver_order=2
    )
    noise = hso.diffusers.noise_schedule(scheduler)
    schedule = hso.optimize(noise, 5)
    told = schedule.lambdas[:-1] + np.array([0.0, 0.1, -0.1, 0.1, 0.0])
    schedule = replace(schedule, timesteps=noise.timestep(told))
    with pytest.raises(ValueError, match="another noise schedule"):
        hso.diffusers.apply(scheduler, schedule)
    hso.diffusers.apply(scheduler, schedule, tolerance=0.2)
    np.testing.assert_allclose(scheduler.timesteps, schedule.timesteps, rtol=1e-6)


def test_the_start_is_returned_when_nothing_improves() -> None:
    start = hso.optimize(SD, 5)
    assert refined(start, steps=0).schedule is start
    upwards = refined(
        start, loss=lambda student, _: 1.0 / (1.0 + student.square().mean().detach()) + 0.0 * student.sum()
    )
    assert upwards.schedule is start and upwards.told is None
    assert upwards.history.validation.size == 26  # patience


def test_validation_decides_and_its_pairs_do_not_train() -> None:
    """A loss that tells the pairs apart: those that train pull to one side, the one that judges to the other."""
    start = hso.optimize(SD, 4)
    sizes: list[int] = []

    def teacher(eps: Any) -> Any:
        return torch.arange(len(eps), dtype=eps.dtype)[:, None].expand_as(eps)  # the pair's number

    def loss(student: Any, taught: Any) -> Any:
        numbers = sorted({int(number) for number in taught.flatten()})
        sizes.append(len(numbers))
        assert numbers in ([*range(12)], [*range(12, 16)])
        sign = 1.0 if numbers[0] == 0 else -1.0
        return sign * student.square().mean()

    result = refined(start, teacher=teacher, loss=loss, pairs=16, validation=0.25)
    assert result.schedule is start
    assert sizes[:3] == [4, 12, 4]
    assert result.history.train[-1] < result.history.train[1]


def test_best_on_validation_is_kept_and_progress_is_reported() -> None:
    seen: list[tuple[int, float, float]] = []
    start = hso.optimize(SD, 5)
    result = refined(start, steps=12, learning_rate=0.5, progress=lambda *args: seen.append(args))
    assert [number for number, *_ in seen] == [*range(1, len(seen) + 1)]
    np.testing.assert_array_equal(result.history.validation[1:], [value for *_, value in seen])
    eps = torch.from_numpy(np.stack([np.random.default_rng([0, i]).standard_normal(8) for i in range(24, 32)]))
    difference = sampled(MODEL, result.schedule, "dpm-solver++", np.asarray(eps)) - np.asarray(taught_by_model(eps))
    value = np.sqrt(np.mean(difference**2, axis=1)).mean()
    assert value == pytest.approx(result.history.validation.min(), rel=1e-6)


def test_same_seed_same_schedule_whatever_is_recomputed() -> None:
    start = hso.optimize(SD, 4)
    first = refined(start, steps=5, batch=7)
    again = refined(start, steps=5, batch=7, recompute=False)
    assert first.schedule == again.schedule and first.evaluations > again.evaluations
    assert refined(start, steps=5, batch=7, seed=1).schedule != first.schedule
    # gradient check, teacher, judging before and after each step, each step forwards
    assert again.evaluations == 1 + 60 * 32 + 6 * 4 * 8 + 5 * 4 * 7


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow_prediction"])
def test_denoiser_of_networks(prediction: str) -> None:
    noise = NOISES["flow"] if prediction == "flow_prediction" else SD
    model, levels = Mixture.make(noise), TorchNoise(noise)
    told: list[Any] = []

    def network(x: Any, timesteps: Any) -> Any:
        told.append(timesteps)
        t = float(timesteps[0]) / 1000.0 if noise.family == "flow" else (float(timesteps[0]) + 1.0) / 1000.0
        lam = torch.tensor(noise.lam(t), dtype=torch.float64)
        x0, alpha, sigma = model(x, lam), levels.alpha(lam), levels.sigma(lam)
        eps = (x - alpha * x0) / sigma
        return {"epsilon": eps, "v_prediction": alpha * eps - sigma * x0, "sample": x0, "flow_prediction": eps - x0}[
            prediction
        ]

    denoise = denoiser(network, noise, prediction=prediction)
    x, lam = torch.randn(3, 8, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    torch.testing.assert_close(denoise(x, lam), model(x, lam), rtol=1e-9, atol=1e-9)
    denoise(x, lam, told=lam + 0.5)
    assert told[0].shape == (3,) and float(told[1][0]) == pytest.approx(noise.timestep(0.8))
    with pytest.raises(ValueError, match="prediction must be one of"):
        denoiser(network, noise, prediction="noise")
    wrong = SD if noise.family == "flow" else NOISES["flow"]
    if prediction in ("v_prediction", "flow_prediction"):
        with pytest.raises(ValueError, match="is for family"):
            denoiser(network, wrong, prediction=prediction)


def detached(x: Any, lam: Any) -> Any:
    return MODEL(x, lam.detach())


def without_x(x: Any, lam: Any) -> Any:
    return MODEL(x.detach(), lam)


def without_gradients(x: Any, lam: Any) -> Any:
    with torch.no_grad():
        return MODEL(x, lam)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "solver": ({"solver": "heun"}, "solver must be one of"),
    "pairs": ({"pairs": 1}, "pairs must be in 2"),
    "validation": ({"validation": 1.0}, "validation must be below 1"),
    "no validation": ({"validation": 0.0}, "validation must be a positive"),
    "steps": ({"steps": -1}, "steps must be in 0"),
    "rate": ({"learning_rate": 0.0}, "learning_rate must be a positive"),
    "patience": ({"patience": 0}, "patience must be in 1"),
    "batch": ({"batch": 0}, "batch must be in 1"),
    "decouple": ({"decouple": True}, "decouple=True needs"),
    "range": ({"lambda_range": (-1.0, 1.0)}, "schedule must lie within lambda_range"),
    "wide range": ({"lambda_range": (-9.0, 9.0)}, "lambda_range must be within"),
    "loss": ({"loss": "lpips"}, "loss must be 'l2' or a function"),
    "dtype": ({"dtype": "int64"}, "dtype must be a floating-point"),
    "seed": ({"seed": -1}, "seed must be in 0"),
    "shape": ({"shape": (0,)}, r"shape\[0\] must be in 1"),
    "teacher": ({"teacher": 1}, "teacher must be in 2"),
    "teacher's shape": ({"teacher": lambda eps: eps[:, :2]}, r"teacher must give shape \(32, 8\)"),
    "teacher's NaN": ({"teacher": lambda eps: eps * math.nan}, "teacher gave NaN"),
    "no gradient in lam": ({"denoise": detached}, "denoise must have a gradient in lam"),
    "no gradient in x": ({"denoise": without_x}, "denoise must have a gradient in x"),
    "no gradient": ({"denoise": without_gradients}, "denoise must have a gradient in x"),
    "denoise's shape": ({"denoise": lambda x, lam: MODEL(x, lam)[:, :2]}, r"denoise must give a tensor of shape"),
    "NaN": ({"denoise": lambda x, lam: MODEL(x, lam) * math.nan, "teacher": lambda eps: eps}, "loss must be finite"),
    "noise": ({"noise": NOISES["flow"]}, "noise must be the noise schedule that the schedule was made for"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused(name: str) -> None:
    options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        refined(hso.optimize(SD, 4), **options)


def test_starts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 nodes"):
        refined(hso.optimize(SD, 1))
    with pytest.raises(ValueError, match=r"schedule must be an hso\.Schedule"):
        by_metric(lambda _: 0.0, [1.0, 0.5], SD)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 nodes where its ends do not move"):
        by_metric(lambda _: 0.0, hso.optimize(SD, 2), SD, free_ends=False)


def test_what_denoise_raises_is_passed_on() -> None:
    def broken(x: Any, lam: Any) -> Any:
        raise KeyError("out of ink")

    with pytest.raises(KeyError, match="out of ink"):
        refined(hso.optimize(SD, 4), denoise=broken)


# By a metric.

NATURAL = GaussianModel.natural(SD)
TRAIN, OTHER = (np.random.default_rng(seed).standard_normal((16, 64)) for seed in (0, 1))


def rmse(schedule: hso.Schedule) -> float:
    difference = NATURAL.ddim(schedule, schedule.gain * TRAIN) - NATURAL.solution(TRAIN)
    return float(np.sqrt(np.mean(difference**2, axis=1)).mean())


@pytest.mark.parametrize("nfe", [4, 6])
def test_the_search_finds_what_a_long_search_finds(nfe: int) -> None:
    from scipy.optimize import minimize

    start = hso.schedules.uniform_t(SD, nfe)
    found = by_metric(rmse, start, SD, budget=200)
    assert found.evaluations == 200 and found.history.train.size == 200 and found.history.train[0] == rmse(start)
    assert rmse(found.schedule) == found.history.train.min() < 0.98 * rmse(start)
    low, high = SD.lambda_range

    def of_nodes(inner: Array) -> float:
        lam = np.sort(np.clip(np.append(low, inner), low, high))
        if np.diff(lam).min() < 1e-3:
            return 1e3
        return rmse(hso.Schedule.from_nodes(SD, np.asarray(SD.t(lam))))

    inner = found.schedule.lambdas[1:-1]
    long = minimize(of_nodes, inner, method="Nelder-Mead", options={"maxfev": 3000, "xatol": 1e-6, "fatol": 1e-9})
    assert rmse(found.schedule) < 1.002 * long.fun
    assert NATURAL.rmse(found.schedule, OTHER) < NATURAL.rmse(start, OTHER)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("budget", [1, 2, 7, 60])
def test_the_budget_is_kept_exactly_and_the_result_is_deterministic(budget: int, noisy: bool) -> None:
    start, calls = hso.optimize(SD, 5, solver="unipc").with_gain(1.1), []

    def metric(schedule: hso.Schedule) -> float:
        calls.append(schedule)
        return rmse(schedule)

    first = by_metric(metric, start, SD, budget=budget, noisy=noisy, seed=3)
    assert len(calls) == budget == first.evaluations and calls[0] is start
    assert all((each.solver, each.gain, each.nfe) == ("unipc", 1.1, 5) for each in calls)
    assert all(np.diff(each.lambdas[:-1]).min() > 0.019 for each in calls)
    assert by_metric(rmse, start, SD, budget=budget, noisy=noisy, seed=3).schedule == first.schedule
    if budget > 7:
        assert by_metric(rmse, start, SD, budget=budget, noisy=noisy, seed=4).schedule != first.schedule
    if budget == 1:
        assert first.schedule is start


def test_validation_chooses_between_finalists() -> None:
    start, asked = hso.optimize(SD, 5), []

    def validate(schedule: hso.Schedule) -> float:
        asked.append(schedule)
        return float(len(asked) != 3)

    found = by_metric(rmse, start, SD, budget=40, validate=validate, finalists=4)
    assert asked[0] is start and len(asked) == 6  # the start, four finalists and the centre
    assert found.schedule is asked[2]
    np.testing.assert_array_equal(found.history.validation, [1, 1, 0, 1, 1, 1])
    assert by_metric(rmse, start, SD, budget=40, validate=lambda _: 1.0).schedule is start
    assert by_metric(rmse, start, SD, budget=40, validate=lambda _: math.nan).schedule is start


@pytest.mark.parametrize("level", [0.02, 0.1])
def test_noisy_metrics(level: float) -> None:
    """From an error of 0.42, where 0.311 is the least."""
    start, results = hso.schedules.karras(SD, 5), []
    for seed in range(4):
        random = np.random.default_rng(seed)
        noisy = lambda schedule: rmse(schedule) * (1.0 + level * random.standard_normal())  # noqa: B023, E731
        found = by_metric(noisy, start, SD, budget=120, validate=rmse, noisy=True, seed=seed)
        assert found.evaluations == 120
        results.append(rmse(found.schedule))
    assert max(results) < 0.39 and np.mean(results) < 0.35


def test_nan_and_infinity_are_the_worst() -> None:
    start = hso.schedules.uniform_t(SD, 5)
    for bad in (math.nan, math.inf, -math.inf):
        found = by_metric(lambda s, bad=bad: bad if s.lambdas[1] > start.lambdas[1] else rmse(s), start, SD, budget=80)
        assert found.schedule.lambdas[1] <= start.lambdas[1] and rmse(found.schedule) <= rmse(start)
        assert np.isinf(found.history.train).any()
        for noisy in (False, True):
            assert by_metric(lambda s, bad=bad: bad, start, SD, budget=30, noisy=noisy).schedule is start


def test_what_the_metric_raises_is_passed_on() -> None:
    def metric(schedule: hso.Schedule) -> float:
        raise ZeroDivisionError("no images")

    with pytest.raises(ZeroDivisionError, match="no images"):
        by_metric(metric, hso.optimize(SD, 4), SD)
    with pytest.raises(ValueError, match="the value of metric must be a real number, got None"):
        by_metric(lambda _: None, hso.optimize(SD, 4), SD)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_the_start_is_where_the_search_begins(terminal: Any) -> None:
    from hso.refine._space import Space

    for free_ends in (False, True):
        for gain in (False, True):
            schedule = hso.optimize(SD, 5, terminal=terminal).with_gain(1.2)
            start = as_start(schedule, SD, None)
            space = Space(start, free_ends=free_ends, gain=gain)
            made = space.schedule(space.origin)
            nodes = len(start.lambdas)
            np.testing.assert_allclose(made.lambdas[:nodes], start.lambdas, rtol=0.0, atol=1e-6)
            assert made.gain == pytest.approx(1.2) and made.terminal == start.terminal


def test_ends_and_gain_move_when_asked() -> None:
    start = hso.optimize(SD, 4)
    fixed = by_metric(rmse, start, SD, budget=40, free_ends=False).schedule
    np.testing.assert_allclose(fixed.lambdas[[0, -2]], start.lambdas[[0, -2]], rtol=0.0, atol=1e-9)
    found = by_metric(rmse, start, SD, budget=80, gain=True).schedule
    assert found.gain > 1.05 and rmse(found) < 0.9 * rmse(start)


@pytest.mark.parametrize("name", ["budget", "finalists", "step", "seed"])
def test_bad_numbers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        by_metric(rmse, hso.optimize(SD, 4), SD, **{name: -1})


@pytest.mark.parametrize("dimensions", [1, 2, 6])
@pytest.mark.parametrize("name", ["_simplex", "_evolution"])
def test_searches_on_a_tilted_valley(name: str, dimensions: int) -> None:
    """A quadratic whose axes are those of no coordinate, 100 times as steep across as along."""
    search = importlib.import_module(f"hso.refine.{name}").minimize
    axes, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((dimensions, dimensions)))
    steepness, calls = np.logspace(0, 2, dimensions), []

    def valley(x: Array) -> float:
        calls.append(x)
        return float(np.sum(steepness * (axes.T @ (x - 1.0)) ** 2))

    found = search(valley, np.zeros(dimensions), step=0.4, budget=1500, seed=0)
    assert len(calls) == 1500
    assert valley(found) < 1e-3 and min(map(valley, calls[:1500])) < 1e-3
