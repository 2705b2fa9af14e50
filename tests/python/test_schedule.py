"""Schedules and the baselines."""

import numpy as np
import pytest

import hso
from tables import ORACLE, SD


@pytest.fixture
def schedule():
    return hso.optimize(SD, nfe=5)


def test_arrays_are_read_only(schedule):
    for array in (schedule.t, schedule.lambdas, schedule.sigmas, schedule.timesteps):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_from_nodes_measures_the_nodes(schedule):
    again = hso.Schedule.from_nodes(SD, schedule.t[:-1])
    assert again == schedule and again.status == "given"
    assert again.fitness == pytest.approx(schedule.fitness, rel=1e-15)
    for t, message in (([], "0 nodes"), ([0.5, 0.6], r"t\[1\].*0.6"), ([1.5], "t must be within.*1.5")):
        with pytest.raises(ValueError, match=message):
            hso.Schedule.from_nodes(SD, t)


def test_repr_is_short(schedule):
    assert "nfe=5" in repr(schedule) and len(repr(schedule)) < 200


BASELINES = [
    "uniform_t",
    "uniform_lambda",
    "karras",
    "beta",
    "kl_optimal",
    "linear_quadratic",
    "ays",
    "dm_nonuni",
]
NOISES = {"sd": SD, "flow": hso.NoiseSchedule.flow(shift=3.0), "edm": hso.NoiseSchedule.edm()}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_baselines_give_schedules(name, noise, terminal):
    for nfe in (1, 2, 5, 10) if name != "dm_nonuni" else (2, 5, 8):
        if name == "ays" and noise is not SD:
            continue
        s = getattr(hso.schedules, name)(noise, nfe, terminal=terminal)
        assert s.nfe == nfe and s.terminal == terminal and s.search.startswith(name)
        assert np.all(np.diff(s.t) < 0)


def test_uniform_t_is_the_samplers_grid():
    np.testing.assert_allclose(hso.schedules.uniform_t(SD, 5).timesteps, [999, 799, 599, 399, 199], atol=1e-9)
    leading = hso.schedules.uniform_t(SD, 5, spacing="leading").timesteps
    np.testing.assert_allclose(leading, [800, 600, 400, 200, 0], atol=1e-9)
    s = hso.schedules.uniform_t(NOISES["flow"], 4).sigmas
    u = np.array([1.0, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(s[:-1], 3 * u / (1 + 2 * u), atol=1e-5)


def test_formulas_of_the_baselines():
    np.testing.assert_allclose(np.diff(hso.schedules.uniform_lambda(SD, 6, terminal="t_min").lambdas, 2), 0, atol=1e-12)
    sigmas = hso.schedules.karras(SD, 6, terminal="t_min").sigmas
    np.testing.assert_allclose(np.diff(sigmas ** (1 / 7), 2), 0, atol=1e-12)
    for c in (1.0, 0.5):
        angles = np.arctan(hso.schedules.kl_optimal(SD, 6, terminal="t_min", data_std=c).sigmas / c)
        np.testing.assert_allclose(np.diff(angles, 2), 0, atol=1e-12)
    ays = hso.schedules.ays(SD, 10, terminal="t_min").sigmas
    np.testing.assert_allclose(ays[1:-1], [6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152], rtol=1e-12)


def test_linear_quadratic_is_mochis():
    """Its sigmas for 8 steps with a threshold of 0.025, from the formula as Mochi's authors write it."""
    steps, linear = 8, 4
    gap = linear - 0.025 * steps
    square, line = gap / (linear * 4**2), 0.025 / linear - 2 * gap / 4**2
    done = [i * 0.025 / linear for i in range(linear)]
    done += [square * i**2 + line * i + square * linear**2 for i in range(linear, steps)]
    flow = hso.NoiseSchedule.flow()
    s = hso.schedules.linear_quadratic(flow, steps)
    np.testing.assert_allclose(s.sigmas, [*(1.0 - np.array(done)), 0.0], rtol=2e-6)
    to_t_min = hso.schedules.linear_quadratic(flow, steps, terminal="t_min", t_min=0.1)
    np.testing.assert_allclose(to_t_min.sigmas, 0.1 + 0.9 * s.sigmas, rtol=2e-6)
    ve = hso.schedules.linear_quadratic(SD, steps).sigmas
    np.testing.assert_allclose(ve / ve[0], s.sigmas, rtol=2e-6)


def test_dm_nonuni_is_at_least_as_good_as_scipys():
    for name, table in ORACLE["tables"].items():
        noise = {"sd_scaled_linear": SD}.get(name)
        if noise is None:
            continue
        for case in table["dm_nonuni_schedule"]:
            if case["nfe"] <= 6:  # beyond, SciPy's search stops on a kink
                s = hso.schedules.dm_nonuni(noise, case["nfe"])
                assert s.fitness <= case["objective"] * (1 + 1e-6)


def test_baselines_refuse_bad_input():
    for make, message in (
        (lambda: hso.schedules.uniform_t(SD, 0), "nfe must be.*0"),
        (lambda: hso.schedules.uniform_t(SD, 4, terminal="skip"), "terminal must be one of.*'skip'"),
        (lambda: hso.schedules.uniform_t(SD, 4, spacing="log"), "spacing must be one of.*'log'"),
        (lambda: hso.schedules.karras(SD, 4, rho=0.0), "rho must be positive.*0"),
        (lambda: hso.schedules.karras(SD, 4, t_min=0.5, t_max=0.4), "t_min must be below.*0.5"),
        (lambda: hso.schedules.kl_optimal(SD, 4, data_std=0.0), "data_std must be a positive"),
        (lambda: hso.schedules.linear_quadratic(SD, 4, threshold=1.0), "threshold must be above 0 and below 1, got 1"),
        (lambda: hso.schedules.ays(SD, 4, model="flux"), "model must be one of.*'flux'"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
