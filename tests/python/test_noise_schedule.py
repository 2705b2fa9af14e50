"""Noise schedules against reference points, each other, and bad input."""

import pickle

import numpy as np
import pytest

import hso
from tables import BETAS, GOLDEN, NOISE, SD

FAMILIES = {
    **NOISE,
    "vp_linear": hso.NoiseSchedule.vp_linear(),
    "vp_cosine": hso.NoiseSchedule.vp_cosine(),
    "flow": hso.NoiseSchedule.flow(),
    "flow, shift 3": hso.NoiseSchedule.flow(shift=3.0),
    "edm": hso.NoiseSchedule.edm(),
    "two entries": hso.NoiseSchedule.from_alphas_cumprod([0.9, 0.1]),
    "10,000 entries": hso.NoiseSchedule.from_betas(np.linspace(1e-5, 2e-3, 10_000)),
    "zero terminal SNR": hso.NoiseSchedule.from_alphas_cumprod(np.linspace(0.999, 0.0, 1000)),
    "general": hso.NoiseSchedule.from_table([0.1, 0.4, 0.7, 1.0], [0.99, 0.8, 0.4, 0.1], [0.1, 0.5, 1.1, 1.5]),
}


@pytest.mark.parametrize("name", NOISE)
def test_golden_points(name):
    for point in GOLDEN[name]["points"]:
        lam = NOISE[name].lam(point["t"])
        assert lam == pytest.approx(point["lam"], abs=1e-10)
        assert NOISE[name].alpha(lam) == pytest.approx(point["alpha"], abs=1e-10)
        assert NOISE[name].sigma(lam) == pytest.approx(point["sigma"], abs=1e-10)
        assert np.exp(-lam) == pytest.approx(point["ve_sigma"], rel=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_t_and_lambda_are_inverses(name):
    noise = FAMILIES[name]
    low, high = noise.t_range
    t = low + (high - low) * np.linspace(0.02, 0.98, 4001)
    lam = noise.lam(t)
    assert np.all(np.diff(lam) < 0)
    np.testing.assert_allclose(noise.t(lam), t, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.log(noise.alpha(lam) / noise.sigma(lam)), lam, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_family_relation_and_ends(name):
    noise = FAMILIES[name]
    first, last = noise.lambda_range
    lam = np.linspace(first, last, 101)
    alpha, sigma = noise.alpha(lam), noise.sigma(lam)
    relation = {"vp": alpha**2 + sigma**2, "flow": alpha + sigma, "ve": alpha}
    if noise.family in relation:
        np.testing.assert_allclose(relation[noise.family], 1.0, rtol=1e-14)
    assert noise.lam(noise.t_range[1]) == first and noise.lam(noise.t_range[0]) == last


def test_network_timesteps():
    assert SD.timestep(SD.lam(0.5)) == pytest.approx(499.0, abs=1e-9)
    flow = hso.NoiseSchedule.flow(shift=3.0)
    assert flow.timestep(flow.lam(0.25)) == pytest.approx(250.0, abs=1e-9)
    edm = hso.NoiseSchedule.edm()
    assert edm.timestep(-np.log(7.0)) == pytest.approx(0.25 * np.log(7.0))
    assert edm.lam(0.001) == pytest.approx(-np.log(0.002)) and edm.lam(1.0) == pytest.approx(-np.log(80.0))


def test_shape_follows_the_argument():
    assert isinstance(SD.lam(0.5), float)
    assert SD.lam([0.5]).shape == (1,) and SD.lam(np.full((2, 3), 0.5)).shape == (2, 3)
    assert SD.lam(np.array([])).shape == (0,)
    assert SD.lam(np.float32(0.5)) == SD.lam(0.5)


def test_tables_find_their_family():
    t = np.linspace(0.1, 0.9, 9)
    assert hso.NoiseSchedule.from_table(t, np.cos(t), np.sin(t)).family == "vp"
    flow = hso.NoiseSchedule.from_table(t, 1 - t, t)
    assert flow.family == "flow" and flow.lam(0.33) == pytest.approx(hso.NoiseSchedule.flow().lam(0.33), abs=1e-13)
    assert hso.NoiseSchedule.from_table(t, np.ones(9), t * 10).family == "ve"
    assert FAMILIES["general"].family == "general"


def test_zero_terminal_snr_is_two_to_the_minus_24():
    noise = FAMILIES["zero terminal SNR"]
    assert np.exp(-2 * noise.lambda_range[0]) == pytest.approx(2.0**24 - 1, rel=1e-9)
    betas = np.append(np.linspace(1e-4, 0.02, 999), 1.0)
    assert hso.NoiseSchedule.from_betas(betas).lambda_range[0] == pytest.approx(noise.lambda_range[0])


def test_flow_takes_t_of_one_as_just_below():
    flow = hso.NoiseSchedule.flow()
    assert flow.lam(1.0) == flow.lam(1.0 - 1e-6) == pytest.approx(np.log(1e-6), rel=1e-6)
    assert hso.NoiseSchedule.flow(shift=3.0).shifted(0.5) == pytest.approx(0.75)


def test_equality_is_that_of_the_numbers():
    same = hso.NoiseSchedule.preset("sd15")
    assert same == SD and hash(same) == hash(SD) and same != NOISE["ddpm_linear"]
    assert pickle.loads(pickle.dumps(SD)) == SD
    assert len({noise.fingerprint for noise in FAMILIES.values()}) == len(FAMILIES)


ac = np.cumprod(1 - BETAS["sd_scaled_linear"])
BAD = {
    "empty": (lambda: hso.NoiseSchedule.from_alphas_cumprod([]), "alphas_cumprod.*2.*0 entries"),
    "one entry": (lambda: hso.NoiseSchedule.from_betas([0.1]), "betas.*2.*1 entries"),
    "NaN": (lambda: hso.NoiseSchedule.from_alphas_cumprod([0.9, np.nan, 0.1]), r"alphas_cumprod\[1\].*nan"),
    "infinite": (lambda: hso.NoiseSchedule.from_betas([0.1, np.inf]), r"betas\[1\].*inf"),
    "not monotone": (lambda: hso.NoiseSchedule.from_alphas_cumprod([0.9, 0.5, 0.6]), r"alphas_cumprod\[2\].*0.5.*0.6"),
    "reversed": (lambda: hso.NoiseSchedule.from_alphas_cumprod(ac[::-1]), r"alphas_cumprod\[1\]"),
    "out of range": (lambda: hso.NoiseSchedule.from_alphas_cumprod([1.2, 0.5]), r"alphas_cumprod\[0\].*\(0, 1\).*1.2"),
    "zero in the middle": (lambda: hso.NoiseSchedule.from_alphas_cumprod([0.9, 0.0, 0.0]), r"alphas_cumprod\[1\]"),
    "equal entries": (lambda: hso.NoiseSchedule.from_alphas_cumprod([0.9, 0.9]), r"alphas_cumprod\[1\].*decrease"),
    "two dimensions": (lambda: hso.NoiseSchedule.from_betas(np.full((2, 2), 0.1)), r"betas.*one dimension.*\(2, 2\)"),
    "text": (lambda: hso.NoiseSchedule.from_betas(["a", "b"]), "betas.*real numbers"),
    "shift": (lambda: hso.NoiseSchedule.flow(shift=0.0), "shift.*positive.*0"),
    "edm reversed": (lambda: hso.NoiseSchedule.edm(sigma_min=80, sigma_max=0.002), "sigma_max.*sigma_min.*0.002"),
    "unequal lengths": (
        lambda: hso.NoiseSchedule.from_table([0.1, 0.2], [0.9], [0.1, 0.2]),
        "alpha and sigma.*1 and 2",
    ),
    "t of a table": (lambda: hso.NoiseSchedule.from_table([0.2, 0.1], [0.9, 0.8], [0.1, 0.2]), r"t\[1\].*0.1"),
    "t too high": (lambda: SD.lam(1.2), "t must be within.*1.2"),
    "t too low": (lambda: SD.lam([0.5, 0.0]), "t must be within.*0.001.*got 0"),
    "t NaN": (lambda: SD.lam(np.nan), "t must be within.*nan"),
    "lambda outside": (lambda: SD.t(50.0), "lambda must be within.*50"),
    "lambda NaN": (lambda: SD.sigma(np.nan), "lambda.*finite.*nan"),
    "preset": (lambda: hso.NoiseSchedule.preset("sd99"), "must be one of.*sd15.*sd99"),
    "preset's shift": (lambda: hso.NoiseSchedule.preset("sd15", shift=3.0), "shift.*sd15.*3"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_argument_value_and_limit(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
