"""The float64 reference samplers: their orders on uneven grids, against exact solutions and each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reference_multistep import deis, dpm_solver_multistep, lms, sa_solver, warm_up
from reference_singlestep import dpm_solver_singlestep, grouped, heun, kdpm2
from reference_solvers import (
    Array,
    Gaussian,
    Levels,
    ddim,
    dpm_solver_pp,
    flow_levels,
    unipc,
    ve_levels,
    vp_levels,
)
from reference_stochastic import ddpm, euler_ancestral, kdpm2_ancestral, tcd

PIXELS = 40
RANDOM = np.random.default_rng(0)
DATA = Gaussian(RANDOM.uniform(-0.6, 0.6, PIXELS), RANDOM.uniform(0.05, 0.5, PIXELS))
X = RANDOM.standard_normal(PIXELS)
LOW, HIGH = -1.5, 2.0

Sampler = Callable[[Levels], Array]


def smooth(steps: int, seed: int) -> Array:
    """lambda from LOW to HIGH, uneven, but the same function of i/N for every N; steps differ by 1.7."""
    even = np.linspace(LOW, HIGH, steps + 1)
    return even + 0.15 * np.sin(2.0 * np.pi * (even - LOW) / (HIGH - LOW))


def jittered(steps: int, seed: int) -> Array:
    """Every inner node moved by up to 0.38 of a step: neighbouring steps differ by up to 7."""
    nodes = np.linspace(LOW, HIGH, steps + 1)
    nodes[1:-1] += np.random.default_rng(seed).uniform(-0.38, 0.38, steps - 1) * (HIGH - LOW) / steps
    return nodes


def with_run_up(nodes: Array) -> Array:
    """The first step in pieces that double up to it.

    A multistep solver begins with order 1: in a first step of h^2 that does no harm to its order.
    """
    pieces = int(np.ceil(np.log2(len(nodes))))
    inner = nodes[0] + (nodes[1] - nodes[0]) * 2.0 ** -np.arange(pieces, 0, -1.0)
    return np.concatenate([nodes[:1], inner, nodes[1:]])


def slope(sampler: Sampler, grid: Callable[[int, int], Array], kind: Callable[[Array], Levels], run_up: bool) -> float:
    """The order seen between 36 and 288 steps: log2 of the errors' ratio, over 3."""
    seeds = range(4) if grid is jittered else range(1)
    errors = []
    for steps in (36, 288):
        squares = []
        for seed in seeds:
            nodes = grid(steps, seed)
            levels = kind(with_run_up(nodes) if run_up else nodes)
            squares.append(np.mean((sampler(levels) - DATA.solution(levels, X)) ** 2))
        errors.append(np.sqrt(np.mean(squares)))
    assert errors[0] < 0.05
    return float(np.log2(errors[0] / errors[1]) / 3.0)


def on_vp(lambdas: Array) -> Levels:
    return vp_levels(np.exp(-lambdas))


def on_flow(lambdas: Array) -> Levels:
    return flow_levels(1.0 / (1.0 + np.exp(lambdas)))


def on_ve(lambdas: Array) -> Levels:
    return ve_levels(np.exp(-lambdas))


def multistep(order: int, **options: Any) -> Sampler:
    return lambda levels: dpm_solver_multistep(
        levels, DATA.predictor(levels), X, orders=warm_up(levels.steps, order), **options
    )


def singlestep(order: int, **options: Any) -> Sampler:
    def sample(levels: Levels) -> Array:
        orders = grouped(levels.steps, order, ends_at_zero=False, lower_order_final=False)
        return dpm_solver_singlestep(levels, DATA.predictor(levels), X, orders=orders, **options)

    return sample


def deis_of(order: int) -> Sampler:
    return lambda levels: deis(levels, DATA.predictor(levels), X, orders=warm_up(levels.steps, order))


def adams(predictor: int, corrector: int, **options: Any) -> Sampler:
    return lambda levels: sa_solver(
        levels,
        DATA.predictor(levels),
        X,
        predictor_order=predictor,
        corrector_order=corrector,
        taus=[0.0] * levels.steps,
        lower_order_final=False,
        **options,
    )


def unipc_of(order: int, **options: Any) -> Sampler:
    return lambda levels: unipc(
        levels, DATA.predictor(levels), X, order=order, **{"lower_order_final": False, **options}
    )


def in_ve(solver: Callable[..., Array], **options: Any) -> Sampler:
    """A sampler of x/alpha, seen in x."""

    def sample(levels: Levels) -> Array:
        sigmas = levels.sigma / levels.alpha
        return np.asarray(levels.alpha[-1] * solver(sigmas, DATA.denoise, X / levels.alpha[0], **options))

    return sample


# The order that the papers claim, or, where less is known to be there, that.
ORDERS: dict[str, tuple[Sampler, float]] = {
    "ddim": (lambda levels: ddim(levels, DATA.predictor(levels), X), 1),
    "dpm-solver++ 1": (multistep(1), 1),
    "dpm-solver++ 2 midpoint": (multistep(2), 2),
    "dpm-solver++ 2 heun": (multistep(2, midpoint=False), 2),
    "dpm-solver++ 3": (multistep(3), 3),
    "dpm-solver++ 3 as in diffusers": (multistep(3, diffusers_third=True), 2),
    "dpm-solver 2 midpoint": (multistep(2, data=False), 2),
    "dpm-solver 2 heun": (multistep(2, data=False, midpoint=False), 2),
    "dpm-solver 3": (multistep(3, data=False), 3),
    "dpm-solver 3 as in diffusers": (multistep(3, data=False, diffusers_third=True), 2),
    "deis 1": (deis_of(1), 1),
    "deis 2": (deis_of(2), 2),
    "deis 3": (deis_of(3), 3),
    "lms 2": (in_ve(lms, order=2), 2),
    "lms 4": (in_ve(lms), 4),
    "sa-solver 2, 0": (adams(2, 0), 2),
    "sa-solver 3, 0": (adams(3, 0), 3),
    "sa-solver 4, 0": (adams(4, 0), 4),
    "sa-solver 1, 2": (adams(1, 2), 2),
    "sa-solver 2, 2": (adams(2, 2), 2),
    "sa-solver 2, 3": (adams(2, 3), 3),
    "sa-solver 3, 4": (adams(3, 4), 4),
    "sa-solver noise 2, 2": (adams(2, 2, data=False), 2),
    "sa-solver noise 3, 4": (adams(3, 4, data=False), 4),
    "unipc 1": (unipc_of(1), 2),
    "unipc 2": (unipc_of(2), 3),
    "unipc 3": (unipc_of(3), 4),
    "unipc 2 bh1": (unipc_of(2, b="bh1"), 3),
    "unipc 2 noise": (unipc_of(2, data=False), 3),
    "unipc 3 bh1 noise": (unipc_of(3, b="bh1", data=False), 4),
    "unip 2": (unipc_of(2, corrector=False), 2),
    "unip 3": (unipc_of(3, corrector=False), 3),
    "heun": (in_ve(heun), 2),
    "kdpm2": (in_ve(kdpm2), 2),
}

GROUPED: dict[str, tuple[Sampler, float]] = {
    "2 midpoint": (singlestep(2), 2),
    "2 heun": (singlestep(2, midpoint=False), 2),
    "2 noise": (singlestep(2, data=False), 2),
    "3 midpoint": (singlestep(3), 3),
    "3 heun": (singlestep(3, midpoint=False), 3),
    "3 noise": (singlestep(3, data=False), 3),
    "3 noise heun": (singlestep(3, data=False, midpoint=False), 3),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_convergence(name: str) -> None:
    sampler, order = ORDERS[name]
    assert order - 0.3 < slope(sampler, smooth, on_vp, run_up=True) < order + 0.3
    # Scattered by the nodes; an order less or more would still show.
    assert order - 0.5 < slope(sampler, jittered, on_vp, run_up=True) < order + 0.6


@pytest.mark.parametrize("kind", [on_flow, on_ve])
@pytest.mark.parametrize("name", ["dpm-solver++ 3", "deis 3", "sa-solver 3, 4", "unipc 3", "heun", "kdpm2", "lms 4"])
def test_order_of_convergence_of_other_families(name: str, kind: Callable[[Array], Levels]) -> None:
    sampler, order = ORDERS[name]
    assert order - 0.4 < slope(sampler, smooth, kind, run_up=True) < order + 0.4


@pytest.mark.parametrize("name", GROUPED)
def test_order_of_convergence_in_groups(name: str) -> None:
    """Order 3 rests on groups of three about equal steps: jittered, only 2 is left."""
    sampler, order = GROUPED[name]
    assert order - 0.3 < slope(sampler, smooth, on_vp, run_up=False) < order + 0.3
    jitter = slope(sampler, jittered, on_vp, run_up=False)
    assert 1.6 < jitter < 2.6


def test_heun_of_a_rectified_flow() -> None:
    def sample(levels: Levels) -> Array:
        return heun(levels.sigma, lambda y, s: DATA.x0(y, 1.0 - s, s), X)

    assert 1.7 < slope(sample, smooth, on_flow, run_up=False) < 2.3


def close(got: Array, want: Array) -> None:
    np.testing.assert_allclose(got, want, rtol=0.0, atol=1e-11)


LEVELS = {
    "vp": vp_levels(np.array([14.0, 5.0, 2.0, 0.7, 0.3, 0.1])),
    "flow": flow_levels(np.array([0.98, 0.8, 0.55, 0.4, 0.2, 0.05])),
    "ve": ve_levels(np.array([20.0, 5.0, 2.0, 0.7, 0.3, 0.1])),
}


@pytest.mark.parametrize("family", LEVELS)
def test_the_references_of_order_one_agree(family: str) -> None:
    levels = LEVELS[family]
    predict, steps = DATA.predictor(levels), levels.steps
    want = ddim(levels, predict, X)
    ones, zeros = [1] * steps, [np.zeros(PIXELS)] * steps
    rest = Levels(levels.alpha[1:], levels.sigma[1:])
    others = [
        dpm_solver_pp(levels, predict, X, order=1, first_order_end=True),
        unipc(levels, predict, X, order=1, corrector=False),
        unipc(levels, predict, X, order=1, corrector=False, data=False),
        dpm_solver_multistep(levels, predict, X, orders=ones),
        dpm_solver_multistep(levels, predict, X, orders=ones, data=False),
        dpm_solver_singlestep(levels, predict, X, orders=ones),
        deis(levels, predict, X, orders=ones),
        adams(1, 0)(levels),
        in_ve(lms, order=1)(levels),
        # Without noise the stochastic ones are DDIM.
        in_ve(euler_ancestral, noises=zeros, eta=0.0)(levels),
        tcd(levels, rest, predict, X, zeros),
    ]
    if family == "vp":
        others.append(ddpm(levels, predict, X, zeros, eta=0.0))
    for other in others:
        close(other, want)


@pytest.mark.parametrize("family", LEVELS)
def test_the_references_of_higher_order_agree(family: str) -> None:
    """The same methods, through moments of Taylor polynomials, quadrature and UniPC's equations."""
    levels = LEVELS[family]
    predict, steps = DATA.predictor(levels), levels.steps
    for order in (2, 3):
        orders = warm_up(steps, order)
        noise_heun = multistep(order, data=False, midpoint=False)(levels)
        # log(rho) = -lambda: these are the same polynomials.
        close(deis(levels, predict, X, orders=orders), noise_heun)
        close(adams(order, 0, data=False)(levels), noise_heun)
        close(adams(order, 0, second_as_published=False)(levels), multistep(order, midpoint=False)(levels))
    close(dpm_solver_pp(levels, predict, X, order=2, first_order_end=False), multistep(2)(levels))
    close(unipc(levels, predict, X, order=2, corrector=False, lower_order_final=False), multistep(2)(levels))
    # B_1(h) = h with rho = 1/2 is the moment of a constant weight.
    for order in (1, 2, 3):
        close(adams(order, order + 1)(levels), unipc_of(order, b="bh1")(levels))
    close(in_ve(kdpm2_ancestral, noises=[X] * steps, eta=0.0)(levels), in_ve(kdpm2)(levels))


def test_the_last_steps_of_the_references_agree() -> None:
    levels = LEVELS["vp"]
    for order in (1, 2, 3):
        by_sa = sa_solver(
            levels,
            DATA.predictor(levels),
            X,
            predictor_order=order,
            corrector_order=order + 1,
            taus=[0.0] * levels.steps,
        )
        close(by_sa, unipc_of(order, b="bh1", lower_order_final=True)(levels))
