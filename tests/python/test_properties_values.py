"""What holds for every noise schedule, and for arguments of any kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hso
from property_strategies import noises, share

SD = hso.NoiseSchedule.preset("sd21")
parts = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20).map(np.asarray)


@given(noises, parts)
def test_the_maps_of_a_noise_schedule_fit_each_other(noise, parts):
    low, high = noise.t_range
    t = np.clip(low + np.sort(parts) * (high - low), low, high)
    lam = np.asarray(noise.lam(t))
    assert np.all(np.diff(lam)[np.diff(t) > 1e-9] < 0) and np.all(np.isfinite(lam))
    least, most = noise.lambda_range
    assert np.all(lam >= least) and np.all(lam <= most)
    np.testing.assert_allclose(noise.t(lam), t, rtol=1e-9, atol=1e-9)
    alpha, sigma = np.asarray(noise.alpha(lam)), np.asarray(noise.sigma(lam))
    np.testing.assert_allclose(np.log(alpha / sigma), lam, rtol=1e-9, atol=1e-9)
    if noise.family != "general":
        sums = {"vp": alpha**2 + sigma**2, "flow": alpha + sigma, "ve": alpha}
        np.testing.assert_allclose(sums[noise.family], 1.0, rtol=1e-12)
    for one, level in zip(t, lam, strict=True):
        assert noise.lam(float(one)) == level


@share(0.5)
@given(noises, st.floats(1e-6, 1.0), st.booleans())
def test_nothing_is_said_outside_the_range(noise, beyond, above):
    low, high = noise.t_range
    t = high + beyond if above else low - beyond
    if 0.0 < t <= 1.0 and noise.family in ("flow", "vp"):
        return  # the t next to 1 where alpha is 0 stand for the last that has a lambda
    for wrong in (t, math.nan, math.inf):
        with pytest.raises(ValueError, match="must"):
            noise.lam(wrong)
    least, most = noise.lambda_range
    with pytest.raises(ValueError, match="must"):
        noise.t(most + beyond if above else least - beyond)


numbers = st.one_of(
    st.integers(), st.integers(-(10**400), 10**400), st.floats(), st.booleans(), st.fractions(), st.complex_numbers()
)
arrays = st.one_of(
    st.lists(st.floats(), max_size=3), st.lists(st.integers(), max_size=3), st.lists(st.text(max_size=2), max_size=2)
)
anything = st.one_of(
    numbers, arrays, st.none(), st.text(max_size=8), st.binary(max_size=4), st.tuples(numbers, numbers),
    arrays.map(np.asarray), st.dictionaries(st.text(max_size=2), numbers, max_size=2), st.just(object()), st.just(SD),
)  # fmt: skip
OPTIONS = (
    "terminal", "solver", "search", "local", "objective", "p", "proxy", "gamma", "gap", "limits", "d_min", "rho",
    "t_min", "t_max", "seed",
)  # fmt: skip


@share(3)
@given(st.sampled_from(OPTIONS), anything, st.sampled_from([None, "bilevel", "paper"]))
def test_an_option_of_any_kind_is_taken_or_refused(name, value, search):
    """By a ValueError that says which; what is taken gives a schedule that says it."""
    options = {"search": search, name: value}
    try:
        schedule = hso.optimize(SD, 3, **options)
    except ValueError as error:
        assert name in str(error)
        return
    assert np.all(np.diff(schedule.t) < 0) and math.isfinite(schedule.fitness)
    assert hso.Schedule.from_json(schedule.to_json()).options == schedule.options


@given(anything)
def test_nfe_of_any_kind_is_taken_or_refused(value):
    if isinstance(value, int | np.integer) and value > 300:
        return  # takes seconds
    try:
        found = hso.optimize(SD, value, gap=None)
    except ValueError as error:
        assert "nfe" in str(error)
        return
    for schedule in found if isinstance(found, list) else [found]:
        assert np.all(np.diff(schedule.t) < 0)


FACTORIES = {
    "from_alphas_cumprod": ("alphas_cumprod",),
    "from_betas": ("betas",),
    "vp_linear": ("beta_min", "beta_max"),
    "vp_cosine": ("s",),
    "flow": ("shift",),
    "edm": ("sigma_min", "sigma_max"),
    "from_table": ("t", "alpha", "sigma", "num_train_timesteps"),
    "preset": ("name", "shift", "width", "height", "num_frames"),
}


@given(st.sampled_from(sorted(FACTORIES)), st.data())
def test_a_noise_schedule_is_made_of_anything_or_refused(factory, data):
    arguments = {name: data.draw(anything, name) for name in FACTORIES[factory]}
    first = FACTORIES[factory][0]
    given_first = [arguments.pop(first)] if factory in ("from_alphas_cumprod", "from_betas", "preset") else []
    if factory == "from_table":
        given_first = [arguments.pop(name) for name in ("t", "alpha", "sigma")]
    try:
        noise = getattr(hso.NoiseSchedule, factory)(*given_first, **arguments)
    except ValueError as error:
        assert "must" in str(error)
        return
    low, high = noise.lambda_range
    assert math.isfinite(low) and math.isfinite(high) and low < high


@given(st.sampled_from(["mep", "mep_gradient", "mep_hessian", "dm_nonuni", "dm_nonuni_gradient"]), anything)
def test_nodes_of_any_kind_are_taken_or_refused(function, value):
    try:
        found = getattr(hso, function)(SD, value)
    except ValueError as error:
        assert str(error)
        return
    for each in found if isinstance(found, tuple) else (found,):
        assert np.all(np.isfinite(each))


@given(anything, st.sampled_from(["zero", "t_min", "skip"]))
def test_a_schedule_of_any_nodes_is_made_or_refused(value, terminal):
    try:
        schedule = hso.Schedule.from_nodes(SD, value, terminal=terminal)
    except ValueError as error:
        assert str(error)
        return
    assert hso.Schedule.from_json(schedule.to_json(), noise=SD) == schedule
