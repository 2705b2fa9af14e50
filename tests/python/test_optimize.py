"""The searches against reference optima, published results, SciPy and their own promises."""

import threading

import numpy as np
import pytest

import hso
from tables import GOLDEN, NOISE, SD


@pytest.mark.parametrize("name", NOISE)
def test_golden_constrained_optimum(name):
    for case in GOLDEN[name]["constrained_optimum"]:
        s = hso.optimize(NOISE[name], nfe=case["nfe"], terminal="t_min", p=case["p"], limits="published")
        assert s.fitness == pytest.approx(case["F"], rel=1e-6)
        assert s.min_spacing >= case["d_min"] - 1e-9


@pytest.mark.parametrize("name", NOISE)
def test_golden_local_minimum_with_fixed_ends(name):
    for case in GOLDEN[name]["local_minimum_fixed_ends"]:
        ends = {"t_min": (case["t_min"],) * 2, "t_max": (case["t_max"],) * 2, "d_min": 0.0}
        for search in ("bilevel", "paper"):
            s = hso.optimize(NOISE[name], nfe=case["intervals"], terminal="t_min", p=case["p"], search=search, **ends)
            assert s.mep == pytest.approx(case["mep"], rel=1e-8)


def test_paper_reproduces_the_published_schedule():
    """Table 5's [959, 716, 370, 30] is DDPM's table with indices 999 t; on SD's table see docs/reproduction.md."""
    t = hso.optimize(SD, nfe=4, search="paper").t[:-1]
    np.testing.assert_allclose(np.rint(1000 * t) - 1, [959, 708, 376, 29], atol=1)
    t = hso.optimize(NOISE["ddpm_linear"], nfe=4, search="paper").t[:-1]
    np.testing.assert_array_equal(np.rint(999 * t), [959, 716, 370, 30])


@pytest.mark.parametrize(("nfe", "ends"), [(4, (0.03, 0.96)), (6, (0.01, 1.0)), (8, (0.01, 1.0)), (10, (0.01, 1.0))])
def test_paper_reproduces_the_published_ends(nfe, ends):
    for seed in (0, 66):
        s = hso.optimize(SD, nfe=nfe, terminal="t_min", search="paper", seed=seed)
        assert (s.psi.t_min, s.psi.t_max) == pytest.approx(ends, abs=1e-3)


def test_paper_cannot_meet_its_own_spacing():
    s = hso.optimize(SD, nfe=6, terminal="t_min", search="paper")
    assert s.min_spacing < s.d_min - 0.01 and s.fitness == pytest.approx(233_553, rel=1e-3)


@pytest.mark.parametrize("search", ["bilevel", "paper"])
@pytest.mark.parametrize("objective", ["mep", "dm_nonuni"])
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_same_bits_for_any_number_of_threads(search, objective, terminal):
    runs = [
        hso.optimize(SD, nfe=5, terminal=terminal, search=search, objective=objective, threads=threads, seed=3)
        for threads in (1, 1, 2, 7)
    ]
    for other in runs[1:]:
        assert other.t.tobytes() == runs[0].t.tobytes()
        assert (other.fitness, other.psi, other.evaluations) == (runs[0].fitness, runs[0].psi, runs[0].evaluations)


@pytest.mark.parametrize("nfe", [1, 2, 100])
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_terminals_and_extreme_nfe(nfe, terminal):
    s = hso.optimize(SD, nfe=nfe, terminal=terminal, d_min=0.001)
    assert s.t.shape == s.lambdas.shape == s.sigmas.shape == (nfe + 1,) and s.timesteps.shape == (nfe,)
    assert np.all(np.diff(s.t) < 0) and np.all(np.diff(s.sigmas) < 0) and np.all(np.diff(s.lambdas) > 0)
    assert (s.t[-1] == 0.0 and s.sigmas[-1] == 0.0 and np.isinf(s.lambdas[-1])) == (terminal != "t_min")
    np.testing.assert_allclose(s.timesteps, 1000 * s.t[:-1] - 1, atol=1e-9)
    if terminal == "skip":
        longer = hso.optimize(SD, nfe=nfe, terminal="t_min", d_min=0.001)
        np.testing.assert_array_equal(s.t[:-1], longer.t[:-1])
        assert s.psi.t_min == longer.t[-1]


@pytest.mark.parametrize("p", [0.0, 1.0, 3.0, 4.0])
@pytest.mark.parametrize(
    "noise", [SD, hso.NoiseSchedule.flow(shift=3.0), hso.NoiseSchedule.edm()], ids=["vp", "flow", "ve"]
)
@pytest.mark.parametrize("d_min", [0.0, 0.05])
def test_strictly_monotone_and_feasible_for_every_family(noise, p, d_min):
    for search in ("bilevel", "paper"):
        s = hso.optimize(noise, nfe=7, terminal="t_min", p=p, d_min=d_min, search=search)
        assert np.all(np.diff(s.t) < 0) and np.all(np.diff(s.lambdas) > 0)
        if search == "bilevel":
            assert s.min_spacing >= d_min - 1e-9
        assert s.fitness == s.mep + s.penalty
        assert s.mep == pytest.approx(hso.mep(noise, s.lambdas, p=p), rel=1e-14)


def test_a_spacing_that_just_fits():
    s = hso.optimize(SD, nfe=10, terminal="t_min", d_min=0.99 / 10, limits="published")
    np.testing.assert_allclose(np.diff(s.t), -0.099, atol=1e-9)


def test_two_entry_table_and_touching_ranges():
    noise = hso.NoiseSchedule.from_alphas_cumprod([0.99, 0.01])
    s = hso.optimize(noise, nfe=4, terminal="t_min", t_min=(0.5, 0.6), t_max=(0.6, 1.0), d_min=0.01)
    assert np.all(np.diff(s.t) <= -0.01 + 1e-12)


def test_dm_nonuni_reaches_the_oracle():
    """With the spacing as constraints the bound has one minimum: SciPy's for nfe 4 and 5."""
    for nfe, expected in ((4, 8.16449), (5, 7.936595)):
        s = hso.optimize(SD, nfe=nfe, terminal="t_min", objective="dm_nonuni")
        assert s.fitness == pytest.approx(expected, rel=1e-5)


def test_calls_from_many_threads_agree():
    expected, found = hso.optimize(SD, nfe=6), [None] * 8

    def work(i):
        found[i] = hso.optimize(SD, nfe=6)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(s == expected for s in found)


BAD = {
    "nfe 0": ({"nfe": 0}, "nfe must be.*0"),
    "nfe negative": ({"nfe": -3}, "nfe must be.*-3"),
    "nfe float": ({"nfe": 4.0}, "nfe must be an integer.*4.0"),
    "nfe bool": ({"nfe": True}, "nfe must be an integer.*True"),
    "nfe huge": ({"nfe": 10**6}, "nfe must be in 1..10000.*1000000"),
    "terminal": ({"terminal": "one"}, "terminal must be one of 'zero', 't_min', 'skip'.*'one'"),
    "search": ({"search": "fast"}, "search must be one of 'exact', 'bilevel', 'paper'.*'fast'"),
    "local": ({"local": "adam"}, "local must be one of 'newton', 'slsqp'.*'adam'"),
    "exact for dm_nonuni": ({"search": "exact", "objective": "dm_nonuni"}, "search must be bilevel or paper.*exact"),
    "newton for dm_nonuni": ({"local": "newton", "objective": "dm_nonuni"}, "local must be slsqp.*got newton"),
    "gap 0": ({"gap": 0.0}, "gap must be above 0.*got 0"),
    "gap NaN": ({"gap": np.nan}, "gap must be above 0.*got nan"),
    "objective": ({"objective": "mse"}, "objective must be one of 'mep', 'dm_nonuni'.*'mse'"),
    "gamma": ({"gamma": -1.0}, "gamma must be.*-1"),
    "gamma NaN": ({"gamma": np.nan}, "gamma must be.*nan"),
    "p": ({"p": -0.5}, "p must be.*-0.5"),
    "d_min": ({"d_min": -0.1}, "d_min must be.*-0.1"),
    "spacing": (
        {"d_min": 0.3, "limits": "published"},
        r"d_min must be at most 0.2475 for nfe = 5.*4 intervals.*1.2.*room 0.99.*0.3",
    ),
    "reversed": ({"t_min": (0.03, 0.01)}, r"t_min must be.*low <= high.*\(0.03, 0.01\)"),
    "rho": ({"rho": (0.0, 3.0)}, "rho must be.*0"),
    "overlap": ({"t_min": (0.5, 0.9), "t_max": (0.7, 1.0)}, "t_min must be.*t_max.*0.7"),
    "outside": ({"t_max": (0.9, 1.5)}, r"t_max must be within.*\(0.9, 1.5\)"),
    "range": ({"t_max": 0.9}, r"t_max must be a pair.*0.9"),
    "range NaN": ({"t_max": (0.9, np.nan)}, "t_max must be.*nan"),
    "seed": ({"seed": -1}, "seed must be in.*-1"),
    "threads": ({"threads": -1}, "threads must be in.*-1"),
    "noise": ({"noise": [1, 2]}, r"noise must be an hso.NoiseSchedule.*\[1, 2\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_argument_value_and_limit(name):
    change, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        hso.optimize(**{"noise": SD, "nfe": 5, **change})


def test_published_ends_outside_a_short_table_are_refused():
    with pytest.raises(ValueError, match=r"t_min must be within.*\(0.01, 0.03\) \(the default\)"):
        hso.optimize(hso.NoiseSchedule.from_alphas_cumprod([0.9, 0.1]), nfe=4, limits="published")


@pytest.mark.parametrize(("p", "status"), [(2.0, "converged"), (4.0, "collapsed")])
def test_collapse_is_said(p, status):
    """w = G - G'' is positive everywhere for p = 2 and negative at high SNR for p = 4 (docs/exact.md)."""
    s = hso.optimize(SD, nfe=6, terminal="t_min", p=p, d_min=0.0, search="bilevel")
    assert s.status == status


def test_collapse_is_a_local_minimum():
    """With p = 4 the optimum crosses the high SNR in one step and spends the other nodes where w is positive."""
    s = hso.optimize(SD, nfe=6, terminal="t_min", p=4.0, d_min=0.0)
    collapsed = hso.optimize(SD, nfe=6, terminal="t_min", p=4.0, d_min=0.0, search="bilevel")
    assert s.status == "converged" and s.gap <= 1e-6
    assert s.fitness < collapsed.fitness * (1 - 1e-3)


@pytest.mark.parametrize("noise", [SD, hso.NoiseSchedule.flow(shift=3.0), hso.NoiseSchedule.edm()])
def test_measured_limits_by_default(noise):
    """First node at the most noise, last at the VE sigma 1.5 shift / nfe, 0.2 shift / nfe for other terminals."""
    for nfe in (6, 10, 20):
        s = hso.optimize(noise, nfe)
        assert s.t[0] == noise.t_range[1] and s == hso.optimize(noise, nfe, limits="measured")
        assert np.exp(-s.lambdas[-2]) == pytest.approx(1.5 * noise.shift / nfe)
        last = min(np.log(nfe / (0.2 * noise.shift)), noise.lambda_range[1])
        assert hso.optimize(noise, nfe, terminal="skip").psi.t_min == pytest.approx(noise.t(last))
    paper = hso.optimize(noise, 4, search="paper")
    assert paper == hso.optimize(noise, 4, search="paper", limits="published") and paper.d_min == hso.d_min(4)


def test_without_p_mep_is_the_familys():
    """p = 2 is the published one; for VE it makes every schedule the same (w = G - G'' = 0) and 1 stands instead."""
    for noise, p in ((SD, 2.0), (hso.NoiseSchedule.flow(), 2.0), (hso.NoiseSchedule.edm(), 1.0)):
        s = hso.optimize(noise, 6)
        assert s == hso.optimize(noise, 6, p=p) and s.mep == hso.mep(noise, s.lambdas[:-1], p=p)
        assert s.mep == hso.mep(noise, s.lambdas[:-1]) == hso.Schedule.from_nodes(noise, s.t[:-1]).mep
