"""The exact search: what it promises through Python."""

import pickle
import statistics
import time

import numpy as np
import pytest

import hso
from tables import GOLDEN, NOISE, SD


@pytest.mark.parametrize("name", NOISE)
def test_golden_optimum_certified(name):
    for case in GOLDEN[name]["constrained_optimum"]:
        s = hso.optimize(NOISE[name], nfe=case["nfe"], terminal="t_min", p=case["p"], limits="published")
        assert s.search == "exact" and s.status == "converged" and s.psi.rho is None
        assert s.fitness == pytest.approx(case["F"], rel=1e-7)
        assert s.min_spacing >= case["d_min"] - 1e-9
        assert s.lower_bound <= s.fitness and 0.0 <= s.gap <= 1e-6
        assert s.gap == pytest.approx((s.fitness - s.lower_bound) / s.fitness, abs=1e-15)


@pytest.mark.parametrize("local", ["newton", "slsqp"])
@pytest.mark.parametrize("nfe", [2, 5, 8, 20])
def test_never_above_bilevel(nfe, local):
    for noise in (SD, hso.NoiseSchedule.flow(shift=3.0), hso.NoiseSchedule.edm()):
        exact = hso.optimize(noise, nfe, p=1.5, gap=None)
        bilevel = hso.optimize(noise, nfe, p=1.5, search="bilevel", local=local)
        assert exact.fitness <= bilevel.fitness * (1 + 1e-9)


def test_without_a_certificate_there_is_no_bound():
    s, certified = hso.optimize(SD, 6, gap=None), hso.optimize(SD, 6)
    assert s.lower_bound is None and s.gap is None
    assert s.fitness == pytest.approx(certified.fitness, rel=1e-12)


def test_a_smaller_gap_costs_work_and_is_reached():
    s = hso.optimize(SD, 6, gap=1e-9)
    assert s.status == "converged" and s.gap <= 1e-9


def test_gamma_makes_the_spacing_soft():
    hard = hso.optimize(SD, 6, terminal="t_min", limits="published")
    soft = [hso.optimize(SD, 6, terminal="t_min", gamma=gamma, limits="published") for gamma in (0.0, 1.0, 1e3, 1e6)]
    fitness = [s.fitness for s in soft]
    assert fitness == sorted(fitness) and fitness[-1] <= hard.fitness
    assert soft[1].min_spacing < hard.d_min and soft[1].penalty > 0.0
    assert all(s.fitness == s.mep + s.penalty and s.gap <= 1e-6 for s in soft)
    assert soft[-1].fitness == pytest.approx(hard.fitness, rel=1e-4)
    assert hso.optimize(SD, 6, d_min=0.5, gamma=10.0).penalty > 0.0  # what does not fit is shared out


def test_a_list_of_nfe_gives_what_single_calls_give():
    counts = [8, 4, 20, 5]
    for s, nfe in zip(hso.optimize(SD, counts), counts, strict=True):
        alone = hso.optimize(SD, nfe)
        assert s == alone and (s.nfe, s.fitness, s.lower_bound) == (nfe, alone.fitness, alone.lower_bound)
    assert hso.optimize(SD, []) == []


def test_more_calls_than_a_certificate_can_hold_says_so():
    s = hso.optimize(SD, 1000, d_min=0.0)
    assert s.status == "uncertified" and s.gap > 1e-6 and s.lower_bound < s.fitness
    assert s.elapsed < 10.0


def test_a_certified_schedule_survives_pickle_and_file(tmp_path):
    s = hso.optimize(SD, 5)
    s.save(tmp_path / "s.json")
    for copy in (pickle.loads(pickle.dumps(s)), hso.Schedule.load(tmp_path / "s.json")):
        assert copy == s and (copy.lower_bound, copy.gap, copy.search) == (s.lower_bound, s.gap, "exact")


def test_the_python_layer_adds_little():
    added = []
    for _ in range(200):
        began = time.perf_counter()
        s = hso.optimize(SD, 10, gap=None)
        added.append(time.perf_counter() - began - s.elapsed)
    assert statistics.median(added) < 300e-6  # some 16 us on an idle machine


def test_nodes_are_finite_and_monotone_for_steep_proxies():
    for p in (3.0, 4.0):
        s = hso.optimize(SD, 12, p=p, d_min=0.0)
        assert np.all(np.diff(s.t) < 0) and np.all(np.isfinite(s.sigmas))
