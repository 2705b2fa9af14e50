"""The Python layer, timed by pytest-benchmark; every answer is checked before it is timed. ./test does not run this.

pytest bench/python/test_benchmarks.py                                     # a table on the terminal
python bench/python/bench_python.py --out bench/results/python.json        # the same into bench/results
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hso
from bench_calibration import DIMENSIONS, Mixture
from reference_objectives import BETAS, mep

Benchmark = Any
"""pytest-benchmark's fixture; the package is not there where types are checked."""

SEARCHES: dict[str, dict[str, Any]] = {
    "exact": {"search": "exact", "gap": None},
    "certified": {"search": "exact"},
    "bilevel_newton": {"search": "bilevel", "local": "newton"},
    "bilevel_slsqp": {"search": "bilevel", "local": "slsqp"},
    "paper_slsqp": {"search": "paper", "local": "slsqp"},
}
NFE = (4, 5, 6, 8, 10, 12, 16, 20)
LIST = [4, 5, 6, 8]


@pytest.fixture(scope="module")
def noise() -> hso.NoiseSchedule:
    """Stable Diffusion's table."""
    return hso.NoiseSchedule.from_betas(BETAS["sd_scaled_linear"]())


@pytest.fixture(scope="module")
def schedule(noise: hso.NoiseSchedule) -> hso.Schedule:
    """Eight calls, certified."""
    return hso.optimize(noise, nfe=8)


def optimize(noise: hso.NoiseSchedule, nfe: Any, **options: Any) -> Any:
    """The published UniPC setting."""
    return hso.optimize(noise, nfe, terminal="t_min", limits="published", **options)


@pytest.mark.parametrize("what", ["pass", "import numpy", "import hso"])
def test_import(benchmark: Benchmark, what: str) -> None:
    """Whole processes: an empty one, NumPy's import and ours."""
    run = partial(subprocess.run, [sys.executable, "-c", what], check=True, timeout=60)
    benchmark.pedantic(run, rounds=11, warmup_rounds=1)


def added_by_python(call: Callable[[], hso.Schedule], calls: int = 201) -> float:
    """Median seconds of a call less what the core measured of it."""
    added = []
    for _ in range(calls):
        began = time.perf_counter()
        found = call()
        added.append(time.perf_counter() - began - found.elapsed)
    return statistics.median(added)


@pytest.mark.parametrize("nfe", NFE)
@pytest.mark.parametrize("search", SEARCHES)
def test_optimize(benchmark: Benchmark, noise: hso.NoiseSchedule, search: str, nfe: int) -> None:
    """No search beats the certified bound, and all but the published one reach it."""
    call = partial(optimize, noise, nfe, **SEARCHES[search])
    found, bound = call(), optimize(noise, nfe)
    assert bound.gap <= 1e-6 and found.fitness >= bound.lower_bound
    assert search == "paper_slsqp" or math.isclose(found.fitness, bound.fitness, rel_tol=1e-6)
    benchmark(call)
    if search == "exact":
        benchmark.extra_info["added_by_python"] = added_by_python(call)


def test_optimize_list(benchmark: Benchmark, noise: hso.NoiseSchedule) -> None:
    """Several nfe in one call, each as alone."""
    call = partial(optimize, noise, LIST, **SEARCHES["exact"])
    for found, nfe in zip(call(), LIST, strict=True):
        assert found == optimize(noise, nfe, **SEARCHES["exact"])
    benchmark(call)


def table(entries: int) -> tuple[np.ndarray[Any, Any], ...]:
    """Times, alpha and sigma of Stable Diffusion's betas stretched to so many entries."""
    log_alpha = 0.5 * np.cumsum(np.log1p(-betas(entries)))
    return np.arange(1, entries + 1) / entries, np.exp(log_alpha), np.sqrt(-np.expm1(2.0 * log_alpha))


def betas(entries: int) -> np.ndarray[Any, Any]:
    """As Stable Diffusion's, so many; the last alpha stays the same."""
    root = np.linspace(math.sqrt(0.00085), math.sqrt(0.012), entries)
    return root**2 * (1000 / entries)


@pytest.mark.parametrize("entries", [1000, 10_000])
@pytest.mark.parametrize("kind", ["from_betas", "from_alphas_cumprod", "from_table", "from_table_general"])
def test_noise(benchmark: Benchmark, kind: str, entries: int) -> None:
    """lambda at t = 1/2 is the table's."""
    t, alpha, sigma = table(entries)
    if kind == "from_table_general":
        alpha, sigma = 1.0 - 0.5 * t, t**1.5
    make = {
        "from_betas": partial(hso.NoiseSchedule.from_betas, betas(entries)),
        "from_alphas_cumprod": partial(hso.NoiseSchedule.from_alphas_cumprod, alpha**2),
    }.get(kind, partial(hso.NoiseSchedule.from_table, t, alpha, sigma))
    half = entries // 2 - 1
    assert math.isclose(make().lam(0.5), math.log(alpha[half] / sigma[half]), rel_tol=1e-9)
    benchmark(make)


def test_preset(benchmark: Benchmark) -> None:
    """A known model's, from its recipe."""
    assert hso.NoiseSchedule.preset("sd21").family == "vp"
    benchmark(hso.NoiseSchedule.preset, "sd21")


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("which", ["lam", "t", "alpha", "sigma", "timestep"])
def test_evaluate(benchmark: Benchmark, noise: hso.NoiseSchedule, which: str, count: int) -> None:
    """Many values at once, as the table has them."""
    t, alpha, sigma = table(1000)
    columns = {"lam": np.log(alpha / sigma), "t": t, "alpha": alpha, "sigma": sigma, "timestep": np.arange(1000.0)}
    part = slice(500, 501) if count == 1 else slice(None)
    evaluate = partial(getattr(noise, which), columns["t" if which == "lam" else "lam"][part])
    np.testing.assert_allclose(evaluate(), columns[which][part], rtol=1e-9, atol=1e-9)
    benchmark(evaluate)


@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("function", ["mep", "mep_gradient"])
def test_objective(benchmark: Benchmark, noise: hso.NoiseSchedule, function: str, rows: int) -> None:
    """Ten intervals a row; the value is the NumPy reference's, the gradient its differences."""
    nodes = np.linspace(noise.lam(0.96), noise.lam(0.03), 11)
    steps = 1e-5 * np.eye(11)
    slopes = [(mep(nodes + step) - mep(nodes - step)) / 2e-5 for step in steps]
    expected, tolerance = (mep(nodes), 1e-12) if function == "mep" else (slopes, 1e-7)
    call = partial(getattr(hso, function), noise, nodes if rows == 1 else np.tile(nodes, (rows, 1)))
    for row in np.reshape(call(), (rows, -1)):
        np.testing.assert_allclose(row, np.ravel(expected), rtol=tolerance)
    benchmark(call)


def test_schedule_from_nodes(benchmark: Benchmark, noise: hso.NoiseSchedule, schedule: hso.Schedule) -> None:
    """The same schedule without the search."""
    call = partial(hso.Schedule.from_nodes, noise, schedule.t[:-1])
    np.testing.assert_array_equal(call().sigmas, schedule.sigmas)
    benchmark(call)


def test_save(benchmark: Benchmark, schedule: hso.Schedule, tmp_path: Path) -> None:
    """To a file, and the same comes back."""
    path = tmp_path / "schedule.json"
    schedule.save(path)
    assert hso.Schedule.load(path) == schedule
    benchmark(schedule.save, path)


def test_load(benchmark: Benchmark, noise: hso.NoiseSchedule, schedule: hso.Schedule, tmp_path: Path) -> None:
    """From a file, checked against its noise schedule."""
    path = tmp_path / "schedule.json"
    schedule.save(path)
    load = partial(hso.Schedule.load, path, noise=noise)
    assert load() == schedule
    benchmark(load)


def test_explain(benchmark: Benchmark, noise: hso.NoiseSchedule, schedule: hso.Schedule) -> None:
    """In words."""
    call = partial(hso.explain, schedule, noise)
    assert "8" in str(call())
    benchmark(call)


@pytest.mark.parametrize("format", hso.exports.FORMATS)
def test_export(benchmark: Benchmark, noise: hso.NoiseSchedule, schedule: hso.Schedule, format: str) -> None:
    """For another program, which reads as many steps back."""
    call = partial(schedule.export, format, noise=noise)
    assert hso.exports.parse(call(), format, noise).steps == schedule.steps
    benchmark(call)


@pytest.mark.parametrize("name", ["UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"])
def test_diffusers_apply(benchmark: Benchmark, name: str) -> None:
    """Onto a scheduler that holds a schedule already; bench_handover.py has all classes."""
    diffusers = pytest.importorskip("diffusers")
    plain = (
        {} if name.startswith("Flow") else {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    )
    scheduler = getattr(diffusers, name)(**plain)
    found = hso.optimize(hso.diffusers.noise_schedule(scheduler), nfe=8)
    held = hso.diffusers.apply(scheduler, found)
    assert hso.diffusers.realised(held).steps == 8
    benchmark(hso.diffusers.apply, held, found)


@pytest.fixture(scope="module")
def profile(noise: hso.NoiseSchedule) -> hso.Profile:
    """A model that was asked 512 times."""
    return hso.calibrate(Mixture(noise), noise, solver="ddim", shape=(DIMENSIONS,), budget=512)


def test_profile_error(benchmark: Benchmark, profile: hso.Profile, schedule: hso.Schedule) -> None:
    """The error that a profile expects of a schedule."""
    assert 0.0 < profile.error(schedule) < 1.0
    benchmark(profile.error, schedule)


def test_profile_optimize(benchmark: Benchmark, profile: hso.Profile, schedule: hso.Schedule) -> None:
    """The schedule that a profile asks for is no worse by its measure."""
    call = partial(hso.optimize, profile, nfe=8)
    assert profile.error(call()) <= profile.error(schedule)
    benchmark(call)


def test_chain(benchmark: Benchmark) -> None:
    """Cheapest chains of 1 to 20 edges through 300 points, by the plain recurrence."""
    cost = np.random.default_rng(0).uniform(size=(300, 300))
    cost[np.tril_indices(300)] = np.inf
    call = partial(hso.chain.shortest_chains, cost, max_edges=20)
    value = np.where(np.arange(300) == 0, 0.0, np.inf)
    for chain in call():
        value = np.min(value[:, None] + cost, axis=0)
        assert math.isclose(chain.cost, value[-1], rel_tol=1e-12)
    benchmark(call)
