"""The SciPy reference of bench/python agrees with reference numbers, quadrature and differences."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

integrate = pytest.importorskip("scipy.integrate")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "python"))
objectives = importlib.import_module("reference_objectives")
lower = importlib.import_module("reference_lower")
searches = importlib.import_module("scipy_reference")

GOLDEN = json.loads((HERE / "data" / "golden.json").read_text(encoding="utf-8"))["tables"]
ORACLE = json.loads((HERE / "data" / "oracle.json").read_text(encoding="utf-8"))["tables"]
TABLES = sorted(GOLDEN)
Array = npt.NDArray[np.float64]


@pytest.fixture(params=TABLES)
def name(request: pytest.FixtureRequest) -> str:
    """Name one of the three reference tables."""
    return str(request.param)


@pytest.fixture
def table(name: str) -> Any:
    return objectives.VpTable.named(name)


def random_lambdas(table: Any, steps: int, seed: int) -> Array:
    """Draw steps + 1 rising lambdas at t in [0.001, 1]."""
    t = np.random.default_rng(seed).uniform(0.001, 1, steps + 1)
    return np.asarray(table.lam(np.sort(t)[::-1]))


def central_difference(function: Any, lam: Array, step: float = 1e-6) -> Array:
    moves = step * np.eye(lam.size)
    return np.array([(function(lam + m) - function(lam - m)) / (2 * step) for m in moves])


def test_table_matches_reference_points(name: str, table: Any) -> None:
    for point in GOLDEN[name]["points"]:
        assert table.lam(point["t"]) == pytest.approx(point["lam"], abs=1e-13)
        assert table.t(point["lam"]) == pytest.approx(point["t"], abs=1e-13)


def test_table_slope_is_the_derivative_of_lambda(table: Any) -> None:
    t = np.linspace(0.0015, 0.9995, 999)  # the middles of the table's cells
    difference = (table.lam(t + 1e-7) - table.lam(t - 1e-7)) / 2e-7
    np.testing.assert_allclose(table.slope(t), difference, rtol=1e-7)


def test_flow_is_its_own_inverse_and_slope() -> None:
    flow = objectives.Flow()
    t = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(flow.t(flow.lam(t)), t, rtol=1e-14)
    difference = (flow.lam(t + 1e-6) - flow.lam(t - 1e-6)) / 2e-6
    np.testing.assert_allclose(flow.slope(t), difference, rtol=1e-7)


def test_mep_matches_reference(name: str) -> None:
    for case in GOLDEN[name]["mep"]:
        vp = objectives.mep(case["lam"], case["p"])
        flow = objectives.mep(case["lam"], case["p"], "flow")
        assert vp == pytest.approx(case["value"], rel=1e-12)
        assert flow == pytest.approx(case["value_flow_family_same_lam"], rel=1e-12)


def test_spf_matches_reference(name: str, table: Any) -> None:
    for case in GOLDEN[name]["spf"]:
        t = np.array(case["t"])
        value = objectives.spf(table.lam(t), t, case["nfe"], case["gamma"], case["p"])
        assert value == pytest.approx(case["spf"], rel=1e-9)
        assert objectives.d_min(case["nfe"]) == pytest.approx(case["d_min"], rel=1e-15)


@pytest.mark.parametrize(("nfe", "expected"), [(1, 0.15), (4, 0.15), (20, 0.01), (50, 0.01)])
def test_d_min_is_clamped(nfe: int, expected: float) -> None:
    assert objectives.d_min(nfe) == pytest.approx(expected, rel=1e-15)


def test_karras_start_is_linear_in_the_root_of_sigma(table: Any) -> None:
    lam = objectives.karras_start(table, 6, 7.0, 0.01, 0.99)
    steps = np.diff(np.exp(-lam / 7.0))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-12)
    np.testing.assert_array_equal(lam[[0, -1]], table.lam(np.array([0.99, 0.01])))


@pytest.mark.parametrize("rho", [3.0, 16.0])
def test_slsqp_finds_reference_minima_from_either_end_of_rho(name: str, table: Any, rho: float) -> None:
    for case in GOLDEN[name]["local_minimum_fixed_ends"]:
        problem = lower.Problem(table, "mep", float(case["p"]))
        start = objectives.karras_start(table, case["intervals"], rho, case["t_min"], case["t_max"])
        found = lower.lower_search(problem, start, "slsqp")
        assert problem.value(found) == pytest.approx(case["mep"], rel=1e-8)
        np.testing.assert_allclose(table.t(found), case["t"], atol=2e-5)


@pytest.mark.parametrize("family", ["vp", "flow"])
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5])
def test_mep_gradient_is_the_difference_quotient(family: str, p: float) -> None:
    lam = random_lambdas(objectives.VpTable.named("sd_scaled_linear"), 6, 1)
    gradient = objectives.mep_gradient(lam, p, family)
    difference = central_difference(lambda x: objectives.mep(x, p, family), lam)
    np.testing.assert_allclose(gradient, difference, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8])
def test_dm_nonuni_gradient_is_the_difference_quotient(steps: int) -> None:
    spread = random_lambdas(objectives.VpTable.named("sd_scaled_linear"), steps, 2)
    lam = 0.5 * spread + 0.5 * np.linspace(spread[0], spread[-1], steps + 1)
    difference = central_difference(objectives.dm_nonuni, lam)
    scale = np.abs(difference).max()
    np.testing.assert_allclose(objectives.dm_nonuni_gradient(lam), difference, rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 20])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_step_weights_match_quadrature(table: Any, steps: int, scale: float) -> None:
    lam = scale * random_lambdas(table, steps, steps)
    for s, weights in enumerate(objectives.step_weights(lam)):
        nodes = lam[s - np.arange(weights.size)]
        for j, weight in enumerate(weights):
            others = np.delete(nodes, j)
            left, right = lam[s], lam[s + 1]
            # In units of the step, so that a short one is integrated as well as a long one.
            exact, _ = integrate.quad(
                lambda u, left=left, right=right, node=nodes[j], others=others: (
                    np.exp(left + u * (right - left)) * np.prod((left + u * (right - left) - others) / (node - others))
                ),
                0,
                1,
                epsabs=0,
                epsrel=1e-12,
            )
            assert weight == pytest.approx(exact * (right - left), rel=1e-9)


def test_step_orders() -> None:
    orders = {n: [objectives.step_order(s, n) for s in range(n)] for n in (1, 2, 3, 4, 5, 8)}
    assert orders == {
        1: [1],
        2: [1, 1],
        3: [1, 2, 1],
        4: [1, 2, 2, 1],
        5: [1, 2, 3, 2, 1],
        8: [1, 2, 3, 3, 3, 3, 2, 1],
    }


def test_dm_nonuni_of_one_and_two_steps_is_the_exponential_sum(table: Any) -> None:
    for steps in (1, 2):
        lam = random_lambdas(table, steps, 3)
        expected = np.sum(objectives.proxy(lam[:-1]) * np.diff(np.exp(lam)))
        assert objectives.dm_nonuni(lam) == pytest.approx(expected, rel=1e-13)


def test_dm_nonuni_adds_signed_weights_per_node_beyond_seven_steps(table: Any) -> None:
    lam = random_lambdas(table, 8, 4)
    eps, weights = objectives.proxy(lam[:-1]), objectives.step_weights(lam)
    signed = {i: sum(w[s - i] for s, w in enumerate(weights[1:-1], start=1) if 0 <= s - i < w.size) for i in range(7)}
    expected = eps[0] * weights[0][0] + eps[7] * weights[7][0]
    expected += sum(eps[i] * abs(w) for i, w in signed.items())
    assert objectives.dm_nonuni(lam) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("objective", ["mep", "dm_nonuni"])
def test_problem_sorts_nodes_and_refuses_collisions(objective: str) -> None:
    problem = lower.Problem(objectives.VpTable.named("sd_scaled_linear"), objective, 2.0)
    lam = np.array([-2.0, 0.5, -0.7, 1.5])
    order = np.argsort(lam)
    assert problem.value(lam) == problem.value(lam[order])
    np.testing.assert_array_equal(problem.gradient(lam)[order], problem.gradient(lam[order]))
    assert problem.value(np.array([-2.0, 0.5, 0.5, 1.5])) == objectives.COLLISION


def test_published_search_finds_known_ddim_indices() -> None:
    for name, expected in (
        ("sd_scaled_linear", [959, 708, 376, 29]),
        ("hso_code_linear", [959, 685, 343, 29]),
    ):
        noise = objectives.VpTable.named(name)
        assert searches.published_search(noise, 4, "ddim", lower="slsqp").indices == expected


@pytest.mark.parametrize("nfe", [4, 6, 10])
def test_constrained_search_finds_reference_optimum(nfe: int) -> None:
    cases = GOLDEN["sd_scaled_linear"]["constrained_optimum"]
    expected = next(case for case in cases if case["nfe"] == nfe)
    noise = objectives.VpTable.named("sd_scaled_linear")
    result = searches.constrained_search(noise, nfe)
    assert result.fitness == pytest.approx(expected["F"], rel=1e-6)
    assert np.diff(-result.t).min() >= objectives.d_min(nfe) - 1e-7


def test_dm_nonuni_schedule_ends_where_it_must(table: Any) -> None:
    result = searches.dm_nonuni_schedule(table, 4)
    np.testing.assert_allclose(result.t[[0, -1]], [1, 1e-3], rtol=1e-12)
    gradient = objectives.dm_nonuni_gradient(result.lambdas)[1:-1]
    assert np.abs(gradient).max() < 1e-4 * result.objective


def test_oracle_values_are_those_of_this_code(name: str, table: Any) -> None:
    for case in ORACLE[name]["dm_nonuni"]:
        lam = np.array(case["lam"])
        assert objectives.dm_nonuni(lam) == pytest.approx(case["value"], rel=1e-11)
        gradient = objectives.dm_nonuni_gradient(lam)
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(gradient, case["gradient"], rtol=1e-9, atol=1e-10 * scale)
    for case in ORACLE[name]["dm_nonuni_schedule"]:
        value = objectives.dm_nonuni(np.array(case["lam"]))
        assert value == pytest.approx(case["objective"], rel=1e-11)
    for case in ORACLE[name].get("published_search", []):
        lam = np.array(case["lam"])
        assert objectives.mep(lam) == pytest.approx(case["objective"], rel=1e-12)
        fitness = objectives.spf(lam, table.t(lam), case["nfe"])
        assert fitness == pytest.approx(case["fitness"], rel=1e-9)
