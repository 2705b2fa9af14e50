"""What changes of a noise schedule do to its optimum, and where the optimum is known in closed form.

MEP of nodes lambda_i is the sum of eps~(m_i) (e^lambda_{i+1} - e^lambda_i) = 2 G(m_i) sinh(h_i / 2), with m_i the
middles, h_i the lengths, eps~ = sigma^p / alpha and G = eps~ e^lambda. It sees the noise levels alone; only the spacing
and the ranges of the ends are in t.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import hso
from property_strategies import cosines, edms, flows, general, noises, share, tables, vp_linears, vp_tables

POWERS = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0])
COUNTS = st.integers(1, 12)
TWO_GAPS = 2e-6  # of two optima, each certified to 1e-6
parts = st.floats(0.1, 10.0)


def between(noise: hso.NoiseSchedule, nfe: int, first: float, last: float, **options: object) -> hso.Schedule:
    """The optimum of nfe intervals between two t."""
    ends = {"t_min": (last, last), "t_max": (first, first)}
    return hso.optimize(noise, nfe, terminal="t_min", **{"d_min": 0.0, **ends, **options})


def inner(noise: hso.NoiseSchedule, low: float, high: float) -> tuple[float, float]:
    """t at two parts of the range."""
    least, most = noise.t_range
    return least + low * (most - least), least + high * (most - least)


ends = st.tuples(st.floats(0.0, 0.3), st.floats(0.6, 1.0))


@given(noises, COUNTS, ends)
def test_for_p_1_the_optimum_is_uniform_in_lambda(noise, nfe, ends):
    """VP, flow and VE: G = sigma^(p-1) is 1, and the sum of 2 sinh(h/2), convex in h, is least for equal h."""
    assume(noise.family != "general")
    last, first = inner(noise, *ends)
    schedule = between(noise, nfe, first, last, p=1.0)
    length = noise.lam(last) - noise.lam(first)
    assert schedule.fitness == pytest.approx(2.0 * nfe * np.sinh(length / (2.0 * nfe)), rel=1e-6)
    assert schedule.lower_bound <= 2.0 * nfe * np.sinh(length / (2.0 * nfe)) * (1.0 + 1e-9)


@share(0.5)
@given(edms, COUNTS, ends, st.sampled_from([0.0, 2.0]))
def test_for_ve_with_p_0_or_2_every_schedule_costs_the_same(noise, nfe, ends, p):
    """G = e^-+lambda: the sum telescopes to the difference of the ends' e^lambda, or of their sigma = e^-lambda."""
    last, first = inner(noise, *ends)
    sign = 1.0 if p == 0.0 else -1.0
    wanted = abs(np.exp(sign * noise.lam(last)) - np.exp(sign * noise.lam(first)))
    assert between(noise, nfe, first, last, p=p, gap=None).fitness == pytest.approx(wanted, rel=1e-9)


@given(st.one_of(vp_tables(), vp_linears, cosines, flows), COUNTS, ends, st.sampled_from([0.0, 1.0, 2.0]))
def test_mep_is_above_the_integral_it_tends_to(noise, nfe, ends, p):
    """Cutting intervals gains where w = G - G'' > 0, and without end it leaves the integral of G; at second order."""
    last, first = inner(noise, *ends)
    span = noise.lam(first), noise.lam(last)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    lam = span[0] + (nodes + 1.0) * (span[1] - span[0]) / 2.0
    log_sigma = -np.logaddexp(0.0, lam) if noise.family == "flow" else -0.5 * np.logaddexp(0.0, 2.0 * lam)
    integral = float(np.sum(weights * np.exp((p - 1.0) * log_sigma)) * (span[1] - span[0]) / 2.0)
    schedule = between(noise, nfe, first, last, p=p)
    assert schedule.fitness >= integral * (1.0 - 1e-9)
    errors = [hso.mep(noise, np.linspace(*span, n + 1), p=p) - integral for n in (64, 128)]
    assert 3.8 <= errors[0] / errors[1] <= 4.2


@given(edms, st.floats(1e-3, 1e3), COUNTS, ends, st.sampled_from([0.5, 1.0, 1.5]), st.sampled_from([0.0, 0.5]))
def test_scaling_the_sigma_of_edm(noise, scale, nfe, ends, p, spaced):
    """lambda moves by -log(scale) at every t and alpha stays: eps~ grows by scale^p, e^lambda by 1/scale. t, linear in
    log(sigma) between the ends, is the same, and with it the spacing."""
    low, high = np.exp(-noise.lambda_range[1]), np.exp(-noise.lambda_range[0])
    scaled = hso.NoiseSchedule.edm(sigma_min=scale * low, sigma_max=scale * high)
    last, first = inner(noise, *ends)
    t = np.linspace(first, last, 7)
    one, other = np.asarray(noise.lam(t)), np.asarray(scaled.lam(t))
    np.testing.assert_allclose(other, one - np.log(scale), atol=1e-9)
    factor = scale ** (p - 1.0)
    assert hso.mep(scaled, other, p=p) == pytest.approx(factor * hso.mep(noise, one, p=p), rel=1e-8)
    d_min = spaced * (first - last) / nfe
    small, large = (between(each, nfe, first, last, p=p, d_min=d_min) for each in (noise, scaled))
    assert large.fitness == pytest.approx(factor * small.fitness, rel=TWO_GAPS)
    assert hso.mep(scaled, scaled.lam(small.t), p=p) <= large.fitness * (1.0 + TWO_GAPS)


@given(tables(), parts, parts, COUNTS, ends, POWERS, st.sampled_from([0.0, 0.5]))
def test_scaling_alpha_and_sigma_of_a_table(table, a, s, nfe, ends, p, spaced):
    """Of a table shifted in lambda by log(a/s): eps~ becomes s^p/a and e^lambda a/s times as large, at every t."""
    t, alpha, sigma = table
    noise, scaled = hso.NoiseSchedule.from_table(t, alpha, sigma), hso.NoiseSchedule.from_table(t, a * alpha, s * sigma)
    assume(noise.family == scaled.family == "general")
    last, first = inner(noise, *ends)
    d_min = spaced * (first - last) / nfe
    one, other = (between(each, nfe, first, last, p=p, d_min=d_min) for each in (noise, scaled))
    assert other.fitness == pytest.approx(s ** (p - 1.0) * one.fitness, rel=TWO_GAPS)
    assert hso.mep(scaled, scaled.lam(one.t), p=p) <= other.fitness * (1.0 + TWO_GAPS)


@given(st.floats(0.05, 50.0), st.floats(0.05, 50.0), COUNTS, st.floats(0.01, 0.3), st.floats(0.7, 0.99), POWERS)
def test_a_flow_schedule_between_given_ends_does_not_see_the_shift(one, other, nfe, last, first, p):
    """alpha = 1 - s and sigma = s = t whatever the shift, which moves the sampler's clock alone: to the bit."""
    small, large = (between(hso.NoiseSchedule.flow(shift=shift), nfe, first, last, p=p) for shift in (one, other))
    np.testing.assert_array_equal(small.t, large.t)
    assert small.fitness == large.fitness


@given(st.floats(0.05, 20.0), st.integers(20, 400), COUNTS, POWERS)
def test_a_flow_table_on_the_unshifted_clock_is_shifted_in_lambda(shift, n, nfe, p):
    """There s = shift u / (1 + (shift - 1) u) has lambda = log((1 - u) / u) - log(shift). Without a spacing the
    clock is no matter: between the same levels the optimum is the same."""
    u = np.linspace(1e-3, 0.999, n)
    s = shift * u / (1.0 + (shift - 1.0) * u)
    clock, level = hso.NoiseSchedule.from_table(u, 1.0 - s, s), hso.NoiseSchedule.flow()
    np.testing.assert_allclose(clock.lam(u), np.log((1.0 - u) / u) - np.log(shift), atol=1e-9)
    by_clock = between(clock, nfe, u[-1], u[0], p=p)
    by_level = between(level, nfe, float(s[-1]), float(s[0]), p=p)
    assert by_clock.fitness == pytest.approx(by_level.fitness, rel=TWO_GAPS)


@given(tables(), st.floats(0.3, 3.0), COUNTS, POWERS)
def test_another_clock_changes_no_level(table, power, nfe, p):
    """t -> t^power keeps the levels of a table. A general table's sigma is a function of lambda alone, so without a
    spacing the optimum between its ends is the same, however lambda runs between the entries."""
    t, alpha, sigma = table
    noise, other = (hso.NoiseSchedule.from_table(clock, alpha, sigma) for clock in (t, t**power))
    found = [between(each, nfe, float(each.t_range[1]), float(each.t_range[0]), p=p) for each in (noise, other)]
    assert found[0].fitness == pytest.approx(found[1].fitness, rel=TWO_GAPS)


@given(st.one_of(vp_tables(), general, flows))
def test_tables_in_reversed_order_are_refused(noise):
    t = np.linspace(*noise.t_range, 7)
    alpha, sigma = np.asarray(noise.alpha(noise.lam(t))), np.asarray(noise.sigma(noise.lam(t)))
    hso.NoiseSchedule.from_table(t, alpha, sigma)
    for table in ((t[::-1], alpha[::-1], sigma[::-1]), (t, alpha[::-1], sigma[::-1])):
        with pytest.raises(ValueError, match=r"must"):
            hso.NoiseSchedule.from_table(*table)
    if noise.family == "vp":
        hso.NoiseSchedule.from_alphas_cumprod(alpha**2)
        with pytest.raises(ValueError, match=r"alphas_cumprod\[1\] must be below"):
            hso.NoiseSchedule.from_alphas_cumprod(alpha[::-1] ** 2)


@st.composite
def sampled(draw: st.DrawFn) -> tuple[hso.NoiseSchedule, list[hso.NoiseSchedule]]:
    """A smooth noise schedule, and it as tables of n, 2n and 4n intervals."""
    exact = draw(st.one_of(vp_linears, flows, cosines))
    low, high = inner(exact, 0.01, 0.98)
    n = draw(st.integers(40, 200))
    scale = draw(st.sampled_from([1.0, 1.5]))  # another scale: no family's closed form, sigma is interpolated too
    made = []
    for count in (n, 2 * n, 4 * n):
        t = np.linspace(low, high, count + 1)
        lam = np.asarray(exact.lam(t))
        alpha, sigma = np.asarray(exact.alpha(lam)), np.asarray(exact.sigma(lam))
        made.append(hso.NoiseSchedule.from_table(t, scale * alpha, scale * sigma))
    return exact, made


@given(sampled(), st.integers(2, 10), ends, st.sampled_from([1.0, 1.5, 2.0]), st.sampled_from([0.0, 0.5]))
def test_refining_a_table_changes_the_optimum_by_its_interpolation_error(pair, nfe, ends, p, spaced):
    """Ends and spacing are in t, so what is feasible for one table is for the other: the optima differ by no more than
    MEP does at the same t, and that by its slopes times the errors in lambda (and in sigma, of a general table)."""
    _, tables = pair
    last, first = inner(tables[0], 0.1 + 0.5 * ends[0], 0.9 * ends[1])
    found = [between(each, nfe, first, last, p=p, d_min=spaced * (first - last) / nfe) for each in tables]
    coarse, fine = found[:2]
    lams = [np.asarray(each.lam(coarse.t)) for each in tables[:2]]
    crossed = [hso.mep(tables[1], lams[1], p=p), hso.mep(tables[0], tables[0].lam(fine.t), p=p)]
    assert fine.fitness <= crossed[0] * (1.0 + TWO_GAPS) and coarse.fitness <= crossed[1] * (1.0 + TWO_GAPS)
    if tables[0].family != "general":
        slopes = np.abs(hso.mep_gradient(tables[0], lams[0], p=p))
        moved = float(np.sum(slopes * np.abs(lams[1] - lams[0])))
        assert abs(crossed[0] - coarse.fitness) <= 1.1 * moved + 1e-9 * coarse.fitness


@share(0.5)
@given(sampled())
def test_the_error_of_a_table_falls_as_the_square_of_its_steps(pair):
    """lambda is interpolated linearly in t: its largest error off the entries is h^2/8 times the curvature there."""
    exact, tables = pair
    t = np.linspace(*inner(tables[0], 0.1, 0.9), 3001)
    errors = [float(np.max(np.abs(np.asarray(each.lam(t)) - np.asarray(exact.lam(t))))) for each in tables]
    assert errors[2] < 1e-9 or 3.0 <= errors[0] / errors[1] <= 5.0
