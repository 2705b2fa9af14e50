"""Optimal Stepsize Distillation against all schedules, real samplers, and what it is told to count."""

import itertools
import math

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

import hso
import models
from hso import oss
from reference_multistep import lagrange_integrals
from reference_solvers import Levels, ddim

NOISES = {
    "vp": hso.NoiseSchedule.preset("sd15"),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "edm": hso.NoiseSchedule.edm(),
}


class Gaussian:
    """x0 ~ N(0, diag(variances)) as a function (x, lam); counts the single samples that it is asked."""

    def __init__(self, noise, variances):
        self.noise, self.variances, self.asked = noise, np.asarray(variances, dtype=float), 0

    def __call__(self, x, lam):
        self.asked += len(x)
        alpha, sigma = float(self.noise.alpha(lam)), float(self.noise.sigma(lam))
        return x * alpha * self.variances / (alpha**2 * self.variances + sigma**2)


class Mixture:
    """The 64-dimensional mixture likewise."""

    def __init__(self):
        model = models.load("mixture")
        self.noise, self._latent = model.noise, model.mixture.latent

    def __call__(self, x, lam):
        return self._latent.denoise(x, float(self.noise.alpha(lam)), float(self.noise.sigma(lam)))


@pytest.fixture(scope="module")
def mixture():
    return Mixture()


def noise_of(shape, count, seed=0):
    """What CallableNetwork starts samples from."""
    return np.stack([np.random.default_rng([seed, i]).standard_normal(shape) for i in range(count)])


def start(noise, eps, lam):
    return float(noise.sigma(lam)) * eps if noise.family == "ve" else eps


def levels_of(noise, lambdas):
    finite = lambdas[np.isfinite(lambdas)]
    alpha, sigma = np.asarray(noise.alpha(finite)), np.asarray(noise.sigma(finite))
    end = len(lambdas) - len(finite)
    return Levels(np.append(alpha, np.ones(end)), np.append(sigma, np.zeros(end)))


def run_ddim(model, lambdas, eps):
    """The reference sampler from where pipelines start."""
    levels = levels_of(model.noise, lambdas)
    return ddim(levels, lambda x, i: model(x, float(lambdas[i])), start(model.noise, eps, float(lambdas[0])))


def run_adams(model, lambdas, orders, eps):
    """Adams-Bashforth in s/(1 + s) for x/(alpha + sigma), one sample, by quadrature of Lagrange's polynomials."""
    levels = levels_of(model.noise, lambdas)
    scales = levels.alpha + levels.sigma
    times = levels.sigma / scales
    z = start(model.noise, eps, float(lambdas[0])) / scales[0]
    slopes = []
    for i, order in enumerate(orders):
        x0 = model(scales[i] * z[None], float(lambdas[i]))[0]
        slopes.append((z - x0) / times[i])
        nodes = [i - m for m in range(order)]
        weights = lagrange_integrals(times[nodes], times[i], times[i + 1])
        z = z + sum(w * slopes[node] for w, node in zip(weights, nodes, strict=True))
    return scales[-1] * z


def brute_force(model, teacher, nfe, eps):
    """The errors (n,) and nodes (n, nfe) of the best of all schedules, for every sample."""
    last = teacher.steps
    target = run_ddim(model, teacher.lambdas, eps)
    every = list(itertools.combinations(range(last), nfe))
    errors = [np.mean((run_ddim(model, teacher.lambdas[[*nodes, last]], eps) - target) ** 2, axis=1) for nodes in every]
    best = np.argmin(errors, axis=0)
    return np.min(errors, axis=0), np.array(every)[best]


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_is_the_best_of_all_schedules_where_the_assumption_holds(family, terminal):
    # One dimension, and much signal: every step and every start falls short, so that the nearer state stays nearer.
    noise = NOISES[family]
    model = Gaussian(noise, [2500.0])
    teacher = hso.schedules.uniform_t(noise, 11, terminal=terminal)
    found = oss.distill(model, noise, nfe=4, shape=(1,), count=3, teacher_steps=teacher, terminal=terminal)
    for nfe in (1, 2, 3, 4):
        errors, nodes = brute_force(model, teacher, nfe, noise_of((1,), 3))
        np.testing.assert_allclose(found.students[nfe - 1].errors, errors, rtol=1e-9)
        np.testing.assert_array_equal(found.students[nfe - 1].nodes, nodes)


def test_is_near_the_best_of_all_schedules_of_the_mixture(mixture):
    teacher = hso.schedules.uniform_t(mixture.noise, 11)
    found = oss.distill(mixture, mixture.noise, nfe=4, shape=(64,), count=8, teacher_steps=teacher)
    for nfe in (3, 4):
        errors, _ = brute_force(mixture, teacher, nfe, noise_of((64,), 8))
        ratio = np.sqrt(found.students[nfe - 1].errors / errors)
        assert np.all(ratio > 1.0 - 1e-9)
        assert np.median(ratio) < 1.02
        assert np.max(ratio) < 1.15


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("metric", ["state", "x0"])
@pytest.mark.parametrize("combine", ["median", "mean_error"])
def test_errors_are_those_of_ddim(family, terminal, metric, combine):
    noise = NOISES[family]
    model = Gaussian(noise, [9.0, 1.0, 0.3, 0.01])
    found = oss.distill(
        model, noise, nfe=4, shape=(4,), count=3, teacher_steps=15, terminal=terminal, metric=metric, combine=combine
    )
    eps = noise_of((4,), 3)
    target = run_ddim(model, found.teacher.lambdas, eps)
    for student in found.students:
        for i, schedule in enumerate(found.schedules(student.nfe)):
            error = run_ddim(model, schedule.lambdas, eps[i : i + 1])[0] - target[i]
            assert student.errors[i] == pytest.approx(np.mean(error**2), rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("metric", ["state", "x0"])
def test_errors_of_multistep_students_are_those_of_adams(mixture, order, metric):
    found = oss.distill(
        mixture, mixture.noise, nfe=5, shape=(64,), count=4, teacher_steps=12, order=order, metric=metric
    )
    eps = noise_of((64,), 4)
    target = run_ddim(mixture, found.teacher.lambdas, eps)
    for student in found.students:
        assert np.all(student.orders[:, 0] == 1)
        assert np.all(student.orders <= np.minimum(order, np.arange(1, student.nfe + 1)))
        for i, schedule in enumerate(found.schedules(student.nfe)):
            end = run_adams(mixture, schedule.lambdas, student.orders[i], eps[i])
            assert student.errors[i] == pytest.approx(np.mean((end - target[i]) ** 2), rel=1e-9)
    assert max(student.orders.max() for student in found.students) >= min(order, 3)


def test_higher_orders_come_nearer(mixture):
    def errors(order):
        return oss.distill(mixture, mixture.noise, nfe=5, shape=(64,), count=8, teacher_steps=20, order=order)

    assert np.mean(errors(2).students[4].errors) < 0.3 * np.mean(errors(1).students[4].errors)


def test_families_agree_on_one_model():
    # Coordinates differ in where sampling starts alone: at sigma eps, eps or (1 + sigma) eps in VE. Little, as long as
    # starts at the most noise are best.
    sigmas = np.geomspace(70.0, 0.03, 24)
    found = []
    for noise in (hso.NoiseSchedule.vp_linear(), hso.NoiseSchedule.flow(), hso.NoiseSchedule.edm()):
        teacher = hso.Schedule.from_nodes(noise, noise.t(-np.log(sigmas)))
        model = Gaussian(noise, 4000.0 / np.arange(1.0, 17.0))
        found.append(oss.distill(model, noise, nfe=6, shape=(16,), count=8, teacher_steps=teacher).students)
    for vp, flow, edm in zip(*found, strict=True):
        assert vp.combined.tolist() == flow.combined.tolist() == edm.combined.tolist()
        np.testing.assert_allclose(vp.errors, edm.errors, rtol=0.01)
        np.testing.assert_allclose(flow.errors, edm.errors, rtol=0.1)


@pytest.mark.parametrize("combine", ["median", "mean_error"])
@pytest.mark.parametrize("metric", ["state", "x0"])
def test_choices_of_two_steps(mixture, metric, combine):
    noise = mixture.noise
    teacher = hso.schedules.uniform_t(noise, 9)
    eps = noise_of((64,), 5)
    lambdas, last = teacher.lambdas, teacher.steps

    def distance(nodes, end):
        """From the teacher's at node `end`, of the state or of what is predicted there."""
        levels = (lambdas[[*nodes, end]], lambdas[: end + 1])
        states = [run_ddim(mixture, level, eps) for level in levels]
        if metric == "x0" and end < last:
            states = [mixture(x, float(lambdas[end])) for x in states]
        each = np.mean((states[0] - states[1]) ** 2, axis=1)
        return np.full_like(each, each.mean()) if combine == "mean_error" else each

    options = {"teacher_steps": teacher, "metric": metric, "combine": combine}
    found = oss.distill(mixture, noise, nfe=2, shape=(64,), count=5, **options).students[1]
    firsts = {j: np.argmin([distance([i], j) for i in range(j)], axis=0) for j in range(1, last)}
    for sample in range(5):
        paths = [(int(first[sample]), j) for j, first in firsts.items()]
        best = min(paths, key=lambda path: distance(path, last)[sample])
        assert tuple(found.nodes[sample]) == best


def test_median_takes_the_middle():
    nodes = np.array([[0, 3, 9], [1, 4, 5], [2, 7, 8], [1, 2, 8]])
    # 1, 1 | 3, 4 | 8, 8 are the middle two: 3.5 goes to the side of less noise
    assert oss._distill.median_nodes(nodes).tolist() == [1, 4, 8]
    assert oss._distill.median_nodes(nodes[:3]).tolist() == [1, 4, 8]
    assert oss._distill.median_nodes(nodes[:1]).tolist() == [0, 3, 9]


def test_medians_never_fall_on_each_other():
    rng = np.random.default_rng(0)
    for _ in range(300):
        count, steps = rng.integers(1, 8, 2)
        nodes = np.array([np.sort(rng.choice(9, steps, replace=False)) for _ in range(count)])
        median = oss._distill.median_nodes(nodes)
        assert np.all(np.diff(median) > 0)
        assert np.all((nodes.min(axis=0) <= median) & (median <= nodes.max(axis=0)))


def test_combined_is_the_median_of_the_samples(mixture):
    found = oss.distill(mixture, mixture.noise, nfe=4, shape=(64,), count=7, teacher_steps=30)
    for student in found.students:
        assert student.combined.tolist() == np.median(student.nodes, axis=0).tolist()
        t = found.teacher.t[student.combined]
        np.testing.assert_array_equal(found.schedule(student.nfe).t[:-1], t)


def test_mean_error_is_one_choice_for_all(mixture):
    found = oss.distill(mixture, mixture.noise, nfe=4, shape=(64,), count=6, teacher_steps=20, combine="mean_error")
    for student in found.students:
        assert np.all(student.nodes == student.combined)
        assert len(student.errors) == 6


def test_mean_error_of_one_sample_is_its_own(mixture):
    options = {"nfe": 5, "shape": (64,), "count": 1, "teacher_steps": 25, "seed": 3}
    one = oss.search(mixture, mixture.noise, combine="mean_error", **options)
    assert one == oss.search(mixture, mixture.noise, **options)


def test_mean_error_beats_the_median(mixture):
    eps = np.random.default_rng(7).standard_normal((64, 64))
    options = {"nfe": [4, 5, 6], "shape": (64,), "count": 16, "teacher_steps": 40}
    target = run_ddim(mixture, hso.schedules.uniform_t(mixture.noise, 200).lambdas, eps)

    def error(schedule):
        return float(np.mean((run_ddim(mixture, schedule.lambdas, eps) - target) ** 2))

    together = oss.search(mixture, mixture.noise, combine="mean_error", **options)
    for one, other in zip(together, oss.search(mixture, mixture.noise, **options), strict=True):
        assert error(one) < error(other)


def test_one_step_and_all_of_the_teachers():
    noise = NOISES["flow"]
    model = Gaussian(noise, [4.0, 0.5])
    found = oss.distill(model, noise, nfe=6, shape=(2,), count=2, teacher_steps=6)
    assert found.schedule(6) == found.teacher
    np.testing.assert_allclose(found.students[-1].errors, 0.0, atol=1e-24)
    one = found.schedule(1)
    assert one.nfe == 1
    assert one.t[0] in found.teacher.t
    assert oss.search(model, noise, nfe=1, shape=(2,), count=2, teacher_steps=6) == one


def test_a_list_is_of_single_searches(mixture):
    options = {"shape": (64,), "count": 4, "teacher_steps": 20}
    together = oss.search(mixture, mixture.noise, nfe=[5, 2, 3], **options)
    assert [schedule.nfe for schedule in together] == [5, 2, 3]
    assert together == [oss.search(mixture, mixture.noise, nfe=n, **options) for n in (5, 2, 3)]
    own = oss.search(mixture, mixture.noise, nfe=np.array([2, 3]), combine=None, **options)
    assert [len(schedules) for schedules in own] == [4, 4]
    assert own[1] == oss.search(mixture, mixture.noise, nfe=3, combine=None, **options)
    assert all(schedule.search == "oss" for schedule in [*together, *own[0]])


def test_parts_change_nothing(mixture):
    options = {"nfe": 4, "shape": (64,), "count": 7, "teacher_steps": 15, "order": 2, "calibrate_amplitude": True}
    whole = oss.distill(mixture, mixture.noise, **options)
    parts = oss.distill(mixture, mixture.noise, batch=3, **options)
    for one, other in zip(whole.students, parts.students, strict=True):
        np.testing.assert_array_equal(one.nodes, other.nodes)
        np.testing.assert_array_equal(one.orders, other.orders)
        np.testing.assert_allclose(one.errors, other.errors, rtol=1e-9)
    assert parts.evaluations == whole.evaluations
    np.testing.assert_allclose(parts.amplitude.high, whole.amplitude.high)


def test_seed_is_of_the_samples(mixture):
    options = {"nfe": 4, "shape": (64,), "count": 2, "teacher_steps": 30}
    first, again, other = (oss.distill(mixture, mixture.noise, seed=s, **options).students[3] for s in (0, 0, 1))
    np.testing.assert_array_equal(first.errors, again.errors)
    assert not np.array_equal(first.errors, other.errors)


@pytest.mark.parametrize("metric", ["state", "x0"])
@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("batch", [None, 2])
def test_evaluations_are_as_many_as_announced(metric, order, batch):
    noise, steps, nfe, count = NOISES["vp"], 9, 4, 5
    model = Gaussian(noise, [2.0, 0.5])
    calls = []
    found = oss.distill(
        model,
        noise,
        nfe=nfe,
        shape=(2,),
        count=count,
        teacher_steps=steps,
        order=order,
        metric=metric,
        batch=batch,
        progress=lambda done, total: calls.append((done, total)),
    )
    if metric == "state":
        each = 2 * steps - 1 + sum(steps - k for k in range(1, nfe))
    else:
        each = 2 * steps - 1
        each += sum(min(order, k) * (steps - k + 1) * (steps - k) // 2 for k in range(1, nfe))
    assert found.evaluations == model.asked == count * each
    done = [d for d, _ in calls]
    assert done == sorted(set(done))
    assert calls[-1] == (count * each, count * each)
    assert {total for _, total in calls} == {count * each}


def test_progress_survives_a_part_that_runs_again():
    """As for a pipeline that runs out of memory."""
    noise, calls = NOISES["vp"], []
    model = Gaussian(noise, [2.0, 0.5])

    class Again:
        def __init__(self):
            self.noise, self.evaluations = noise, 0

        def run(self, program, count, seed):
            results = []
            for stop in (3, None):
                steps = program.steps(noise_of((2,), count, seed))
                x = next(steps)
                for lam in program.lambdas[:stop]:
                    self.evaluations += count
                    try:
                        x = steps.send(model(x, lam))
                    except StopIteration as end:
                        results.append(end.value)
                steps.close()
            return results

    found = oss.distill(Again(), nfe=2, count=2, teacher_steps=5, progress=lambda *call: calls.append(call))
    assert [done for done, _ in calls] == [2, 4, 6, *range(2, 2 * 13 + 1, 2)]
    assert calls[-1] == (26, 26)
    assert found.evaluations == 32


def test_a_torch_function_gives_the_same():
    noise = NOISES["flow"]
    model = Gaussian(noise, [4.0, 0.5, 0.1])

    def denoise(x, lam):
        assert x.dtype == torch.float32
        return torch.from_numpy(model(x.double().numpy(), lam)).float()

    options = {"nfe": [2, 4], "shape": (3,), "count": 4, "teacher_steps": 20}
    found = oss.search(denoise, noise, device="cpu", **options)
    for one, other in zip(found, oss.search(model, noise, **options), strict=True):
        np.testing.assert_allclose(one.t, other.t, atol=0.06)


@pytest.mark.parametrize("family", NOISES)
def test_amplitudes_are_the_teachers_percentiles(family):
    noise = NOISES[family]
    model = Gaussian(noise, np.linspace(0.2, 3.0, 40))
    found = oss.distill(model, noise, nfe=2, shape=(40,), count=6, teacher_steps=8, calibrate_amplitude=True, batch=4)
    eps = noise_of((40,), 6)
    lambdas = found.teacher.lambdas
    for i in range(8):
        # DDIM to node i, which is where the teacher asks
        x = run_ddim(model, lambdas[: i + 1], eps)
        low, high = np.percentile(x, [5.0, 95.0], axis=1)
        assert found.amplitude.low[i] == pytest.approx(low.mean(), rel=1e-9)
        assert found.amplitude.high[i] == pytest.approx(high.mean(), rel=1e-9)
    np.testing.assert_array_equal(found.amplitude.lambdas, lambdas[:-1])


def test_amplitude_is_put_on_a_sampling_loop(mixture):
    found = oss.distill(
        mixture, mixture.noise, nfe=4, shape=(64,), count=64, teacher_steps=40, calibrate_amplitude=True
    )
    schedule = found.schedule(4)
    amplitude = found.amplitude.at(schedule)
    levels = levels_of(mixture.noise, schedule.lambdas)

    def sample(calibrated):
        x = np.random.default_rng(5).standard_normal((64, 64))
        for i in range(schedule.steps):
            if calibrated:
                x = amplitude.apply(x, i)
                low, high = np.percentile(x, [5.0, 95.0], axis=1)
                np.testing.assert_allclose(low, amplitude.low[i], rtol=1e-9)
                np.testing.assert_allclose(high, amplitude.high[i], rtol=1e-9)
            x0 = mixture(x, float(schedule.lambdas[i]))
            noise = (x - levels.alpha[i] * x0) / levels.sigma[i]
            x = levels.alpha[i + 1] * x0 + levels.sigma[i + 1] * noise
        return x

    wanted = found.amplitude.high[-1] - found.amplitude.low[-1]

    def spread(x):
        low, high = np.percentile(x, [5.0, 95.0], axis=1)
        return float(np.mean(high - low))

    assert abs(spread(sample(True)) - wanted) < abs(spread(sample(False)) - wanted)


def test_forms_of_the_amplitude():
    amplitude = oss.Amplitude(np.array([0.0, 1.0]), np.array([-1.0, -2.0]), np.array([3.0, 4.0]))
    x = np.random.default_rng(0).normal(2.0, 5.0, (3, 4, 4))
    low, high = np.percentile(x.reshape(3, -1), [5.0, 95.0], axis=1)
    scale = 4.0 / (high - low)
    scaled = amplitude.apply(x, 0, form="scale")
    np.testing.assert_allclose(scaled, scale[:, None, None] * x)
    np.testing.assert_allclose(amplitude.apply(x, 0), scaled - (scale * low + 1.0)[:, None, None])
    tensor = torch.tensor(x, dtype=torch.float32)
    applied = amplitude.apply(tensor, 0)
    assert applied.dtype == torch.float32
    np.testing.assert_allclose(applied.numpy(), amplitude.apply(x, 0), atol=1e-5)
    assert amplitude.apply(x.astype(np.float32), 1).dtype == np.float32
    # nothing to scale in a sample of one value
    np.testing.assert_allclose(amplitude.apply(np.full((1, 3), 7.0), 0), np.full((1, 3), -1.0))


def test_amplitude_between_its_nodes():
    noise = NOISES["vp"]
    amplitude = oss.Amplitude(np.array([-2.0, 0.0, 2.0]), np.array([-1.0, -3.0, -4.0]), np.array([1.0, 2.0, 5.0]))
    schedule = hso.Schedule.from_nodes(noise, noise.t([-2.5, -1.0, 1.0]))
    at = amplitude.at(schedule)
    np.testing.assert_allclose(at.low, [-1.0, -2.0, -3.5])
    np.testing.assert_allclose(at.high, [1.0, 1.5, 3.5])


def test_a_scheduler_takes_it(mixture):
    schedule = oss.search(mixture, mixture.noise, nfe=5, shape=(64,), count=4, teacher_steps=20)
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = hso.diffusers.apply(DPMSolverMultistepScheduler(**betas), schedule)
    scheduler.set_timesteps(schedule.steps)
    assert len(scheduler.timesteps) == 5
    np.testing.assert_allclose(scheduler.sigmas[:-1], schedule.sigmas[:-1], rtol=2e-3)


def test_a_network_that_gives_nan_or_a_wrong_shape():
    noise = NOISES["vp"]
    options = {"nfe": 2, "shape": (3,), "count": 2, "teacher_steps": 5}
    with pytest.raises(ValueError, match="NaN"):
        oss.search(lambda x, lam: x * math.nan, noise, **options)
    with pytest.raises(ValueError, match=r"shape \(2, 3\), got \(2, 2\)"):
        oss.search(lambda x, lam: x[:, :2], noise, **options)
    with pytest.raises(ValueError, match="overflow within 1 steps"):
        oss.search(lambda x, lam: x * 0.0 + 1e170 * lam, noise, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nfe": 0}, "nfe must be in"),
        ({"nfe": 6}, r"nfe must be in 1\.\.5"),
        ({"nfe": 2.5}, "nfe must be an integer"),
        ({"nfe": []}, "nfe must not be an empty list"),
        ({"nfe": [2, 0]}, "nfe must be in"),
        ({"count": 0}, "count must be in"),
        ({"teacher_steps": 0}, "teacher_steps must be in"),
        ({"teacher_steps": 5.5}, "teacher_steps must be an integer"),
        ({"order": 0}, r"order must be in 1\.\.4"),
        ({"order": 5}, r"order must be in 1\.\.4"),
        ({"combine": "mean"}, "combine must be one of 'median', 'mean_error'"),
        ({"metric": "lpips"}, "metric must be one of 'state', 'x0'"),
        ({"terminal": "skip"}, "terminal must be one of 'zero', 't_min'"),
        ({"combine": "mean_error", "batch": 2}, "combine must be 'median' or None, or batch larger"),
        ({"shape": None}, "shape must be given"),
        ({"teacher_steps": hso.schedules.uniform_t(NOISES["flow"], 9)}, "of the same noise schedule"),
        ({"teacher_steps": hso.schedules.uniform_t(NOISES["vp"], 9, terminal="t_min")}, "terminal 'zero', got 't_min'"),
    ],
)
def test_bad_arguments(options, message):
    given = {"nfe": 2, "shape": (3,), "count": 3, "teacher_steps": 5} | options
    with pytest.raises(ValueError, match=message):
        oss.search(Gaussian(NOISES["vp"], [1.0, 1.0, 1.0]), NOISES["vp"], **given)


def test_bad_amplitudes():
    amplitude = oss.Amplitude(np.array([0.0]), np.array([-1.0]), np.array([1.0]))
    with pytest.raises(ValueError, match=r"node must be in 0\.\.0"):
        amplitude.apply(np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match="form must be one of"):
        amplitude.apply(np.ones((1, 3)), 0, form="gain")
    with pytest.raises(ValueError, match="x must have shape"):
        amplitude.apply(np.ones(3), 0)
