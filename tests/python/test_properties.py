"""What holds for every optimum, tried on random noise schedules and options."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import hso
from property_strategies import Request, noises, requests, share, terminals

ROUNDING = 1e-9


def optimized(schedule: hso.Schedule) -> np.ndarray:
    """t of the nodes that were optimized, with the one that "skip" skips."""
    if schedule.terminal == "zero":
        return schedule.t[:-1]
    return schedule.t if schedule.terminal == "t_min" else np.append(schedule.t[:-1], schedule.psi.t_min)


def mep_of(request: Request, t: np.ndarray) -> float:
    return float(hso.mep(request.noise, np.asarray(request.noise.lam(t)), p=request.options["p"]))


@given(requests())
def test_an_optimum_is_monotone_feasible_and_bounded(request):
    """Within the ranges asked for, as far apart as asked for, with the certificate asked for."""
    schedule, nfe = request.answer(), request.nfe
    assert np.all(np.diff(schedule.t) < 0) and np.all(np.diff(schedule.sigmas) < 0)
    assert np.all(np.diff(schedule.lambdas) > 0) and np.all(np.isfinite(schedule.timesteps))
    assert schedule.nfe == nfe == len(schedule.timesteps) == len(schedule.t) - 1
    assert (schedule.sigmas[-1] == 0.0) == (schedule.terminal != "t_min")
    t = optimized(schedule)
    assert len(t) == request.nodes and (schedule.psi.t_max, schedule.psi.t_min) == (t[0], t[-1])
    low, high = request.noise.t_range
    ends = {"t_max": t[0], "t_min": t[-1]} if len(t) > 1 else {"t_max": t[0]}  # a single node is the first
    for name, end in ends.items():
        least, most = request.options.get(name) or (low, high)
        assert least - ROUNDING <= end <= most + ROUNDING
    if len(t) > 1:
        assert schedule.min_spacing == pytest.approx(np.min(-np.diff(t)), abs=1e-12)
        assert schedule.min_spacing >= schedule.d_min * (1.0 - ROUNDING) - 1e-12
    assert 0.0 <= schedule.penalty <= 1e-12 and schedule.fitness == schedule.mep + schedule.penalty
    assert schedule.mep == pytest.approx(mep_of(request, t), rel=1e-12, abs=1e-12)
    assert schedule.gap >= 0.0 and schedule.lower_bound <= schedule.fitness
    wanted = 1.0 - schedule.lower_bound / schedule.fitness if schedule.fitness > 0.0 else 0.0
    assert schedule.gap == pytest.approx(wanted, abs=1e-12)
    # a collapsed schedule may be uncertified, too: one status has room for one word
    assert schedule.gap <= 1e-6 or schedule.status in ("uncertified", "collapsed")


@given(requests(most=12), st.integers(0, 2**32))
def test_no_feasible_schedule_is_below_the_bound(request, seed):
    """A hundred random ones within the same ends, as far apart as asked; half of them near the optimum."""
    schedule = request.answer()
    best, count = optimized(schedule), request.nodes
    assume(count > 2)
    random = np.random.default_rng(seed)
    room = best[0] - best[-1] - (count - 1) * schedule.d_min
    shares = random.dirichlet(np.ones(count - 1), 100)
    slack = -np.diff(best) - schedule.d_min
    near = np.abs(slack * random.lognormal(0.0, 0.1, (50, count - 1)))
    shares[:50] = near / near.sum(axis=1, keepdims=True)
    t = best[0] - np.cumsum(np.insert(schedule.d_min + np.maximum(room, 0.0) * shares, 0, 0.0, axis=1), axis=1)
    t[:, -1] = best[-1]
    rivals = np.asarray(hso.mep(request.noise, np.asarray(request.noise.lam(t)), p=request.options["p"]))
    assert np.all(rivals >= schedule.lower_bound * (1.0 - ROUNDING))
    assert schedule.fitness <= rivals.min() * (1.0 + max(schedule.gap, 0.0) + ROUNDING)


@share(0.5)
@given(requests(most=8), st.integers(0, 2**64 - 1))
def test_no_search_is_below_the_exact_one(request, seed):
    exact = request.answer()
    for local in ("newton", "slsqp"):
        other = request.answer(search="bilevel", local=local, seed=seed)
        assert other.fitness >= exact.lower_bound * (1.0 - ROUNDING)
        if other.penalty == 0.0:
            assert exact.fitness <= other.fitness * (1.0 + 1e-6)


@given(requests(most=12), st.floats(0.0, 1.0))
def test_more_freedom_is_never_worse(request, part):
    """The schedules of a smaller spacing, or of wider ranges of the ends, are more: their minimum is no higher."""
    schedule = request.answer()
    low, high = request.noise.t_range
    ends = {"t_min": (schedule.psi.t_min,) * 2, "t_max": (schedule.psi.t_max,) * 2}
    wider = {
        "t_min": (low + part * (schedule.psi.t_min - low), schedule.psi.t_min),
        "t_max": (schedule.psi.t_max, high - part * (high - schedule.psi.t_max)),
    }
    closer = {**ends, "d_min": part * schedule.d_min}
    for freedom in (closer, {**wider, "d_min": schedule.d_min}):
        free = request.answer(**freedom)
        assert free.lower_bound <= schedule.fitness * (1.0 + ROUNDING)
        assert free.fitness <= schedule.fitness * (1.0 + 2e-6)


@given(requests(most=12, powers=(0.0, 1.0, 2.0)))
def test_one_call_more_is_never_worse_between_the_same_ends(request):
    """Where w = G - G'' >= 0 an interval's cost c(u, v) has the mixed derivative c_uv = -w sinh(h/2)/2 <= 0, so cutting
    it in two gains: c(a, b) - c(a, x) - c(x, b) is the integral of -c_uv over u in a..x, v in x..b."""
    assume(request.noise.family != "general")
    assume(request.nodes > 1)
    ends = request.answer()
    fixed = {"t_min": (ends.psi.t_min,) * 2, "t_max": (ends.psi.t_max,) * 2, "d_min": 0.0}
    few = request.answer(**fixed)
    more = Request(request.noise, request.nfe + 1, request.options).answer(**fixed)
    assert more.fitness <= few.fitness * (1.0 + 1e-6)


@share(0.5)
@given(requests(most=10), st.floats(0.0, 8.0))
def test_a_soft_spacing_costs_no_more_than_a_hard_one(request, weight):
    """Every schedule that keeps the spacing has the same value under a penalty: the minimum over more is no higher."""
    hard, soft = request.answer(), request.answer(gamma=10.0**weight)
    assert soft.fitness <= hard.fitness * (1.0 + 2e-6)
    assert soft.penalty >= 0.0 and soft.fitness == pytest.approx(soft.mep + soft.penalty, rel=1e-12)
    lam = np.asarray(request.noise.lam(optimized(soft)))
    said = hso.spf(request.noise, lam, 4, d_min=soft.d_min, gamma=10.0**weight, p=request.options["p"])
    assert said == pytest.approx(soft.fitness, rel=1e-9, abs=1e-12)


@share(0.5)
@given(noises, st.lists(st.integers(1, 12), min_size=1, max_size=5), terminals)
def test_many_counts_at_once_are_as_one_by_one(noise, counts, terminal):
    together = hso.optimize(noise, counts, terminal=terminal)
    alone = [hso.optimize(noise, nfe, terminal=terminal) for nfe in counts]
    for one, other in zip(together, alone, strict=True):
        assert one == other and one.fitness == other.fitness
        np.testing.assert_array_equal(one.t, other.t)


@share(0.25)
@given(requests(most=6), st.integers(0, 2**64 - 1), st.integers(2, 4))
def test_threads_do_not_change_a_bit(request, seed, threads):
    one, many = (request.answer(search="bilevel", seed=seed, threads=count) for count in (1, threads))
    assert one == many and (one.fitness, one.evaluations) == (many.fitness, many.evaluations)


@given(requests(most=12), st.floats(0.5, 2.0))
def test_copies_are_equal_to_the_bit(tmp_path_factory, request, gain):
    schedule = request.answer().with_gain(gain)
    path = tmp_path_factory.getbasetemp() / "property.json"
    schedule.save(path)
    copies = [
        hso.Schedule.load(path, noise=request.noise),
        hso.Schedule.from_json(schedule.to_json()),
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
    ]
    for twin in copies:
        assert twin == schedule and hash(twin) == hash(schedule) and twin.to_json() == schedule.to_json()
        assert twin.options == schedule.options and twin.psi == schedule.psi
        assert twin.t.tobytes() == schedule.t.tobytes() and not twin.t.flags.writeable
    assert pickle.loads(pickle.dumps(request.noise)) == request.noise


@given(requests(most=12))
def test_its_own_nodes_make_the_schedule_again(request):
    schedule = request.answer()
    assume(schedule.terminal != "skip")
    again = hso.Schedule.from_nodes(
        request.noise,
        optimized(schedule),
        terminal=schedule.terminal,
        p=request.options["p"],
        d_min=schedule.d_min,
    )
    np.testing.assert_allclose(again.lambdas, schedule.lambdas, rtol=0.0, atol=1e-9)
    assert again.fitness == pytest.approx(schedule.fitness, rel=1e-9, abs=1e-12)
