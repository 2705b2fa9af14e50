"""The ablations' schedules and shares, and the oracle, where the answer is known."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import hso
from gaussian_model import GaussianModel

pytest.importorskip("scipy")

ablation = importlib.import_module("ablation")
ablation_paper = importlib.import_module("ablation_paper")
nodes = importlib.import_module("nodes")
oracle = importlib.import_module("oracle")


@pytest.fixture(scope="module")
def noise() -> hso.NoiseSchedule:
    return hso.NoiseSchedule.preset("sd21")


# Ablation


def test_parts_of_a_schedule_that_ends_at_zero(noise: hso.NoiseSchedule) -> None:
    """Worked by hand: ends 0.97 and 0.02 against 1 and 1/4, nodes at 1/2 and 1/10 of the way against 2/3 and 1/3."""
    ours = hso.Schedule.from_nodes(noise, [0.97, 0.495, 0.115, 0.02])
    found = {name: schedule.t for name, schedule in ablation.components(noise, ours).items()}
    expected = {
        "hso": [0.97, 0.495, 0.115, 0.02, 0.0],
        "uniform ends": [1.0, 0.625, 0.325, 0.25, 0.0],
        "uniform interior": [0.97, 0.02 + 0.95 * 2 / 3, 0.02 + 0.95 / 3, 0.02, 0.0],
        "uniform": [1.0, 0.75, 0.5, 0.25, 0.0],
    }
    assert found.keys() == expected.keys()
    for name, t in expected.items():
        np.testing.assert_allclose(found[name], t, atol=1e-12, err_msg=name)


def test_parts_of_a_schedule_that_stops_at_t_min(noise: hso.NoiseSchedule) -> None:
    ours = hso.optimize(noise, 5, terminal="t_min", gap=None)
    found = ablation.components(noise, ours)
    assert len(found) == 8
    uniform = hso.schedules.uniform_t(noise, 5, terminal="t_min")
    np.testing.assert_allclose(found["hso"].t, ours.t, atol=1e-12)
    np.testing.assert_allclose(found["uniform ends and interior"].t, uniform.t, atol=1e-12)
    # the same calls, but the last one's step goes to sigma 0
    assert found["uniform terminal"].terminal == "zero"
    np.testing.assert_allclose(found["uniform terminal"].timesteps, ours.timesteps, atol=1e-9)
    assert found["uniform terminal"].sigmas[-1] == 0.0 < ours.sigmas[-1]
    # what every user of a uniform schedule runs, but for the table's last entry
    np.testing.assert_allclose(found["uniform"].t, hso.schedules.uniform_t(noise, 5).t, atol=1e-3)


def test_parts_of_a_flow_models_schedule_are_taken_before_its_shift() -> None:
    flow = hso.NoiseSchedule.flow(shift=3.0)
    ours = hso.optimize(flow, 4, gap=None)
    found = ablation.components(flow, ours)
    np.testing.assert_allclose(found["hso"].t, ours.t, rtol=1e-9)
    np.testing.assert_allclose(found["uniform"].t, hso.schedules.uniform_t(flow, 4).t, rtol=1e-6)
    u = nodes.to_clock(flow, nodes.of(found["uniform interior"]))
    np.testing.assert_allclose(np.diff(u, 2), 0.0, atol=1e-12)
    np.testing.assert_allclose(nodes.of(found["uniform interior"])[[0, -1]], nodes.of(ours)[[0, -1]], rtol=1e-9)


def test_skip_goes_to_zero_as_uniform_schedules_do(noise: hso.NoiseSchedule) -> None:
    found = ablation.components(noise, hso.optimize(noise, 4, terminal="skip", gap=None))
    assert list(found) == ["hso", "uniform ends", "uniform interior", "uniform"]
    assert {schedule.terminal for schedule in found.values()} == {"skip"}


def test_a_single_node_has_no_parts(noise: hso.NoiseSchedule) -> None:
    with pytest.raises(ValueError, match="ours must have at least 2 optimized nodes, got 1"):
        ablation.components(noise, hso.Schedule.from_nodes(noise, [0.99]))


def measured(noise: hso.NoiseSchedule, error: Any) -> dict[str, float]:
    """A made-up error as a function of which of (ends, interior, terminal) are uniform."""
    names = ablation.components(noise, hso.optimize(noise, 4, terminal="t_min", gap=None))
    return {
        name: error(*(name == "uniform" or part in name for part in ("ends", "interior", "terminal"))) for name in names
    }


def test_contributions_of_parts_that_add_up(noise: hso.NoiseSchedule) -> None:
    found = ablation.contributions(measured(noise, lambda e, i, t: 1.0 + 0.5 * e - 0.2 * i + 0.1 * t))
    assert found == pytest.approx({"ends": 0.5, "interior": -0.2, "terminal": 0.1})


def test_contributions_share_what_comes_of_several_parts(noise: hso.NoiseSchedule) -> None:
    """Ends and interior only together cost 0.6, all three 0.3 more: halves of one, thirds of the other."""
    found = ablation.contributions(measured(noise, lambda e, i, t: 1.0 + 0.6 * (e and i) + 0.3 * (e and i and t)))
    assert found == pytest.approx({"ends": 0.4, "interior": 0.4, "terminal": 0.1})


def test_rows_say_what_was_run(noise: hso.NoiseSchedule) -> None:
    variants = {"hso": hso.Schedule.from_nodes(noise, [0.96, 0.717, 0.371, 0.031])}
    rows = ablation.rows(variants, {"hso": {"rmse": 0.25}}, model="mixture", solver="DDIM")
    assert len(rows) == 1
    said = {"model": "mixture", "solver": "DDIM", "nfe": 4, "variant": "hso", "terminal": "zero", "rmse": 0.25}
    assert said.items() <= rows[0].items()
    assert rows[0]["timesteps"] == pytest.approx([959, 716, 370, 30])
    # as Table 5 prints them
    assert rows[0]["spacing_min"] == pytest.approx(243.0)
    assert rows[0]["spacing_mean"] == pytest.approx(309.7, abs=0.05)


# The paper's tables


def test_table_5_has_the_printed_schedules(noise: hso.NoiseSchedule) -> None:
    found = ablation_paper.table5(noise)
    assert found["printed, with penalty"].timesteps == pytest.approx([959, 716, 370, 30])
    assert found["printed, without penalty"].timesteps == pytest.approx([999, 70, 9, 9], abs=1e-5)
    assert found["with penalty"].timesteps == pytest.approx([959, 708.1, 375.6, 29], abs=0.1)
    assert len(ablation_paper.table5(noise, 5)) == len(ablation_paper.table5(hso.NoiseSchedule.flow())) == 3


def test_table_5_without_a_penalty_has_the_lower_mep(noise: hso.NoiseSchedule) -> None:
    """At nfe 8, where the spacing binds: the free optimum, as the exact search has it, lies below and is closer."""
    found = ablation_paper.table5(noise, 8)
    free = hso.optimize(noise, 8, d_min=0.0, limits="published", gap=None)
    assert found["without penalty"].mep == pytest.approx(free.mep, rel=1e-6)
    assert found["without penalty"].mep < found["with constraint"].mep
    assert found["without penalty"].min_spacing < hso.d_min(8)
    assert found["with constraint"].min_spacing >= hso.d_min(8) - 1e-12


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_table_7_has_both_objectives_with_both_searches(noise: hso.NoiseSchedule, terminal: str) -> None:
    found = ablation_paper.table7(noise, 8, terminal=terminal)
    single = ("Karras start", "A: DM-NonUni", "A: DM-NonUni, no spacing", "C: A + MEP", "C: A + MEP, no spacing")
    assert len(found) == 9
    for name, schedule in found.items():
        first, last = (schedule.psi.t_max, schedule.psi.t_min)
        if name in single:
            assert (first, last) == pytest.approx((1.0, 1e-3)), name
        else:
            assert 0.96 <= first <= 1.0, name
            assert 0.01 <= last <= 0.03, name
        if "no spacing" not in name and name != "Karras start":
            assert schedule.min_spacing >= hso.d_min(8) - 1e-9, name
    start = hso.karras_start(noise, nodes.count(8, terminal), rho=7.0, t_min=1e-3, t_max=1.0)
    np.testing.assert_allclose(noise.lam(nodes.of(found["Karras start"])), start, atol=1e-9)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_table_7_rows_minimize_what_they_say(noise: hso.NoiseSchedule, terminal: str) -> None:
    """Each objective is lower in its own row than in the other objective's with the same search."""
    found = ablation_paper.table7(noise, terminal=terminal)
    lam = {name: noise.lam(nodes.of(schedule)) for name, schedule in found.items()}
    for ours, rival in (("C: A + MEP", "A: DM-NonUni"), ("HSO: MEP + bi-level", "B: A + bi-level")):
        assert hso.mep(noise, lam[ours]) < hso.mep(noise, lam[rival])
        assert hso.dm_nonuni(noise, lam[rival]) < hso.dm_nonuni(noise, lam[ours])
    exact = hso.optimize(noise, 4, terminal=terminal, limits="published", gap=None)
    np.testing.assert_allclose(found["HSO: MEP + bi-level"].t, exact.t, atol=1e-5)


# Oracle


def distance_to(target: Any) -> Any:
    """A made-up error with its least value 0.1 at nodes `target` in lambda."""

    def rmse(schedule: hso.Schedule, split: str) -> float:
        lam = schedule.lambdas[np.isfinite(schedule.lambdas)]
        return 0.1 + float(np.mean((lam - target) ** 2)) + (0.01 if split == "test" else 0.0)

    return rmse


@pytest.mark.parametrize(
    ("nfe", "terminal", "target"),
    [
        (4, "zero", [-2.0, -1.1, 0.3, 1.7]),
        (4, "zero", [-2.5, 0.9, 1.0, 3.4]),
        (6, "zero", [-2.2, -1.5, -0.6, 0.2, 1.1, 2.5]),
        (3, "t_min", [-1.9, -0.4, 0.9, 2.4]),
    ],
)
def test_oracle_finds_a_known_optimum(noise: hso.NoiseSchedule, nfe: int, terminal: Any, target: list[float]) -> None:
    rmse = distance_to(np.array(target))
    start = oracle.starts(noise, nfe, terminal=terminal)
    found = oracle.optimize(noise, rmse, start, evaluations=3000)
    np.testing.assert_allclose(noise.lam(nodes.of(found)), target, atol=5e-3)
    assert (found.nfe, found.terminal) == (nfe, terminal)


def test_oracle_finds_an_optimum_at_the_ends_of_the_range(noise: hso.NoiseSchedule) -> None:
    low, high = noise.lambda_range
    target = np.array([low, -0.3, 0.4, high])
    found = oracle.optimize(noise, distance_to(target), oracle.starts(noise, 4, terminal="zero"), evaluations=3000)
    np.testing.assert_allclose(noise.lam(nodes.of(found)), target, atol=0.02)


def test_oracle_tries_only_what_multistep_solvers_run(noise: hso.NoiseSchedule) -> None:
    """An error that gains by nodes that merge leads to nodes that diffusers' UniPC still takes."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.UniPCMultistepScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)

    def rmse(schedule: hso.Schedule, split: str) -> float:
        hso.diffusers.apply(scheduler, schedule)
        return float(np.exp(-schedule.lambdas[2]) + schedule.lambdas[3])

    found = oracle.optimize(noise, rmse, oracle.starts(noise, 5, terminal="zero"))
    assert 0.02 - 1e-9 < np.diff(found.lambdas[:-1]).min() < 0.025


def test_oracle_stays_within_a_range(noise: hso.NoiseSchedule) -> None:
    """The optimum has both ends outside: the ends come to rest where the range ends, the others where they want to."""
    low, high = (float(noise.lam(t)) for t in (0.9, 0.05))
    target = np.array([low - 0.5, -0.3, 0.4, high + 0.5])
    seen = []

    def rmse(schedule: hso.Schedule, split: str) -> float:
        seen.append(schedule)
        return float(distance_to(target)(schedule, split))

    start = oracle.starts(noise, 4, terminal="zero")
    found = oracle.optimize(noise, rmse, start, evaluations=3000, t_range=(0.05, 0.9))
    assert max(schedule.t[0] for schedule in start.values()) > 0.9
    for schedule in seen:
        assert schedule.t[0] <= 0.9 + 1e-9
        assert schedule.t[3] >= 0.05 - 1e-9
    np.testing.assert_allclose(noise.lam(nodes.of(found)), np.clip(target, low, high), atol=0.02)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_every_search_starts_where_it_should(noise: hso.NoiseSchedule, terminal: Any) -> None:
    """Each start is seen twice: first of all, and as the first corner of its own simplex."""
    start = oracle.starts(noise, 4, terminal=terminal)
    seen: list[Any] = []

    def rmse(schedule: hso.Schedule, split: str) -> float:
        seen.append(noise.lam(nodes.of(schedule)))
        return float(distance_to(0.0)(schedule, split))

    oracle.optimize(noise, rmse, start, evaluations=100)
    for lam, schedule in zip(seen, start.values(), strict=False):
        np.testing.assert_allclose(lam, noise.lam(nodes.of(schedule)), atol=1e-12)
        assert min(np.abs(lam - other).max() for other in seen[len(start) :]) < 1e-9


@pytest.mark.parametrize("evaluations", [4, 5, 13, 50, 200])
def test_oracle_keeps_to_its_budget_and_is_no_worse_than_any_start(noise: hso.NoiseSchedule, evaluations: int) -> None:
    start = oracle.starts(noise, 5, terminal="zero")
    errors: list[float] = []

    def rmse(schedule: hso.Schedule, split: str) -> float:
        assert split == "train"
        errors.append(float(distance_to(np.linspace(-2.0, 2.5, 5) ** 3 / 6.0)(schedule, split)))
        return errors[-1]

    found = oracle.optimize(noise, rmse, start, evaluations=evaluations)
    assert len(start) <= len(errors) <= evaluations
    assert rmse(found, "train") == min(errors)


def test_oracle_beats_every_method_on_other_noises(noise: hso.NoiseSchedule) -> None:
    """Gaussian data under DDIM: trained on one bank of noise, the oracle leads on another."""
    model = GaussianModel.natural(noise)
    rng = np.random.default_rng(13)
    banks = {"train": rng.standard_normal((16, 64)), "test": rng.standard_normal((64, 64))}

    def rmse(schedule: hso.Schedule, split: str) -> float:
        return model.rmse(schedule, banks[split])

    methods = oracle.starts(noise, 6, terminal="zero")
    methods["oracle"] = oracle.optimize(noise, rmse, methods)
    rows = {row["method"]: row for row in oracle.rows(methods, rmse, model="gaussian", solver="DDIM")}
    assert min(rows, key=lambda name: rows[name]["rmse"]) == "oracle"
    assert (rows["oracle"]["share"], rows["uniform t"]["share"]) == (1.0, 0.0)
    assert rows["HSO"]["share"] < 1.0
    assert rows["HSO"]["rmse"] == rmse(methods["HSO"], "test") != rows["HSO"]["rmse_train"]
    assert {row["model"] for row in rows.values()} == {"gaussian"}


def test_shares_of_the_gap() -> None:
    found = oracle.shares({"uniform t": 0.5, "oracle": 0.3, "HSO": 0.35, "worse": 0.6})
    assert found == pytest.approx({"uniform t": 0.0, "oracle": 1.0, "HSO": 0.75, "worse": -0.5})
    none = oracle.shares({"uniform t": 0.3, "oracle": 0.3, "HSO": 0.35})
    assert none == {"uniform t": None, "oracle": None, "HSO": None}
    with pytest.raises(ValueError, match="rmse must have a value for 'oracle', got uniform t"):
        oracle.shares({"uniform t": 0.3})


def test_what_the_oracle_cannot_start_from(noise: hso.NoiseSchedule) -> None:
    rmse = distance_to(0.0)
    four, five = (hso.schedules.uniform_t(noise, nfe) for nfe in (4, 5))
    for start in ({}, {"four": four, "five": five}):
        with pytest.raises(ValueError, match="start must hold schedules of one nfe and terminal"):
            oracle.optimize(noise, rmse, start)
    with pytest.raises(ValueError, match=r"t_range must have room for 4 nodes, got 0\.5\.\.0\.51"):
        oracle.optimize(noise, rmse, {"four": four}, t_range=(0.5, 0.51))
    skip = hso.optimize(noise, 4, terminal="skip", gap=None)
    with pytest.raises(ValueError, match="start must have terminal 'zero' or 't_min' and 2 nodes"):
        oracle.optimize(noise, rmse, {"skip": skip})
    with pytest.raises(ValueError, match="evaluations must be at least 1, one for every start, got 0"):
        oracle.optimize(noise, rmse, {"four": four}, evaluations=0)
