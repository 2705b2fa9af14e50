"""The solvers that calibrations run, in NumPy and in the core, against those of tests/python/reference_solvers.py."""

from __future__ import annotations

import numpy as np
import pytest

from calibration_models import NOISES, levels, sample
from hso import _core
from hso._multistep import MOST_ORDER, Multistep
from hso.noise_schedule import core_noise
from reference_solvers import unipc

SOLVERS = [("ddim", 1), ("dpm-solver++", 1), ("dpm-solver++", 2), ("unipc", 1), ("unipc", 2), ("unipc", 3)]
SIZE = 3


def nodes(noise, count, seed):
    """Uneven: gaps differ by a factor of up to 10."""
    low, high = max(noise.lambda_range[0], -5.0), min(noise.lambda_range[1], 4.0)
    gaps = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    return low + (high - low) * np.cumsum(gaps) / (gaps.sum() + 0.3)


def network(x, lam):
    """Components mix, and nothing is linear."""
    return np.tanh(np.roll(x, 1, axis=1)) + 0.5 * np.sin(lam + np.arange(SIZE))


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize(("solver", "order"), SOLVERS)
@pytest.mark.parametrize("steps", [*range(1, 8), 14, 15, 16, 20])
def test_runs_to_zero(family, solver, order, steps):
    noise, lambdas = NOISES[family], nodes(NOISES[family], steps, steps)
    eps = np.random.default_rng(1).standard_normal((4, SIZE))
    x = eps * noise.sigma(lambdas[0]) if family == "ve" else eps
    run, asked = Multistep(solver, order).steps(lambdas, x / noise.alpha(lambdas[0])), []
    y = next(run)
    with pytest.raises(StopIteration) as end:
        while True:
            lam = lambdas[len(asked)]
            asked.append(y)
            y = run.send(network(noise.alpha(lam) * y, lam))
    assert len(asked) == steps
    wanted = sample(network, noise, lambdas, eps, solver=solver, order=order)
    np.testing.assert_allclose(end.value.value, wanted, rtol=0.0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("order", [1, 2, 3])
def test_unipc_may_keep_its_order(order):
    noise = NOISES["vp"]
    lambdas = nodes(noise, 7, 3)
    eps = np.random.default_rng(1).standard_normal((4, SIZE))
    run, seen = Multistep("unipc", order).steps(lambdas, eps / noise.alpha(lambdas[0]), lower_end=False), []
    y = next(run)
    for lam in lambdas:
        seen.append(y)
        try:
            y = run.send(network(noise.alpha(lam) * y, lam))
        except StopIteration:
            break
    # where the network is asked last: the end of a run to that node
    path = levels(noise, lambdas, False)
    x = unipc(path, lambda x, i: network(x, lambdas[i]), eps, order=order, lower_order_final=False)
    np.testing.assert_allclose(noise.alpha(lambdas[-1]) * seen[-1], x, rtol=0.0, atol=1e-12 * np.abs(x).max())


def test_kinds_of_numbers_are_kept():
    run = Multistep("unipc", 3).steps(np.linspace(-2.0, 1.0, 5), np.ones((2, 3), dtype=np.float32))
    y = next(run)
    for _ in range(4):
        assert y.dtype == np.float32
        y = run.send(0.5 * y)


def line(noise, high=2.5, response=0.4):
    """A network that the core's model of the error represents exactly: D = p + response (y - q); for 2 numbers."""
    lambdas = np.linspace(noise.lambda_range[0], high, 7)
    scale = np.hypot(1.0, np.exp(-lambdas))
    p = np.stack([0.3 + 0.2 * lambdas, 0.5 - 0.1 * lambdas], axis=1)
    q = np.stack([1.0 - 0.1 * lambdas, 0.05 * lambdas - 0.2], axis=1) * scale[:, None]
    eps = np.array([1.0, -0.3])
    errors = np.random.default_rng(0).uniform(-1.0, 1.0, (20, 2))
    model = _core.ErrorModel(
        core_noise(noise), lambdas, p, q, eps, np.linspace(lambdas[0], high, 20), errors, response * errors
    )

    def denoise(x, lam):
        y, inside = x / noise.alpha(lam), min(lam, high)
        at = np.array([1.0 - 0.1 * inside, 0.05 * inside - 0.2]) * np.hypot(1.0, np.exp(-inside))
        end = np.array([0.3 + 0.2 * inside, 0.5 - 0.1 * inside])
        return end + response * (y - end - np.exp(inside - lam) * (at - end))

    return model, denoise, eps, p[-1]


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize(("solver", "order"), SOLVERS)
@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_the_cores_solvers_are_these(family, solver, order, terminal):
    noise = NOISES[family]
    model, denoise, eps, final = line(noise)
    for steps in (1, 2, 3, 5, 14, 15, 16, 20):
        to_zero = terminal != "t_min"
        lambdas = nodes(noise, steps + (not to_zero), steps)
        x = sample(denoise, noise, lambdas, eps[None], solver=solver, order=order, to_zero=to_zero)[0]
        wanted = np.linalg.norm(x - final)
        assert model.error(lambdas, solver, order, terminal, 1.0) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("solver", "order"), SOLVERS)
def test_the_best_gain_is_the_minimum(solver, order):
    optimize = pytest.importorskip("scipy.optimize")
    for noise in NOISES.values():
        model = line(noise)[0]
        lambdas = nodes(noise, 6, 2)
        found = optimize.minimize_scalar(
            lambda gain, of=model, at=lambdas: of.error(at, solver, order, "t_min", gain) ** 2,
            bracket=(0.5, 1.5),
            tol=1e-10,
        )
        assert model.best_gain(lambdas, solver, order, "t_min") == pytest.approx(found.x, rel=1e-6)


def test_names_and_orders():
    assert Multistep.of("euler", None) == Multistep.of("ddim", 1) == Multistep("ddim", 1)
    assert Multistep.of("dpm-solver++", None).order == Multistep.of("unipc", None).order == 2
    for solver, most in MOST_ORDER.items():
        assert [Multistep.of(solver, order).order for order in range(1, most + 1)] == [*range(1, most + 1)]
        for order in (0, most + 1, 1.0, True, "2"):
            with pytest.raises(ValueError, match="order must be"):
                Multistep.of(solver, order)
    for solver in ("heun", "DDIM", None, 3):
        with pytest.raises(ValueError, match="solver must be one of 'ddim', 'dpm-solver\\+\\+', 'unipc'"):
            Multistep.of(solver, None)


def test_the_core_names_what_it_does_not_know():
    model = line(NOISES["vp"])[0]
    lambdas = np.array([-1.0, 0.0, 1.0])
    for call, message in (
        (lambda: model.error(lambdas, "heun", 1, "zero", 1.0), "solver must be.*'heun'"),
        (lambda: model.error(lambdas, "ddim", 1, "late", 1.0), "terminal must be.*'late'"),
        (lambda: model.best_gain(lambdas, "ddim", 2, "zero"), "order must be in 1..1"),
        (lambda: model.jumps(lambdas, "away"), "carried must be.*'away'"),
        (lambda: model.late_starts(lambdas, ""), "carried must be"),
        (lambda: model.jumps(lambdas[::-1], "no"), r"lambdas\[1\] must be above"),
        (lambda: model.error(np.array([np.nan]), "ddim", 1, "zero", 1.0), "lam"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
