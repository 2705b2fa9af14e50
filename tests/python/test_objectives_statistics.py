"""Statistics of exact denoisers, and the schedules from them, against closed forms of Gaussian data."""

import itertools

import numpy as np
import pytest

import hso
from hso.network import CallableNetwork
from hso.objectives import Statistics, entropic, klub, measure, score_optimal
from mixture import GaussianMixture
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
EDM = hso.NoiseSchedule.edm()
FAMILIES = {"vp": SD, "flow": FLOW, "edm": EDM}
STD = 0.5


def gaussian_denoiser(noise, mean=0.0):
    def denoise(x, lam):
        s, y = np.exp(-lam), x / noise.alpha(lam)
        return mean + STD**2 / (STD**2 + s**2) * (y - mean)

    return denoise


def exact(low=-14.0, high=14.0, levels=400):
    """Statistics of N(0, STD^2) in closed form: score = -y / (c^2 + s^2)."""
    lambdas = np.linspace(low, high, levels)
    s2 = np.exp(-2.0 * lambdas)
    wide = STD**2 + s2
    return Statistics(lambdas, STD**2 * s2 / wide, 4.0 * (s2 / wide) ** 3)


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("given", [True, False])
def test_measured_statistics_of_gaussian_data(noise, given):
    rng = np.random.default_rng(0)
    data = STD * rng.standard_normal((4000, 4, 4)) if given else None
    network = CallableNetwork(gaussian_denoiser(noise), noise, shape=(4, 4))
    lambdas = np.linspace(max(-3.0, noise.lambda_range[0]), 3.0, 12)
    found = measure(network, data=data, count=500, lambdas=lambdas, teacher=128)
    expected = exact(lambdas[0], 3.0, 12)
    np.testing.assert_allclose(found.mmse, expected.mmse, rtol=0.06)
    # differences over 0.1 in lambda are this far from derivatives
    np.testing.assert_allclose(found.fisher, expected.fisher, rtol=0.25)
    assert found.evaluations == network.evaluations == 500 * (24 + (1 if given else 128))


def test_statistics_do_not_depend_on_how_the_batch_is_cut():
    whole, cut = (
        measure(CallableNetwork(gaussian_denoiser(SD), SD, shape=(5,), batch=batch), count=20, seed=3, teacher=6)
        for batch in (None, 7)
    )
    np.testing.assert_allclose(whole.mmse, cut.mmse, rtol=1e-12)
    np.testing.assert_allclose(whole.fisher, cut.fisher, rtol=1e-12)
    other = measure(CallableNetwork(gaussian_denoiser(SD), SD, shape=(5,)), count=20, seed=4, teacher=6)
    assert not np.allclose(whole.mmse, other.mmse)
    np.testing.assert_allclose((whole.lambdas[0], whole.lambdas[-1]), SD.lambda_range)


def test_what_a_denoiser_changes_is_what_its_mmse_loses():
    """E||D(y_s) - D(y_b)||^2 = mmse(b) - mmse(s), which KLUB is made of: D(y_b) is the mean of D(y_s) given y_b."""
    rng = np.random.default_rng(1)
    shapes = rng.standard_normal((5, 3, 3))
    mixture = GaussianMixture(
        np.array([0.1, 0.2, 0.3, 0.25, 0.15]),
        2.0 * rng.standard_normal((5, 3)),
        0.2 * np.einsum("kij,klj->kil", shapes, shapes) + 0.05 * np.eye(3),
    )
    x0 = mixture.sample(40_000, rng)
    for s, b in [(0.2, 0.5), (0.5, 3.0), (1.0, 1.2)]:
        y = x0 + s * rng.standard_normal(x0.shape)
        noisier = y + np.sqrt(b**2 - s**2) * rng.standard_normal(x0.shape)
        near, far = mixture.denoise(y, 1.0, s), mixture.denoise(noisier, 1.0, b)
        change = np.sum((near - far) ** 2, axis=1)
        loss = np.sum((x0 - far) ** 2, axis=1) - np.sum((x0 - near) ** 2, axis=1)
        error = (change - loss).std() / np.sqrt(len(x0))
        assert abs((change - loss).mean()) < 4.0 * error
        assert error < 0.02 * change.mean()


def test_klub_has_the_optimum_that_its_paper_states():
    ends = {"t_min": float(SD.t(2.0)), "t_max": float(SD.t(-2.5))}
    found = klub(exact(), SD, 5, terminal="t_min", grid=3000, **ends)
    s = found.sigmas
    left = STD**2 / s[1:-1] ** 2
    right = np.sqrt((s[2:] ** 2 + STD**2) * (s[:-2] ** 2 + STD**2)) / (s[2:] * s[:-2]) - 1.0
    np.testing.assert_allclose(left, right, rtol=0.01)
    # as exactly as the grid allows: no neighbouring grid node is better
    cost = [klub_cost(s)]
    for i in range(1, 5):
        for factor in (0.997, 1.003):
            moved = s.copy()
            moved[i] *= factor
            cost.append(klub_cost(moved))
    assert cost[0] == min(cost)


def klub_cost(s):
    """The bound of N(0, STD^2) but for a constant."""
    a, b = s[1:] ** 2, s[:-1] ** 2
    return np.sum((b - a) / ((STD**2 + b) * a))


def test_klub_with_few_grid_nodes_is_brute_force():
    low, high = -2.5, 2.0
    ends = {"t_min": float(SD.t(high)), "t_max": float(SD.t(low))}
    lam = np.linspace(low, high, 14)
    found = klub(exact(), SD, 4, terminal="t_min", grid=14, **ends)
    best = min(itertools.combinations(range(1, 13), 3), key=lambda c: klub_cost(np.exp(-lam[[0, *c, 13]])))
    np.testing.assert_allclose(found.lambdas, lam[[0, *best, 13]], atol=1e-9)
    zero = klub(exact(), SD, 4, grid=14, **ends)
    np.testing.assert_array_equal(zero.lambdas[:4], found.lambdas[:4])
    assert zero.sigmas[4] == 0.0


def test_entropic_is_klubs_limit_and_rescaled_the_tan_law():
    ends = {"t_min": float(SD.t(2.0)), "t_max": float(SD.t(-2.5)), "terminal": "t_min"}
    many = klub(exact(), SD, 60, grid=4000, **ends)
    np.testing.assert_allclose(entropic(exact(), SD, 60, **ends).lambdas, many.lambdas, atol=0.03)
    for terminal in ("zero", "t_min"):
        rescaled = entropic(exact(), SD, 7, rescaled=True, terminal=terminal)
        expected = hso.schedules.kl_optimal(SD, 7, data_std=STD, terminal=terminal)
        np.testing.assert_allclose(rescaled.lambdas, expected.lambdas, atol=1e-4)
    # mmse / s^3 integrates to log(s^2 / (c^2 + s^2)) / 2
    levels = entropic(exact(), SD, 5, terminal="t_min").sigmas ** 2
    np.testing.assert_allclose(np.diff(np.log(levels / (levels + STD**2)), n=2), 0.0, atol=1e-4)


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_score_optimal_steps_are_equally_long(noise, terminal):
    """sqrt(fisher) = 2 s^2 (c^2 + s^2)^(-3/2) ds, whose integral is 2 (arsinh(s/c) - s / sqrt(c^2 + s^2))."""
    found = score_optimal(exact(), noise, 6, terminal=terminal)
    s = np.exp(-found.lambdas[: 6 + (terminal == "t_min")])
    length = 2.0 * (np.arcsinh(s / STD) - s / np.hypot(s, STD))
    np.testing.assert_allclose(np.diff(length), (length[-1] - length[0]) / (len(s) - 1), rtol=3e-3)
    assert (found.search, found.nfe) == ("score_optimal", 6)


@pytest.mark.parametrize("method", [klub, entropic, score_optimal])
@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_several_counts_are_the_single_ones(method, noise, terminal):
    many = method(exact(), noise, [6, 1, 3], terminal=terminal)
    assert many == [method(exact(), noise, n, terminal=terminal) for n in (6, 1, 3)]
    for schedule in many:
        assert schedule.search == method.__name__
        assert schedule.lambdas[0] == pytest.approx(noise.lambda_range[0])
        assert np.isinf(schedule.lambdas[-1]) == (terminal == "zero")


@pytest.mark.parametrize("method", [klub, entropic, score_optimal])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nfe": 0}, "nfe must be in 1"),
        ({"nfe": 2.5}, "nfe must be an integer"),
        ({"terminal": "skip"}, "terminal must be one of"),
        ({"t_min": 0.5, "t_max": 0.4}, "t_min must be below"),
        ({"statistics": exact(-1.0, 1.0)}, r"statistics must reach from lambda = -2\.68.* got -1\.\.1"),
    ],
)
def test_bad_arguments(method, options, message):
    arguments = {"statistics": exact(), "nfe": 4, **options}
    with pytest.raises(ValueError, match=message):
        method(arguments.pop("statistics"), SD, arguments.pop("nfe"), **arguments)


def test_bad_arguments_of_one_method():
    with pytest.raises(ValueError, match="grid must be in 2"):
        klub(exact(), SD, 4, grid=1)
    with pytest.raises(ValueError, match="nfe must be below grid = 5, got 5"):
        klub(exact(), SD, [1, 5], grid=5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([0.0], [1.0], [1.0]), "lambdas must be 2 or more"),
        (([1.0, 0.0], [1.0, 1.0], [1.0, 1.0]), "lambdas must be 2 or more"),
        (([0.0, 1.0], [1.0], [1.0, 1.0]), "mmse must be positive"),
        (([0.0, 1.0], [1.0, 0.0], [1.0, 1.0]), "mmse must be positive"),
        (([0.0, 1.0], [1.0, 1.0], [1.0]), "fisher must be positive"),
        (([0.0, 1.0], [1.0, 1.0], [1.0, -1.0]), "fisher must be positive"),
    ],
)
def test_statistics_that_make_no_sense(values, message):
    with pytest.raises(ValueError, match=message):
        Statistics(*values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be in 1"),
        ({"seed": -1}, "seed must be in 0"),
        ({"lambdas": [0.0]}, "lambdas must be 2 or more"),
        ({"lambdas": [0.0, 9.0]}, "lambdas must be 2 or more"),
        ({"lambdas": [1.0, 0.0]}, "lambdas must be 2 or more"),
        ({"data": np.zeros((3, 4))}, r"data must have shape \(m, 5\), got \(3, 4\)"),
        ({"data": np.zeros(5)}, "data must be finite, of shape"),
        ({"data": np.full((2, 5), np.nan)}, "data must be finite"),
        ({"teacher": 3}, "must be in 4"),
    ],
)
def test_bad_measurements(options, message):
    network = CallableNetwork(gaussian_denoiser(SD), SD, shape=(5,))
    with pytest.raises(ValueError, match=message):
        measure(network, **{"count": 2, **options})
