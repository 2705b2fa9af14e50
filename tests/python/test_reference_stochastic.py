"""The float64 reference samplers that add noise: exact transport of mean and variance.

On Gaussian data they are linear in the start and in every noise, so one run with unit vectors gives
the mean and the variance of what they return, without sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from reference_multistep import dpm_solver_multistep, sa_solver, warm_up
from reference_singlestep import dpm_solver_singlestep, grouped
from reference_solvers import Array, Gaussian, Levels, Predictor, ddim, unipc, ve_levels, vp_levels
from reference_stochastic import boundary_scalings, ddpm, euler_ancestral, kdpm2_ancestral, lcm, tcd

PIXELS = 30
RANDOM = np.random.default_rng(0)
DATA = Gaussian(RANDOM.uniform(-0.6, 0.6, PIXELS), RANDOM.uniform(0.05, 0.5, PIXELS))
# A single image: every sampler moves its noised distribution without any error.
POINT = Gaussian(DATA.mean, np.zeros(PIXELS))

Stochastic = Callable[[Gaussian, Levels, Array, Sequence[Array]], Array]


def on_levels(solver: Callable[..., Array], **options: Any) -> Stochastic:
    return lambda data, levels, x, noises: solver(levels, data.predictor(levels), x, noises, **options)


def on_sigmas(solver: Callable[..., Array], **options: Any) -> Stochastic:
    def sample(data: Gaussian, levels: Levels, x: Array, noises: Sequence[Array]) -> Array:
        sigmas = levels.sigma / levels.alpha
        y = solver(sigmas, data.denoise, x / levels.alpha[0], noises, **options)
        return np.asarray(levels.alpha[-1] * y)

    return sample


def multistep(order: int, **options: Any) -> Stochastic:
    def sample(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array]) -> Array:
        orders = warm_up(levels.steps, order)
        return dpm_solver_multistep(levels, predict, x, orders=orders, tau=1.0, noises=noises, **options)

    return on_levels(sample)


def singlestep(order: int, **options: Any) -> Stochastic:
    def sample(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array]) -> Array:
        orders = grouped(levels.steps, order, ends_at_zero=False)
        return dpm_solver_singlestep(levels, predict, x, orders=orders, tau=1.0, noises=noises, **options)

    return on_levels(sample)


def adams(predictor: int, corrector: int, tau: float = 1.0, **options: Any) -> Stochastic:
    def sample(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array]) -> Array:
        taus = [tau] * levels.steps
        orders = {"predictor_order": predictor, "corrector_order": corrector}
        return sa_solver(levels, predict, x, taus=taus, noises=noises, **orders, **options)

    return on_levels(sample)


def consistency(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array]) -> Array:
    """LCM's sampler of a network that is a consistency function by itself."""
    return lcm(levels, predict, x, noises, c_skip=np.zeros(levels.steps), c_out=np.ones(levels.steps))


def between(levels: Levels, share: float) -> Levels:
    """Levels below each step's end by a share of the next step, in log(sigma/alpha)."""
    ve = levels.sigma / levels.alpha
    lower = np.append(ve[1:-1] * (ve[2:] / ve[1:-1]) ** share, ve[-1])
    return vp_levels(lower)


def strategic(share: float) -> Stochastic:
    return lambda data, levels, x, noises: tcd(levels, between(levels, share), data.predictor(levels), x, noises)


# Name: sampler, the order at which its mean and variance converge.
SAMPLERS: dict[str, tuple[Stochastic, float]] = {
    "ddpm": (on_levels(ddpm), 1),
    "euler ancestral": (on_sigmas(euler_ancestral), 1),
    "sde-dpm-solver++ 1": (multistep(1), 1),
    "sde-dpm-solver++ 2 midpoint": (multistep(2), 2),
    "sde-dpm-solver++ 2 heun": (multistep(2, midpoint=False), 2),
    "sde-dpm-solver++ 3": (multistep(3), 2),
    "sde-dpm-solver++ 3 as in diffusers": (multistep(3, diffusers_third=True), 1),
    "sa-solver 1, 0": (adams(1, 0), 1),
    "sa-solver 2, 2": (adams(2, 2), 2),
    "sa-solver 3, 3": (adams(3, 3), 2),
    "sa-solver tau 0.4": (adams(2, 2, tau=0.4), 2),
    "sde-dpm-solver 1": (multistep(1, data=False), 1),
    "sde-dpm-solver 2 heun": (multistep(2, data=False, midpoint=False), 2),
    "sa-solver noise 2, 2": (adams(2, 2, data=False), 2),
    "kdpm2 ancestral": (on_sigmas(kdpm2_ancestral), 2),
}
# The noise of a single image is no function of the level: these are exact only where x0 is predicted.
NOISE_PREDICTING = ("sde-dpm-solver 1", "sde-dpm-solver 2 heun", "sa-solver noise 2, 2")
EXACT_ON_A_POINT: dict[str, Stochastic] = {
    **{name: sampler for name, (sampler, _) in SAMPLERS.items() if name not in NOISE_PREDICTING},
    "sde-dpm-solver++ singlestep 1": singlestep(1),
    "sde-dpm-solver++ singlestep 2": singlestep(2),
    "sde-dpm-solver++ singlestep 3": singlestep(3),
    "tcd 0.3": strategic(0.3),
    "tcd 1": strategic(1.0),
}


def transported(sampler: Stochastic, data: Gaussian, levels: Levels) -> tuple[Array, Array]:
    """Mean and variance after sampling from the noised data at the first level."""
    steps = levels.steps
    x = np.zeros((steps + 2, PIXELS))
    x[1] = 1.0
    noises = np.zeros((steps, steps + 2, PIXELS))
    noises[np.arange(steps), np.arange(steps) + 2] = 1.0
    result = sampler(data, levels, x, noises)
    offset, gains = result[0], result[1:] - result[0]
    mean, variance = marginal(data, levels, 0)
    return offset + gains[0] * mean, gains[0] ** 2 * variance + np.sum(gains[1:] ** 2, axis=0)


def marginal(data: Gaussian, levels: Levels, i: int) -> tuple[Array, Array]:
    alpha, sigma = levels.alpha[i], levels.sigma[i]
    return alpha * data.mean, alpha**2 * data.variance + sigma**2


UNEVEN = np.array([14.0, 6.0, 2.5, 1.7, 0.6, 0.4, 0.15])


@pytest.mark.parametrize("name", EXACT_ON_A_POINT)
def test_transport_of_a_point_is_exact(name: str) -> None:
    """The noise coefficients are right if the variance is sigma^2, on any grid."""
    levels = vp_levels(UNEVEN)
    mean, variance = transported(EXACT_ON_A_POINT[name], POINT, levels)
    want_mean, want_variance = marginal(POINT, levels, -1)
    np.testing.assert_allclose(mean, want_mean, atol=1e-12)
    np.testing.assert_allclose(variance, want_variance, atol=1e-12)


@pytest.mark.parametrize("name", SAMPLERS)
def test_mean_and_variance_converge(name: str) -> None:
    sampler, order = SAMPLERS[name]
    errors = []
    for steps in (40, 160):
        nodes = np.linspace(-1.5, 2.0, steps + 1)
        nodes += 0.15 * np.sin(2.0 * np.pi * (nodes + 1.5) / 3.5)
        levels = vp_levels(np.exp(-nodes))
        got = np.stack(transported(sampler, DATA, levels))
        errors.append(np.sqrt(np.mean((got - np.stack(marginal(DATA, levels, -1))) ** 2)))
    assert errors[0] < 0.1
    seen = np.log2(errors[0] / errors[1]) / 2.0
    assert order - 0.3 < seen < order + 0.6


def test_a_consistency_sampler_ends_in_the_data() -> None:
    """From a point: exactly; what is returned is x0 itself."""
    mean, variance = transported(on_levels(consistency), POINT, vp_levels(UNEVEN))
    np.testing.assert_allclose(mean, POINT.mean, atol=1e-12)
    np.testing.assert_allclose(variance, 0.0, atol=1e-12)


def test_consistency_steps_have_the_marginals_of_their_levels() -> None:
    """A sampler that stops before its last network call holds the noised data there."""
    levels = vp_levels(UNEVEN)
    seen: list[Array] = []

    def watch(x: Array, i: int) -> Array:
        seen.append(x)
        return POINT.x0(x, float(levels.alpha[i]), float(levels.sigma[i]))

    noises = np.eye(levels.steps)[:, :, None] * np.ones(PIXELS)
    consistency(levels, watch, np.zeros((levels.steps, PIXELS)), noises)
    for i, x in enumerate(seen[1:], start=1):
        np.testing.assert_allclose(x[-1], levels.alpha[i] * POINT.mean, atol=1e-12)
        np.testing.assert_allclose(np.sum((x - x[-1]) ** 2, axis=0), levels.sigma[i] ** 2, atol=1e-12)


def test_boundary_scalings() -> None:
    """The identity at timestep 0, the network far from it, half and half where 10 t is sigma_data."""
    c_skip, c_out = boundary_scalings(np.array([0.0, 0.05, 999.0]))
    np.testing.assert_allclose(c_skip, [1.0, 0.5, 0.0], atol=1e-8)
    np.testing.assert_allclose(c_out, [0.0, np.sqrt(0.5), 1.0], atol=1e-8)


def test_ancestral_samplers_agree_for_the_same_noise() -> None:
    """DDPM, sde-dpm-solver++ 1, SA-Solver 1 with tau = 1 and ancestral Euler are one sampler."""
    levels = vp_levels(UNEVEN)
    x, *noises = np.random.default_rng(1).standard_normal((levels.steps + 1, PIXELS))
    want = SAMPLERS["ddpm"][0](DATA, levels, x, noises)
    for name in ("euler ancestral", "sde-dpm-solver++ 1", "sa-solver 1, 0"):
        np.testing.assert_allclose(SAMPLERS[name][0](DATA, levels, x, noises), want, atol=1e-12, err_msg=name)
    by_order_two = SAMPLERS["sde-dpm-solver++ 2 heun"][0](DATA, levels, x, noises)
    by_sa = adams(2, 0, second_as_published=False, lower_order_final=False)(DATA, levels, x, noises)
    np.testing.assert_allclose(by_sa, by_order_two, atol=1e-12)


def test_no_noise_is_the_deterministic_sampler() -> None:
    levels = vp_levels(UNEVEN)
    x, *noises = np.random.default_rng(1).standard_normal((levels.steps + 1, PIXELS))
    want = ddim(levels, DATA.predictor(levels), x)
    end = Levels(levels.alpha[1:], levels.sigma[1:])
    for got in (
        on_levels(ddpm, eta=0.0)(DATA, levels, x, noises),
        on_sigmas(euler_ancestral, eta=0.0)(DATA, levels, x, noises),
        tcd(levels, end, DATA.predictor(levels), x, noises),
        adams(1, 0, tau=0.0)(DATA, levels, x, noises),
    ):
        np.testing.assert_allclose(got, want, atol=1e-12)
    # And towards it: UniPC is the ODE's solver with the same polynomials.
    ode = unipc(levels, DATA.predictor(levels), x, order=2, b="bh1")
    np.testing.assert_allclose(adams(2, 3, tau=0.0)(DATA, levels, x, noises), ode, atol=1e-12)
    np.testing.assert_allclose(adams(2, 3, tau=1e-7)(DATA, levels, x, noises), ode, atol=1e-6)


def test_sigma_zero_is_the_last_prediction() -> None:
    """A schedule that ends at 0 takes the newest x0."""
    levels = ve_levels(np.append(UNEVEN, 0.0))
    x, *noises = np.random.default_rng(1).standard_normal((levels.steps + 1, PIXELS))
    shorter = ve_levels(UNEVEN)
    for name in ("euler ancestral", "sde-dpm-solver++ 1"):
        got = SAMPLERS[name][0](DATA, levels, x, noises)
        before = SAMPLERS[name][0](DATA, shorter, x, noises)
        np.testing.assert_allclose(got, DATA.denoise(before, float(UNEVEN[-1])), atol=1e-12)
