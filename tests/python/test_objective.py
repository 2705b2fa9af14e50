"""The objectives against reference numbers, differences and SciPy."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

import hso
from tables import GOLDEN, NOISE, ORACLE, SD

FLOW = hso.NoiseSchedule.flow()


@pytest.mark.parametrize("name", NOISE)
def test_golden_mep(name):
    for case in GOLDEN[name]["mep"]:
        assert hso.mep(NOISE[name], case["lam"], p=case["p"]) == pytest.approx(case["value"], rel=1e-12)
        assert hso.mep(FLOW, case["lam"], p=case["p"]) == pytest.approx(case["value_flow_family_same_lam"], rel=1e-12)


@pytest.mark.parametrize("name", NOISE)
def test_golden_spf(name):
    for case in GOLDEN[name]["spf"]:
        lam = NOISE[name].lam(case["t"])
        assert hso.d_min(case["nfe"]) == pytest.approx(case["d_min"], rel=1e-15)
        found = hso.spf(NOISE[name], lam, case["nfe"], gamma=case["gamma"], p=case["p"])
        assert found == pytest.approx(case["spf"], rel=1e-9)


@pytest.mark.parametrize("noise", [SD, FLOW, hso.NoiseSchedule.edm()], ids=["vp", "flow", "ve"])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_gradient_and_hessian_agree_with_differences(noise, p):
    lam = np.sort(np.random.default_rng(4).uniform(-2.0, 2.5, 7))
    gradient = hso.mep_gradient(noise, lam, p=p)
    diagonal, off_diagonal = hso.mep_hessian(noise, lam, p=p)
    h = 1e-4
    for i, unit in enumerate(np.eye(7)):
        slope = (hso.mep(noise, lam + h * unit, p=p) - hso.mep(noise, lam - h * unit, p=p)) / (2 * h)
        assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-7)
        row = (hso.mep_gradient(noise, lam + h * unit, p=p) - hso.mep_gradient(noise, lam - h * unit, p=p)) / (2 * h)
        expected = np.zeros(7)
        expected[i] = diagonal[i]
        if i > 0:
            expected[i - 1] = off_diagonal[i - 1]
        if i < 6:
            expected[i + 1] = off_diagonal[i]
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-6)


def test_tabulated_proxy_is_scipys_monotone_cubic():
    lam, value = np.array([-3.0, -1.0, 0.2, 2.0, 4.0]), np.array([9.0, 3.0, 2.9, 0.2, 0.01])
    proxy, oracle = hso.ErrorProxy(lam, value), PchipInterpolator(lam, np.log(value))
    x = np.linspace(-3.0, 4.0, 301)
    np.testing.assert_allclose(proxy(x), np.exp(oracle(x)), rtol=1e-12)
    nodes = np.array([-2.0, 0.0, 1.5])
    middle, ends = (nodes[1:] + nodes[:-1]) / 2, np.exp(nodes)
    assert hso.mep(SD, nodes, proxy=proxy) == pytest.approx(np.sum(np.exp(oracle(middle)) * np.diff(ends)), rel=1e-12)


def test_tabulated_power_law_is_the_power_law():
    lam = np.linspace(-4.0, 5.0, 2001)
    proxy = hso.ErrorProxy(lam, SD.sigma(lam) ** 2 / SD.alpha(lam))
    ours = hso.optimize(SD, nfe=6, terminal="t_min", proxy=proxy)
    np.testing.assert_allclose(ours.t, hso.optimize(SD, nfe=6, terminal="t_min").t, atol=1e-4)


def test_small_intervals_do_not_cancel():
    for h in (1e-12, 1e-9, 1e-6, 1e-3, 0.05, 0.0625, 0.07):
        lam = np.array([0.3, 0.3 + h])
        exact = SD.sigma(lam.mean()) * 2 * np.sinh((lam[1] - lam[0]) / 2)
        assert hso.mep(SD, lam) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("proxy", [{"p": 2.0}, {"p": 2.5}, {"proxy": hso.ErrorProxy([-1.0, 1.0], [2.0, 1.0])}])
@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (7, 11), (2, 3, 5), (2, 0, 5)])
def test_many_schedules_at_a_time(proxy, shape):
    lam = np.random.default_rng(5).uniform(-3.0, 4.0, shape)
    value, gradient = hso.mep(SD, lam, **proxy), hso.mep_gradient(SD, lam, **proxy)
    assert value.shape == shape[:-1] and gradient.shape == shape
    for index in np.ndindex(shape[:-1]):
        assert value[index] == pytest.approx(hso.mep(SD, lam[index], **proxy), rel=1e-12)
        np.testing.assert_allclose(gradient[index], hso.mep_gradient(SD, lam[index], **proxy), rtol=1e-12, atol=1e-12)
    turned = np.moveaxis(lam, -1, 0).copy()  # the same numbers, not contiguous
    np.testing.assert_array_equal(hso.mep(SD, np.moveaxis(turned, 0, -1), **proxy), value)


def test_one_schedule_is_a_float():
    assert type(hso.mep(SD, [0.0, 1.0])) is float
    assert hso.mep_gradient(SD, [0.0, 1.0]).shape == (2,)


@pytest.mark.parametrize("p", [0.0, 2.0, 3.0])
def test_wide_ranges_do_not_overflow(p):
    for noise in (SD, FLOW):
        assert np.isfinite(hso.mep_gradient(noise, np.linspace(-40.0, 40.0, 9), p=p)).all()


def test_dm_nonuni_agrees_with_the_oracle():
    checked = 0
    for name, table in ORACLE["tables"].items():
        for case in table["dm_nonuni"]:
            lam = case["lam"]
            assert hso.dm_nonuni(NOISE[name], lam) == pytest.approx(case["value"], rel=1e-10)
            np.testing.assert_allclose(
                hso.dm_nonuni_gradient(NOISE[name], lam), case["gradient"], rtol=1e-7, atol=1e-8 * case["value"]
            )
            checked += 1
    assert checked >= 60


def test_karras_start():
    lam = hso.karras_start(SD, 5, rho=7.0, t_min=0.02, t_max=0.97)
    sigma = np.exp(-lam) ** (1 / 7.0)
    np.testing.assert_allclose(np.diff(sigma, 2), 0.0, atol=1e-14)
    assert lam[0] == SD.lam(0.97) and lam[-1] == SD.lam(0.02)


BAD = {
    "p": (lambda: hso.mep(SD, [0.0, 1.0], p=-1.0), "p must be.*-1"),
    "p NaN": (lambda: hso.mep(SD, [0.0, 1.0], p=np.nan), "p must be.*nan"),
    "gamma": (lambda: hso.spf(SD, [0.0, 1.0], 4, gamma=-1.0), "gamma must be.*-1"),
    "d_min": (lambda: hso.spf(SD, [0.0, 1.0], 4, d_min=-0.1), "d_min must be.*-0.1"),
    "nfe": (lambda: hso.d_min(0), "nfe must be.*0"),
    "nodes NaN": (lambda: hso.mep(SD, [0.0, np.nan]), r"lambdas\[1\].*nan"),
    "no nodes": (lambda: hso.mep(SD, []), r"lam must.*at least one node.*\(0,\)"),
    "rows of no nodes": (lambda: hso.mep_gradient(SD, np.ones((3, 0))), r"lam must.*at least one node.*\(3, 0\)"),
    "a scalar": (lambda: hso.mep(SD, 0.5), r"lam must.*at least one node.*\(\)"),
    "row NaN": (lambda: hso.mep(SD, [[0.0, 1.0], [0.0, np.nan]]), r"lambdas\[1\]\[1\].*nan"),
    "unordered": (lambda: hso.dm_nonuni(SD, [0.0, 1.0, 0.5]), r"lambdas\[2\].*0.5"),
    "proxy value": (lambda: hso.ErrorProxy([0.0, 1.0], [1.0, 0.0]), r"proxy value\[1\].*positive.*0"),
    "proxy order": (lambda: hso.ErrorProxy([1.0, 0.0], [1.0, 1.0]), r"proxy lambda\[1\].*increase"),
    "proxy size": (lambda: hso.ErrorProxy([0.0], [1.0]), "proxy lambda.*1 entries"),
    "proxy type": (lambda: hso.mep(SD, [0.0, 1.0], proxy=3.0), "proxy must be an hso.ErrorProxy.*3.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_argument_value_and_limit(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
