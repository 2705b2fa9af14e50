"""The spectral objective against real solvers on Gaussian data, and its closed forms."""

import numpy as np
import pytest

import hso
import reference_solvers as reference
from gaussian_model import GaussianModel
from hso.objectives import power_spectrum, predicted_gain, spectral, transfer
from hso.objectives._newton import minimize
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
EDM = hso.NoiseSchedule.edm()
FAMILIES = {"vp": SD, "flow": FLOW, "edm": EDM}
VARIANCES = 4.0 * np.arange(1.0, 17.0) ** -1.3


def levels(noise, schedule):
    lam = schedule.lambdas[np.isfinite(schedule.lambdas)]
    alpha, sigma = np.asarray(noise.alpha(lam)), np.asarray(noise.sigma(lam))
    if schedule.terminal == "zero":
        alpha, sigma = np.append(alpha, 1.0), np.append(sigma, 0.0)
    return reference.Levels(alpha, sigma)


def sampled(noise, schedule, solver, eps, mean=0.0):
    """A real solver run from pure noise."""
    given = levels(noise, schedule)
    predict = reference.Gaussian(np.full_like(VARIANCES, mean), VARIANCES).predictor(given)
    x = schedule.gain * eps * (given.sigma[0] if noise.family == "ve" else 1.0)
    if solver == "ddim":
        return reference.ddim(given, predict, x)
    ends = schedule.steps < 15 or schedule.terminal == "zero"
    return reference.dpm_solver_pp(given, predict, x, order=2, first_order_end=ends)


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("solver", ["ddim", "dpm-solver++"])
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("nfe", [1, 2, 6, 16])
def test_transfer_is_what_a_real_solver_does(noise, solver, terminal, nfe):
    schedule = hso.schedules.uniform_lambda(noise, nfe, terminal=terminal).with_gain(1.25)
    eps = np.random.default_rng(0).standard_normal((5, VARIANCES.size))
    gains = transfer(noise, schedule, VARIANCES, solver)
    np.testing.assert_allclose(gains * eps, sampled(noise, schedule, solver, eps), rtol=1e-10, atol=1e-10)


def test_ddim_shrinks_by_the_cosines():
    schedule = hso.schedules.karras(EDM, 5)
    theta = np.arctan2(schedule.sigmas[:, None], np.sqrt(VARIANCES))
    shrunk = np.prod(np.cos(np.diff(theta, axis=0)), axis=0)
    start = EDM.sigma(EDM.lambda_range[0])
    expected = np.sqrt(VARIANCES) * shrunk * start / np.hypot(start, np.sqrt(VARIANCES))
    np.testing.assert_allclose(transfer(EDM, schedule, VARIANCES), expected, rtol=1e-12)


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("distance", ["kl", "w2"])
@pytest.mark.parametrize("nfe", [1, 2, 5, 10])
def test_one_eigenvalue_gives_the_tan_law(noise, distance, nfe):
    t_min, t_max = (float(noise.t(lam)) for lam in (3.0, -2.5))
    options = {"terminal": "t_min", "t_min": t_min, "t_max": t_max}
    found = spectral(noise, nfe, [0.25], distance=distance, **options)
    expected = hso.schedules.kl_optimal(noise, nfe, data_std=0.5, **options)
    np.testing.assert_allclose(found.lambdas, expected.lambdas, atol=1e-6)
    assert found.search == "spectral"


def test_to_sigma_zero_the_angle_is_even_down_to_zero():
    found = spectral(SD, 6, [0.09], distance="kl")
    angles = np.arctan2(np.exp(-found.lambdas), 0.3)
    np.testing.assert_allclose(np.diff(angles), -angles[0] / 6, atol=1e-6)


def w2(noise, schedule, solver, mean_energy=0.0):
    gains = transfer(noise, schedule, VARIANCES, solver)
    start = 1.0 if noise.family == "ve" else 1.0 / float(noise.alpha(float(schedule.lambdas[0])))
    first = np.exp(-schedule.lambdas[0]) if noise.family == "ve" else 1.0
    missed = mean_energy * (gains / (start * first)) ** 2
    return float(np.sum((np.abs(gains) - np.sqrt(VARIANCES)) ** 2 + missed))


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("solver", ["ddim", "dpm-solver++"])
def test_no_neighbour_is_nearer_to_the_data(noise, solver):
    energy = 0.5 / VARIANCES.size
    rng = np.random.default_rng(1)
    for found in spectral(noise, [2, 4, 7], VARIANCES, solver=solver, mean_energy=0.5):
        least = w2(noise, found, solver, energy)
        t = found.t[: found.nfe]
        for _ in range(100):
            lam = found.lambdas[: found.nfe].copy()
            lam[1:] += rng.normal(0.0, 10.0 ** rng.uniform(-4, -1), found.nfe - 1)
            lam = np.clip(lam, *noise.lambda_range)
            # the search keeps a quarter of the gaps that it starts from, so that 2M's nodes do not merge
            if np.all(np.diff(lam) > np.minimum(np.diff(found.lambdas[: found.nfe]), 0.3) - 1e-12):
                other = hso.Schedule.from_nodes(noise, np.append(t[0], np.asarray(noise.t(lam[1:]))))
                assert w2(noise, other, solver, energy) >= least * (1.0 - 1e-5)


@pytest.mark.parametrize("solver", ["ddim", "dpm-solver++"])
def test_nearer_than_other_schedules(solver):
    found = spectral(SD, 5, VARIANCES, solver=solver)
    others = [hso.optimize(SD, 5), hso.schedules.uniform_t(SD, 5), hso.schedules.kl_optimal(SD, 5)]
    assert w2(SD, found, solver) < min(w2(SD, other, solver) for other in others)


def test_brute_force_of_two_free_nodes():
    found = spectral(SD, 3, VARIANCES, distance="w2")
    lam = np.linspace(-2.6, 2.0, 120)
    start = SD.lambda_range[0]
    best = min(
        w2(SD, hso.Schedule.from_nodes(SD, np.asarray(SD.t(np.array([start, a, b])))), "ddim")
        for i, a in enumerate(lam)
        for b in lam[i + 1 :]
    )
    assert best * (1.0 - 5e-3) <= w2(SD, found, "ddim") <= best


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_multiplicity_counts_directions(terminal):
    twice = spectral(SD, 4, [2.0, 0.1, 0.1, 0.1], terminal=terminal)
    counted = spectral(SD, 4, [2.0, 0.1], multiplicity=[1, 3], terminal=terminal)
    np.testing.assert_allclose(twice.lambdas, counted.lambdas, atol=1e-6)
    assert spectral(SD, [4, 2], [2.0, 0.1], terminal=terminal) == [
        spectral(SD, n, [2.0, 0.1], terminal=terminal) for n in (4, 2)
    ]


def test_a_mean_far_off_asks_for_more_early_steps():
    near, far = (spectral(SD, 4, VARIANCES, mean_energy=e) for e in (0.0, 1e3))
    assert far.lambdas[1] != pytest.approx(near.lambdas[1], abs=1e-3)
    spread = np.full(VARIANCES.size, 1e3 / VARIANCES.size)
    assert spectral(SD, 4, VARIANCES, mean_energy=spread) == far


def test_a_last_node_at_the_limit_stays_there():
    found = spectral(SD, 4, [1e-8], distance="kl", t_min=0.2)
    assert found.t[3] == pytest.approx(0.2, abs=1e-6)
    np.testing.assert_array_less(found.t[1:4], found.t[:3])


@pytest.mark.parametrize("minimize", ["w2", "rmse"])
@pytest.mark.parametrize("solver", ["ddim", "dpm-solver++"])
def test_the_gain_is_the_best_one(minimize, solver):
    schedule = hso.schedules.uniform_t(SD, 4)
    gain = predicted_gain(SD, schedule, VARIANCES, solver=solver, minimize=minimize)
    model = GaussianModel(SD, VARIANCES)
    eps = np.random.default_rng(2).standard_normal((4000, VARIANCES.size))

    def error(candidate):
        x = sampled(SD, schedule.with_gain(candidate), solver, eps)
        if minimize == "w2":
            return np.sum((x.std(axis=0) - np.sqrt(VARIANCES) * eps.std(axis=0)) ** 2)
        return np.sum((x - model.solution(eps)) ** 2)

    assert gain > 1.0
    assert error(gain) < min(error(0.98 * gain), error(1.02 * gain), error(1.0))
    assert predicted_gain(SD, schedule.with_gain(3.0), VARIANCES, solver=solver, minimize=minimize) == gain


def test_one_direction_is_undone_by_one_over_the_cosines():
    schedule = hso.schedules.uniform_lambda(EDM, 3)
    theta = np.arctan2(schedule.sigmas, 1.5)
    expected = 1.0 / np.prod(np.cos(np.diff(theta)))
    assert predicted_gain(EDM, schedule, [2.25], minimize="rmse") == pytest.approx(expected, rel=1e-12)
    ended = hso.schedules.uniform_lambda(EDM, 3, terminal="t_min")
    cosines = np.prod(np.cos(np.diff(np.arctan2(ended.sigmas, 1.5))))
    assert predicted_gain(EDM, ended, [2.25], minimize="rmse") == pytest.approx(1.0 / cosines, rel=1e-12)
    counted = predicted_gain(SD, hso.schedules.uniform_t(SD, 3), [4.0, 0.1], multiplicity=[1, 2])
    assert counted == pytest.approx(predicted_gain(SD, hso.schedules.uniform_t(SD, 3), [4.0, 0.1, 0.1]))


def test_the_spectrum_of_flat_samples_is_their_covariances():
    rng = np.random.default_rng(3)
    samples = rng.standard_normal((500, 6)) @ rng.standard_normal((6, 6)) + 3.0
    variances, multiplicity = power_spectrum(samples)
    np.testing.assert_allclose(variances, np.linalg.eigvalsh(np.cov(samples.T))[::-1], rtol=1e-10)
    np.testing.assert_array_equal(multiplicity, np.ones(6))


@pytest.mark.parametrize("shape", [(400, 8, 8), (200, 3, 8, 6), (300, 1, 7, 7)])
def test_the_spectrum_of_images_has_all_their_variance(shape):
    samples = np.random.default_rng(4).standard_normal(shape)
    variances, multiplicity = power_spectrum(samples)
    assert multiplicity.sum() == np.prod(shape[1:])
    total = samples.var(axis=0, ddof=1).sum()
    assert np.sum(variances * multiplicity) == pytest.approx(total, rel=1e-10)
    np.testing.assert_allclose(variances[multiplicity > 20], 1.0, rtol=0.1)
    assert np.all(np.diff(variances) <= 0.0)


def test_smooth_images_have_their_power_at_low_frequencies():
    rng = np.random.default_rng(5)
    smooth = rng.standard_normal((200, 1, 1)) + 0.01 * rng.standard_normal((200, 8, 8))
    variances, multiplicity = power_spectrum(smooth)
    assert variances[0] == pytest.approx(64.0, rel=0.3)
    assert (multiplicity[0], variances[1] < 1e-3) == (1, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nfe": 0}, "nfe must be in 1"),
        ({"eigenvalues": [0.0, 0.0]}, "eigenvalues must be finite and at least 0"),
        ({"eigenvalues": [-1.0, 1.0]}, "eigenvalues must be finite"),
        ({"eigenvalues": []}, "eigenvalues must be finite"),
        ({"eigenvalues": [0.0, 1.0], "distance": "kl"}, "eigenvalues must be above 0"),
        ({"multiplicity": [1.0]}, "multiplicity must be positive"),
        ({"multiplicity": [1.0, 0.0]}, "multiplicity must be positive"),
        ({"mean_energy": -1.0}, "mean_energy must be at least 0"),
        ({"mean_energy": [1.0]}, "mean_energy must be at least 0"),
        ({"solver": "heun"}, "solver must be one of"),
        ({"distance": "l1"}, "distance must be one of"),
        ({"terminal": "skip"}, "terminal must be one of"),
        ({"grid": 1}, "grid must be in 2"),
        ({"nfe": 9, "grid": 5}, "nfe must be at most 5 with grid = 5, got 9"),
        ({"t_max": 2.0}, "t_max must be within"),
    ],
)
def test_bad_arguments(options, message):
    arguments = {"nfe": 4, "eigenvalues": [1.0, 2.0], **options}
    with pytest.raises(ValueError, match=message):
        spectral(SD, arguments.pop("nfe"), arguments.pop("eigenvalues"), **arguments)


def test_schedules_and_samples_that_make_no_sense():
    schedule = hso.schedules.uniform_t(SD, 4)
    with pytest.raises(ValueError, match="schedule must be of the noise schedule"):
        transfer(FLOW, schedule, [1.0])
    with pytest.raises(ValueError, match="'zero' or 't_min', got 'skip'"):
        transfer(SD, hso.optimize(SD, 4, terminal="skip"), [1.0])
    with pytest.raises(ValueError, match="solver must be one of"):
        transfer(SD, schedule, [1.0], "euler")
    with pytest.raises(ValueError, match="minimize must be one of"):
        predicted_gain(SD, schedule, [1.0], minimize="mean")
    for samples in (np.zeros(4), np.zeros((1, 4)), np.zeros((2, 2, 2, 2, 2))):
        with pytest.raises(ValueError, match="samples must have shape"):
            power_spectrum(samples)
    with pytest.raises(ValueError, match="samples must be finite"):
        power_spectrum([[1.0, np.nan], [0.0, 0.0]])


def test_newtons_method_finds_minima_and_leaves_saddles():
    rng = np.random.default_rng(6)
    matrix = rng.standard_normal((5, 5))
    target = rng.standard_normal(5)

    def valley(rows):
        return np.sum(((rows - target) @ matrix) ** 2, axis=1) + np.sum((rows - target) ** 4, axis=1)

    np.testing.assert_allclose(minimize(valley, 3.0 * np.ones(5)), target, atol=1e-6)
    saddle = minimize(lambda rows: (rows[:, 0] ** 2 - 1.0) ** 2 + rows[:, 1] ** 2, np.array([0.01, 1.0]))
    np.testing.assert_allclose(saddle, [1.0, 0.0], atol=1e-8)
    assert minimize(lambda rows: np.ones(len(rows)), np.array([2.0]))[0] == 2.0
    wide = minimize(lambda rows: np.sum((rows - np.arange(20.0)) ** 2, axis=1), np.zeros(20))
    np.testing.assert_allclose(wide, np.arange(20.0), atol=1e-8)
