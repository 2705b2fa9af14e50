"""Whether a profile still fits a model: the same one, wider ones, and ones with guidance."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import hso
from calibration_models import NOISES, SD, SIZE, VARIANCES, calibrate, gaussian, mixture
from hso.calibration import Fit
from hso.network import CallableNetwork


@functools.cache
def profile(family="vp", solver="ddim"):
    return calibrate(noise=NOISES[family], solver=solver)


@functools.cache
def mixture_profile():
    return hso.calibrate(mixture(), SD, shape=(64,), budget=600)


def guided(denoise, plain, scale):
    """Classifier-free guidance's extrapolation."""
    return lambda x, lam: denoise(x, lam) + scale * (denoise(x, lam) - plain(x, lam))


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize("solver", ["ddim", "dpm-solver++", "unipc"])
def test_the_same_model_fits(family, solver):
    seen = []

    def denoise(x, lam):
        seen.append(len(x))
        return gaussian(NOISES[family])(x, lam)

    measured = profile(family, solver)
    fit = measured.check(denoise, shape=(SIZE,))
    assert fit == Fit(changed=0.0, loss=0.0, fits=True, evaluations=sum(seen))
    assert set(seen) == {4} and len(seen) == len(measured._signature.lambdas)
    assert measured._signature.changes.shape == (len(seen) - 1, 4)


def test_the_run_is_the_solvers_own():
    """What a signature keeps are the movements of the prediction along a run, on the calibration's first samples."""
    for family, noise in NOISES.items():
        lambdas, changes = profile(family)._signature.lambdas, profile(family)._signature.changes
        eps = np.stack([np.random.default_rng([0, i]).standard_normal(SIZE) for i in range(4)])
        y = eps * (noise.sigma(lambdas[0]) if family == "ve" else 1.0) / noise.alpha(lambdas[0])
        answers = []
        for i, lam in enumerate(lambdas):
            answers.append(gaussian(noise)(noise.alpha(lam) * y, lam))
            if i + 1 < len(lambdas):
                kept = np.exp(lam - lambdas[i + 1])
                y = kept * y + (1.0 - kept) * answers[-1]
        moved = np.sqrt(np.mean(np.diff(answers, axis=0) ** 2, axis=2))
        np.testing.assert_allclose(moved, changes, rtol=1e-9)


def test_the_same_mixture_fits_however_the_batch_is_cut():
    for batch in (None, 1, 3):
        fit = mixture_profile().check(mixture(), shape=(64,), batch=batch)
        assert fit.changed < 1e-10 and abs(fit.loss) < 1e-10 and fit.fits


@pytest.mark.parametrize("widths", [(1.1, 1.5, 2.0, 4.0, 10.0), (0.9, 0.7, 0.5, 0.25)])
def test_wider_data_fit_less_and_less(widths):
    fits = [profile().check(gaussian(variances=width**2 * VARIANCES), shape=(SIZE,)) for width in widths]
    assert fits[0].changed > 0.05 and fits[0].loss > 1e-5 and fits[0].fits
    assert np.all(np.diff([fit.changed for fit in fits]) > 0.0)
    assert np.all(np.diff([fit.loss for fit in fits]) > 0.0)
    assert not fits[-1].fits and fits[-1].loss > 0.1


def test_scaled_predictions_change_and_may_fit():
    """Twice the image in all steps, from data that were scaled with their noise: nothing is to be gained elsewhere."""
    measured = profile()
    changes = measured._signature.changes
    lambdas = measured._signature.lambdas
    # a network that answers twice what the calibration's was told on its own run
    eps = np.stack([np.random.default_rng([0, i]).standard_normal(SIZE) for i in range(4)])
    answers, y = [], eps / SD.alpha(lambdas[0])
    for i, lam in enumerate(lambdas):
        answers.append(gaussian()(SD.alpha(lam) * y, lam))
        if i + 1 < len(lambdas):
            kept = np.exp(lam - lambdas[i + 1])
            y = kept * y + (1.0 - kept) * answers[-1]
    recorded = iter(answers)
    fit = measured.check(lambda x, lam: 2.0 * next(recorded), shape=(SIZE,))
    assert fit.changed == pytest.approx(1.0) and fit.loss == pytest.approx(0.0, abs=1e-12) and fit.fits
    # one step that moves 16 times as far: sum rho = K + 15, sum sqrt(rho) = K + 3
    steps = len(changes)
    jumps = np.diff(answers, axis=0)
    jumps[1] *= 16.0
    recorded = iter(np.concatenate([answers[:1], answers[0] + np.cumsum(jumps, axis=0)]))
    fit = measured.check(lambda x, lam: next(recorded), shape=(SIZE,))
    assert fit.loss == pytest.approx(steps * (steps + 15.0) / (steps + 3.0) ** 2 - 1.0)


def test_guidance():
    plain = gaussian(variances=np.ones(64))
    scales = (0.25, 0.5, 1.0, 2.0, 4.0)
    fits = [mixture_profile().check(guided(mixture(), plain, scale), shape=(64,)) for scale in scales]
    assert np.all(np.diff([fit.changed for fit in fits]) > 0.0)
    assert np.all(np.diff([fit.loss for fit in fits]) > 0.0)
    assert fits[0].fits and not fits[-1].fits
    other = mixture_profile().check(gaussian(variances=1.0), shape=(64,))
    assert other.changed > 0.3


def test_options_pass_through():
    measured = profile()
    torch = pytest.importorskip("torch")
    seen = []

    def denoise(x, lam):
        seen.append((type(x), x.dtype, len(x)))
        return gaussian()(x, lam)

    fit = measured.check(denoise, shape=(SIZE,), device="cpu", dtype="float64", batch=3)
    assert set(seen) == {(torch.Tensor, torch.float64, 3), (torch.Tensor, torch.float64, 1)}
    assert fit.changed < 1e-12
    single = measured.check(denoise, shape=(SIZE,), device="cpu")
    assert 0.0 < single.changed < 1e-5 and single.fits
    network = CallableNetwork(gaussian(), SD, shape=(SIZE,))
    network.ask(np.zeros((7, SIZE)), 0.0)
    # a network has its own noise schedule
    assert measured.check(network) == measured.check(gaussian(), shape=(SIZE,))
    with pytest.raises(ValueError, match="noise schedule"):
        measured.check(CallableNetwork(gaussian(NOISES["ve"]), NOISES["ve"], shape=(SIZE,)))
    with pytest.raises(ValueError, match="shape must be given"):
        measured.check(gaussian())
    with pytest.raises(TypeError):
        measured.check(gaussian(), shape=(SIZE,), budget=100)
    with pytest.raises(ValueError, match="denoise gave NaN or infinity at lam ="):
        measured.check(lambda x, lam: x * np.nan, shape=(SIZE,))


def test_a_model_that_never_moves():
    flat = calibrate(lambda x, lam: np.full_like(x, 0.3))
    calls = len(flat._signature.lambdas)
    assert flat.check(lambda x, lam: np.full_like(x, 0.3), shape=(SIZE,)) == Fit(0.0, 0.0, True, 4 * calls)
    assert flat.check(lambda x, lam: np.full_like(x, -5.0), shape=(SIZE,)).fits
    moved = flat.check(gaussian(), shape=(SIZE,))
    assert moved.changed > 1.0 and np.isfinite(moved.loss)
