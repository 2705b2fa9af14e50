"""Schedules by densities: quantiles in closed form, and MEP's optimum for many steps."""

import numpy as np
import pytest

import hso
from hso.objectives import from_density, mep_limit
from hso.objectives._curves import spline_matrix
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
EDM = hso.NoiseSchedule.edm()
FAMILIES = {"vp": SD, "flow": FLOW, "edm": EDM}
GENERAL = hso.NoiseSchedule.from_table(
    np.linspace(0.01, 1.0, 200), np.exp(-(np.linspace(0.01, 1.0, 200) ** 2)), np.linspace(0.01, 1.0, 200)
)


@pytest.mark.parametrize("noise", [*FAMILIES.values(), GENERAL])
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_a_constant_density_is_uniform_in_lambda(noise, terminal):
    ends = noise.lambda_range
    found = from_density(noise, [1, 4, 9], ends, [3.0, 3.0], terminal=terminal, name="flat")
    for s in found:
        expected = hso.schedules.uniform_lambda(noise, s.nfe, terminal=terminal)
        np.testing.assert_allclose(s.lambdas, expected.lambdas, atol=1e-9)
        assert s.search == "flat"
    assert found == [from_density(noise, n, ends, [3.0, 3.0], terminal=terminal) for n in (1, 4, 9)]


def test_a_linear_density_has_square_root_quantiles():
    s = from_density(EDM, 4, [0.0, 2.0], [1e-12, 2.0], terminal="t_min", t_min=EDM.t(2.0), t_max=EDM.t(0.0))
    np.testing.assert_allclose(s.lambdas, 2.0 * np.sqrt(np.arange(5) / 4.0), atol=1e-5)


def test_the_tan_law_is_the_density_of_its_angle():
    lam = np.linspace(*SD.lambda_range, 4001)
    s = np.exp(-lam)
    found = from_density(SD, 7, lam, s / (0.25 + s**2))
    np.testing.assert_allclose(found.lambdas, hso.schedules.kl_optimal(SD, 7, data_std=0.5).lambdas, atol=1e-5)


def test_kinks_of_a_table_count():
    t_max, t_min = EDM.t(0.0), EDM.t(2.0)
    s = from_density(
        EDM, 2, [0.0, 1.0, 1.0 + 1e-7, 2.0], [1.0, 1.0, 3.0, 3.0], terminal="t_min", t_min=t_min, t_max=t_max
    )
    np.testing.assert_allclose(s.lambdas[1], 1.0 + 1.0 / 3.0, atol=1e-6)


@pytest.mark.parametrize("noise", FAMILIES.values(), ids=FAMILIES)
def test_many_steps_of_meps_optimum_have_the_limit_density(noise):
    t_min, t_max = (float(noise.t(lam)) for lam in (2.5, -2.0))
    ends = {"t_min": (t_min, t_min), "t_max": (t_max, t_max)}
    exact = hso.optimize(noise, 40, terminal="t_min", d_min=0.0, gap=None, **ends)
    limit = mep_limit(noise, 40, terminal="t_min", t_min=t_min, t_max=t_max)
    np.testing.assert_allclose(limit.lambdas, exact.lambdas, atol=2e-3)
    assert limit.search == "mep_limit"


@pytest.mark.parametrize(("noise", "p"), [(SD, 1.5), (SD, 1.0), (FLOW, 1.6), (FLOW, 1.0), (EDM, 1.5)])
def test_the_limit_of_other_exponents(noise, p):
    t_min, t_max = (float(noise.t(lam)) for lam in (2.0, -2.0))
    exact = hso.optimize(
        noise, 40, terminal="t_min", d_min=0.0, gap=None, p=p, t_min=(t_min, t_min), t_max=(t_max, t_max)
    )
    limit = mep_limit(noise, 40, terminal="t_min", p=p, t_min=t_min, t_max=t_max)
    np.testing.assert_allclose(limit.lambdas, exact.lambdas, atol=2e-3)


def test_the_limit_is_close_to_the_optimum_of_six_nodes():
    ends = {"t_min": 0.01, "t_max": 1.0}
    exact = hso.optimize(SD, 6, d_min=0.0, p=2.0, t_min=(0.01, 0.01), t_max=(1.0, 1.0))
    limit = mep_limit(SD, 6, **ends)
    assert 0.0 <= hso.mep(SD, limit.lambdas[:-1]) / exact.mep - 1.0 < 3e-5


def test_a_general_table_of_vp_numbers_has_vps_limit():
    t = np.linspace(0.02, 1.0, 400)
    alpha = np.exp(-2.0 * t**2)
    vp = hso.NoiseSchedule.from_table(t, alpha, np.sqrt(1.0 - alpha**2))
    general = hso.NoiseSchedule.from_table(t, alpha * (1.0 + 1e-7), np.sqrt(1.0 - alpha**2))
    assert (vp.family, general.family) == ("vp", "general")
    ends = {"t_min": 0.05, "t_max": 0.98}
    np.testing.assert_allclose(mep_limit(general, 8, **ends).t, mep_limit(vp, 8, **ends).t, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nfe": 0}, "nfe must be in 1"),
        ({"nfe": True}, "nfe must be an integer"),
        ({"terminal": "skip"}, "terminal must be one of"),
        ({"t_min": 2.0}, "t_min must be within"),
        ({"t_min": "0"}, "t_min must be a real number"),
        ({"t_min": 0.5, "t_max": 0.4}, r"t_min must be below t_max = 0\.4, got 0\.5"),
        ({"lambdas": [0.0]}, "lambdas must be 2 or more"),
        ({"lambdas": [0.0, 0.0]}, "lambdas must be 2 or more"),
        ({"lambdas": [0.0, 1.0]}, r"lambdas must reach from .*got 0\.\.1"),
        ({"density": [1.0, 1.0, 1.0]}, "density must have the shape"),
        ({"density": [1.0, 0.0]}, "density must be positive"),
        ({"density": [1.0, np.inf]}, "density must be positive"),
    ],
)
def test_bad_arguments(options, message):
    arguments = {"nfe": 4, "lambdas": [-10.0, 10.0], "density": [1.0, 1.0], **options}
    with pytest.raises(ValueError, match=message):
        from_density(SD, arguments.pop("nfe"), arguments.pop("lambdas"), arguments.pop("density"), **arguments)


@pytest.mark.parametrize(
    ("noise", "p", "message"),
    [
        (SD, 3.0, "p must keep"),
        (EDM, 2.0, "p must keep"),
        (SD, -1.0, "p must be at least 0"),
        (SD, np.nan, "at least 0"),
    ],
)
def test_bad_exponents(noise, p, message):
    with pytest.raises(ValueError, match=message):
        mep_limit(noise, 4, p=p)


def test_splines_are_exact_for_lines_and_rows_sum_to_one():
    knots = np.array([0.0, 0.3, 1.0, 1.1, 2.0])
    at = np.linspace(0.0, 2.0, 41)
    matrix = spline_matrix(knots, at)
    np.testing.assert_allclose(matrix @ (2.0 * knots - 1.0), 2.0 * at - 1.0, atol=1e-14)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-14)
    np.testing.assert_allclose(spline_matrix(knots, knots), np.eye(5), atol=1e-14)
    scipy = pytest.importorskip("scipy.interpolate")
    values = np.array([1.0, -1.0, 0.5, 2.0, 0.0])
    np.testing.assert_allclose(matrix @ values, scipy.CubicSpline(knots, values, bc_type="natural")(at), atol=1e-13)
    np.testing.assert_allclose(spline_matrix(knots[:2], at[:3]) @ [1.0, 2.0], 1.0 + at[:3] / 0.3, atol=1e-14)
