"""Tests, intervals and rank correlations against enumeration, worked examples and SciPy on the resamples themselves."""

from __future__ import annotations

import importlib
from itertools import product
from typing import Any

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats")

significance = importlib.import_module("significance")


def test_signed_rank_test_is_the_enumeration_of_all_signs() -> None:
    """Under the null each rank has either sign: the share of the 2^8 sums at least as far from the middle."""
    differences = np.array([0.8, -0.1, 2.3, 1.7, -0.4, 0.9, 3.1, 1.2])
    ranks = np.abs(differences).argsort().argsort() + 1
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=8)])
    observed = ranks[differences > 0].sum()
    expected = np.mean(np.abs(sums - 18) >= abs(observed - 18))
    assert significance.signed_rank_p(differences) == pytest.approx(expected, rel=1e-12)


def test_signed_rank_test_agrees_with_scipy_on_a_paired_sample() -> None:
    rng = np.random.default_rng(0)
    ours = rng.standard_normal(200)
    rival = ours + 0.1 * rng.standard_normal(200) + 0.02
    found = significance.compare(ours, rival, seed=0)
    assert found.p == stats.wilcoxon(ours, rival).pvalue
    assert found.difference == pytest.approx(ours.mean() - rival.mean())


def test_pairs_without_a_difference_say_nothing() -> None:
    assert significance.signed_rank_p(np.zeros(5)) == 1.0
    some = np.array([1.0, 2.0, -0.5, 4.0, 3.0])
    assert significance.signed_rank_p(np.append(some, np.zeros(3))) == significance.signed_rank_p(some)
    same = significance.compare([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], seed=0)
    assert same == (0.0, 0.0, 0.0, 1.0)


def test_interval_of_a_mean_is_the_normal_one_for_many_values() -> None:
    values = np.random.default_rng(1).exponential(size=2000)
    low, high = significance.mean_interval(values, seed=0, resamples=4000)
    error = values.std() / np.sqrt(2000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_interval_agrees_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(2).exponential(size=25)
    low, high = significance.mean_interval(values, seed=0, resamples=20_000, level=0.9)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.01)


def test_holm_of_a_worked_example() -> None:
    """0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, none below the one before."""
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_one_and_takes_ties_and_nothing() -> None:
    assert significance.holm([0.6, 0.6, 0.001]) == pytest.approx([1.0, 1.0, 0.003])
    assert significance.holm([0.02]) == [0.02]
    assert significance.holm([]) == []
    with pytest.raises(ValueError, match="p must be a list of numbers from 0 to 1"):
        significance.holm([0.1, float("nan")])


def test_holm_keeps_the_rate_of_any_false_discovery() -> None:
    """20 true nulls: any adjusted p below 0.05 in at most 5 % of families; unadjusted in 64 %."""
    families = np.random.default_rng(4).random((2000, 20))
    false = np.mean([min(significance.holm(list(p))) < 0.05 for p in families])
    assert 0.03 < false < 0.065


@pytest.mark.parametrize(("sign", "expected"), [(1.0, 1.0), (-1.0, -1.0)])
def test_monotone_relations_have_rank_correlation_one(sign: float, expected: float) -> None:
    x = np.random.default_rng(5).standard_normal(40)
    found = significance.rank_correlation(x, sign * np.exp(3.0 * x), seed=0)
    assert found == pytest.approx((expected,) * 6)


@pytest.mark.parametrize("rounded", [False, True])
def test_correlations_and_their_intervals_are_scipys_on_every_resample(rounded: bool) -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal(30)
    y = x + rng.standard_normal(30)
    if rounded:  # ties
        x, y = np.rint(x), np.rint(y)
    found = significance.rank_correlation(x, y, seed=7, resamples=300)
    drawn = np.random.default_rng(7).integers(30, size=(300, 30))
    spearman = [stats.spearmanr(x[i], y[i]).statistic for i in drawn]
    kendall = [stats.kendalltau(x[i], y[i]).statistic for i in drawn]
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-12)
    assert found.kendall == pytest.approx(stats.kendalltau(x, y).statistic, rel=1e-12)
    assert (found.low, found.high) == pytest.approx(np.quantile(spearman, [0.025, 0.975]), rel=1e-9)
    assert (found.kendall_low, found.kendall_high) == pytest.approx(np.quantile(kendall, [0.025, 0.975]), rel=1e-9)


def test_interval_of_a_correlation_covers_the_true_one() -> None:
    """Bivariate normal, r = 0.6: Spearman's rho is 6/pi asin(r/2), Kendall's tau 2/pi asin(r)."""
    rho, tau = 6.0 / np.pi * np.arcsin(0.3), 2.0 / np.pi * np.arcsin(0.6)
    rng = np.random.default_rng(8)
    inside = []
    for seed in range(150):
        x, noise = rng.standard_normal((2, 80))
        found = significance.rank_correlation(x, 0.6 * x + 0.8 * noise, seed=seed, resamples=200)
        inside.append((found.low < rho < found.high, found.kendall_low < tau < found.kendall_high))
    # 95 % with a deviation of 2 % over 150, and what percentile intervals lack for 80 points
    assert np.all(np.mean(inside, axis=0) > 0.87)


def test_everything_is_a_function_of_its_seed() -> None:
    x, y = np.random.default_rng(9).standard_normal((2, 20))
    assert significance.compare(x, y, seed=1) == significance.compare(x, y, seed=1)
    assert significance.compare(x, y, seed=1) != significance.compare(x, y, seed=2)
    assert significance.rank_correlation(x, y, seed=1) == significance.rank_correlation(x, y, seed=1)
    assert significance.rank_correlation(x, y, seed=1) != significance.rank_correlation(x, y, seed=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], seed=0), "x must not be constant"),
        (lambda s: s.rank_correlation([1.0, 2.0], [1.0, 2.0, 3.0], seed=0), "as many values, got 2 and 3"),
        (lambda s: s.compare([1.0, np.nan], [1.0, 2.0], seed=0), "ours must be finite"),
        (lambda s: s.compare([1.0], [1.0], seed=0), r"ours must have shape \(n,\), n >= 2, got \(1,\)"),
        (lambda s: s.mean_interval([1.0, 2.0], seed=0, resamples=0), "resamples must be at least 1, got 0"),
        (lambda s: s.mean_interval([1.0, 2.0], seed=0, level=95), "level must be above 0 and below 1, got 95"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(significance)
