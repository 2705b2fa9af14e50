"""Schedules by one-step errors, on trajectories that Gaussian data have in closed form."""

import itertools

import numpy as np
import pytest

import hso
from hso.objectives import boss, gits, jump_costs, ve_jump
from hso.trajectories import Trajectories
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
EDM = hso.NoiseSchedule.edm()
FAMILIES = {"vp": SD, "flow": FLOW, "edm": EDM}
STD = np.array([2.0, 1.0, 0.5, 0.25])
MEAN = np.array([1.0, -0.5, 0.0, 0.25])


def first(noise, lam):
    """y = x / alpha where sampling starts for eps = 1."""
    return np.exp(-lam) if noise.family == "ve" else 1.0 / noise.alpha(lam)


def exact(noise, lambdas, eps):
    """States and predictions (m, n, d) on the ODE's solutions from eps at the first of `lambdas`."""
    s = np.exp(-np.asarray(lambdas))[:, None, None]
    wide = np.hypot(STD, s)
    states = MEAN + wide / wide[0] * (first(noise, lambdas[0]) * eps - MEAN)
    return states, MEAN + STD**2 / wide**2 * (states - MEAN)


def trajectories(noise, nodes=48, count=8, seed=0):
    lambdas = np.linspace(noise.lambda_range[0], min(noise.lambda_range[1], 5.0), nodes)
    eps = np.random.default_rng(seed).standard_normal((count, STD.size))
    states, x0 = exact(noise, lambdas, eps)
    return Trajectories(noise, lambdas, eps, x0, states)


def euler(noise, schedule, eps):
    """y at the end of `schedule`."""
    y = first(noise, schedule.lambdas[0]) * eps
    for s, after in itertools.pairwise(np.exp(-schedule.lambdas)):
        x0 = MEAN + STD**2 / (STD**2 + s**2) * (y - MEAN)
        y = after / s * y + (1.0 - after / s) * x0
    return y


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("coordinates", ["ve", "fm", "vp"])
@pytest.mark.parametrize("norm", ["mean", "rms", "squares"])
def test_costs_are_the_errors_of_a_step(noise, coordinates, norm):
    given = trajectories(noise, nodes=160)
    costs = jump_costs(given, coordinates=coordinates, norm=norm, grid=20)
    states, x0 = exact(noise, costs.lambdas, given.eps)
    s = np.append(np.exp(-costs.lambdas), 0.0)
    states = np.concatenate([states, given.x0[-1:]])
    scale = {"ve": 1.0, "fm": 1.0 + s, "vp": np.sqrt(1.0 + s**2)}[coordinates] * np.ones_like(s)

    def size(errors):
        r = np.sqrt(np.mean(errors**2, axis=1))
        return {"mean": r.mean(), "rms": np.sqrt((r**2).mean()), "squares": (r**2).mean()}[norm]

    # in flow the first state is 1e6 eps, and subtracting such numbers leaves this test 1e-9
    tolerance = {"rtol": 2e-3, "atol": 2e-5 if noise is not FLOW else 1e-4}
    for i in range(20):
        for j in range(i + 1, 21):
            jump = s[j] / s[i] * states[i] + (1.0 - s[j] / s[i]) * x0[i]
            np.testing.assert_allclose(costs.cost[i, j], size((jump - states[j]) / scale[j]), **tolerance)
        start = first(noise, costs.lambdas[i]) * given.eps - states[i]
        np.testing.assert_allclose(costs.start[i], size(start / scale[i]), **tolerance)
    assert costs.start[0] == pytest.approx(0.0, abs=1e-9)


def test_the_teachers_own_nodes_and_any_number_between_them():
    given = trajectories(SD, nodes=24)
    np.testing.assert_array_equal(jump_costs(given, grid=None).lambdas, given.lambdas)
    fine = jump_costs(given, grid=47)  # every other of these nodes is the teacher's
    np.testing.assert_allclose(fine.lambdas[::2], given.lambdas, atol=1e-12)
    inner = np.triu_indices(24, 1)
    every = np.append(np.arange(0, 47, 2), 47)
    coarse = jump_costs(given, grid=None)
    np.testing.assert_allclose(fine.cost[np.ix_(every, every)][inner], coarse.cost[inner], atol=1e-10)


def test_more_dimensions_than_nodes_and_float32():
    given = trajectories(SD, nodes=30)
    wide = Trajectories(
        SD,
        given.lambdas,
        np.tile(given.eps, 30).astype(np.float32),
        np.tile(given.x0, 30).astype(np.float32),
        np.tile(given.states, 30).astype(np.float32),
    )
    one, other = jump_costs(given, grid=40), jump_costs(wide, grid=40)
    inner = np.triu_indices(41, 1)
    np.testing.assert_allclose(other.cost[inner], one.cost[inner], atol=2e-5)
    np.testing.assert_allclose(other.start, one.start, atol=2e-5)


def best(costs, steps, zero, start=None, coefficient=1.0):
    """The cheapest of all chains."""
    points = len(costs.lambdas) + zero
    least, found = np.inf, None
    for nodes in itertools.combinations(range(points), steps + 1):
        if nodes[-1] != points - 1 or (start is None and nodes[0] != 0):
            continue
        total = 0.0
        for i, j in reversed(list(itertools.pairwise(nodes))):
            total = costs.cost[i, j] + coefficient * total
        total += 0.0 if start is None else start[nodes[0]]
        if total < least:
            least, found = total, nodes
    return costs.lambdas[list(found[:-1] if zero else found)]


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("start", ["fixed", "free"])
def test_brute_force(noise, terminal, start):
    given, zero = trajectories(noise), terminal == "zero"
    options = {"terminal": terminal, "start": start, "grid": 12}
    cases = {
        ve_jump: (jump_costs(given, norm="rms", grid=12), 1.0),
        gits: (jump_costs(given, norm="mean", grid=12), 1.15),
        boss: (jump_costs(given, coordinates="fm", norm="squares", grid=12), 1.0),
    }
    for method, (costs, coefficient) in cases.items():
        fees = costs.start if start == "free" else None
        for nfe in (1, 3, 4):
            s = method(given, nfe, **options)
            expected = best(costs, nfe, zero, fees, coefficient)
            np.testing.assert_allclose(s.lambdas[: len(expected)], expected, atol=1e-9)
            assert (s.nfe, s.terminal, s.search) == (nfe, terminal, method.__name__)
            assert np.isinf(s.lambdas[-1]) == zero


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("method", [ve_jump, gits, boss])
def test_one_sweep_serves_all_counts(method, terminal):
    given = trajectories(SD)
    many = method(given, [8, 2, 5], terminal=terminal)
    assert many == [method(given, n, terminal=terminal) for n in (8, 2, 5)]
    assert method(given, np.array([3]), terminal=terminal) == [method(given, 3, terminal=terminal)]
    assert method(given, []) == []


def test_gits_without_discount_is_ve_jump_and_with_it_refines_the_late_steps_or_the_early_ones():
    given = trajectories(SD)
    assert gits(given, 6, coefficient=1.0) == ve_jump(given, 6, norm="mean")
    late = [gits(given, 6, coefficient=c).lambdas[1:6].mean() for c in (0.8, 1.0, 1.3)]
    assert late[0] < late[1] < late[2]


def test_samples_come_out_nearer_than_from_uniform_schedules():
    given = trajectories(SD, count=256)
    schedule = ve_jump(given, 5)
    truth = given.x0[-1]

    def rmse(candidate):
        return float(np.sqrt(np.mean((euler(SD, candidate, given.eps) - truth) ** 2)))

    assert rmse(schedule) < min(rmse(hso.schedules.uniform_t(SD, 5)), rmse(hso.schedules.uniform_lambda(SD, 5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nfe": 0}, "nfe must be in 1"),
        ({"nfe": 4.0}, "nfe must be an integer"),
        ({"nfe": "4"}, "nfe must be an integer"),
        ({"nfe": [4, 60], "grid": 40}, "nfe must be at most 40 with 40 nodes, got 60"),
        ({"nfe": 40, "grid": 40, "terminal": "t_min"}, "nfe must be at most 39"),
        ({"terminal": "skip"}, "terminal must be one of 'zero', 't_min', got 'skip'"),
        ({"start": "any"}, "start must be one of"),
        ({"norm": "max"}, "norm must be one of"),
        ({"grid": 1}, "grid must be in 2"),
        ({"coefficient": 0.0}, "coefficient must be a positive"),
        ({"coefficient": np.nan}, "coefficient must be a positive"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        gits(trajectories(SD), **{"nfe": 4, **options})


def test_bad_coordinates():
    with pytest.raises(ValueError, match="coordinates must be one of"):
        jump_costs(trajectories(SD), coordinates="x")
