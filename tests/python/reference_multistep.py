"""Multistep samplers in float64 NumPy, from their papers: DPM-Solver(++), DEIS, SA-Solver, LMS.

Each takes the outputs of the network at past nodes, one call a step. ``orders`` gives the order of
every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from reference_exponential import Interval, as_output, noise_or_zero, taylor, weighted
from reference_solvers import Array, Levels, Predictor


def warm_up(steps: int, order: int) -> list[int]:
    """Orders 1, 2, ... ``order``, and that to the end."""
    return [min(order, i + 1) for i in range(steps)]


def lowered(steps: int, order: int, *, ends_at_zero: bool, lower_order_final: bool = True) -> list[int]:
    """diffusers' orders of DPM-Solver and DEIS: below 15 steps they come down again.

    A step to sigma 0 is always of order 1: h is infinite.
    """
    orders = warm_up(steps, order)
    if lower_order_final and steps < 15:
        orders = [min(o, steps - i) for i, o in enumerate(orders)]
    if ends_at_zero:
        orders[-1] = 1
    return orders


def dpm_solver_multistep(
    levels: Levels,
    predict: Predictor,
    x: Array,
    *,
    orders: Sequence[int],
    data: bool = True,
    midpoint: bool = True,
    tau: float = 0.0,
    noises: Sequence[Array] | None = None,
    diffusers_third: bool = False,
) -> Array:
    """DPM-Solver (``data=False``), DPM-Solver++ and, with ``tau=1``, SDE-DPM-Solver(++).

    Lu et al. 2022, 2211.01095 and 2206.00927. Order 3 takes the whole quadratic. ``diffusers_third``: with
    its second derivative at half its value and, with ``tau=1``, its moment less alpha h^2 (a wrong sign).
    That makes it order 2, and 1 with noise.
    """
    outputs: list[Array] = []
    for i, order in enumerate(orders):
        outputs.append(as_output(levels, i, x, predict(x, i), data))
        step = Interval(levels, i, i + 1, data, tau)
        nodes = [i - m for m in range(order)]
        derivatives = taylor(step, nodes, [outputs[node] for node in nodes])
        x = step.decay * x + weighted(step, derivatives, midpoint=midpoint and order == 2)
        if order == 3 and diffusers_third:
            excess = step.moment(2)
            if tau:
                excess += float(levels.alpha[i + 1]) * step.h**2
            x = x - 0.5 * excess * derivatives[2]
        x = x + step.noise * noise_or_zero(noises, i, x)
    return x


def deis(levels: Levels, predict: Predictor, x: Array, *, orders: Sequence[int]) -> Array:
    """rhoDEIS in log(rho): Zhang and Chen 2023 (2204.13902), with polynomials in log(rho).

    With rho = sigma/alpha, x/alpha moves by the integral of the noise over rho.
    """
    rho = levels.sigma / levels.alpha
    outputs: list[Array] = []
    for i, order in enumerate(orders):
        outputs.append(as_output(levels, i, x, predict(x, i), data=False))
        nodes = [i - m for m in range(order)]
        weights = lagrange_integrals(np.log(rho[nodes]), rho[i], rho[i + 1], variable=np.log)
        moved = sum(w * outputs[node] for w, node in zip(weights, nodes, strict=True))
        x = levels.alpha[i + 1] * (x / levels.alpha[i] + moved)
    return x


def lms(sigmas: Array, denoise: Callable[[Array, float], Array], y: Array, *, order: int = 4) -> Array:
    """Adams-Bashforth in the VE sigma for dy/dsigma = (y - D(y; sigma))/sigma, orders warming up."""
    slopes: list[Array] = []
    for i, current in enumerate(warm_up(len(sigmas) - 1, order)):
        slopes.append((y - denoise(y, float(sigmas[i]))) / sigmas[i])
        nodes = [i - m for m in range(current)]
        weights = lagrange_integrals(sigmas[nodes], sigmas[i], sigmas[i + 1])
        y = y + sum(w * slopes[node] for w, node in zip(weights, nodes, strict=True))
    return y


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(60)


def lagrange_integrals(
    places: Array, start: float, end: float, *, variable: Callable[[Array], Array] = np.asarray
) -> list[float]:
    """Integrals from ``start`` to ``end`` of the Lagrange polynomials of ``places`` in ``variable``.

    By Gauss-Legendre quadrature: exact for polynomials; the logarithm is smooth where it is used,
    away from 0, and the substitution below makes it a polynomial times an exponential.
    """
    if variable is np.asarray:
        points = start + 0.5 * (end - start) * (_NODES + 1.0)
        scale = 0.5 * (end - start) * np.ones_like(points)
    else:
        # The integral over log(rho), with drho = rho dlog(rho).
        log_start, log_end = math.log(start), math.log(end)
        points = np.exp(log_start + 0.5 * (log_end - log_start) * (_NODES + 1.0))
        scale = 0.5 * (log_end - log_start) * points
    values = variable(points)
    integrals = []
    for k, place in enumerate(places):
        others = np.delete(places, k)
        basis = np.prod((values[:, None] - others) / (place - others), axis=1)
        integrals.append(float(np.sum(_WEIGHTS * scale * basis)))
    return integrals


def sa_solver(
    levels: Levels,
    predict: Predictor,
    x: Array,
    *,
    predictor_order: int,
    corrector_order: int,
    taus: Sequence[float],
    noises: Sequence[Array] | None = None,
    data: bool = True,
    lower_order_final: bool = True,
    second_as_published: bool = True,
) -> Array:
    """SA-Solver, Xue et al. 2023, 2309.05019, Algorithm 1: stochastic Adams methods, predict and correct.

    ``taus``: tau in each step. ``corrector_order`` counts the output at the step's end; 0 is no
    corrector. A step is corrected with the noise that it was predicted with, and the output at its end
    is not evaluated again. As in the authors' code: orders warm up and, with ``lower_order_final``,
    come down; with ``second_as_published`` polynomials of degree 1 in x0 take the moment of a constant
    weight (they say that it looks better).
    """
    outputs: list[Array] = []
    steps = levels.steps
    previous, previous_order, z = x, 0, x
    for i in range(steps):
        outputs.append(as_output(levels, i, x, predict(x, i), data))
        if i > 0 and corrector_order > 0:
            step = Interval(levels, i - 1, i, data, taus[i - 1])
            x = _adams(step, outputs, i, previous_order, previous, z, second_as_published)
        left = steps - i if lower_order_final else steps
        previous, z = x, noise_or_zero(noises, i, x)
        previous_order = min(corrector_order, i + 2, left + 1)
        step = Interval(levels, i, i + 1, data, taus[i])
        x = _adams(step, outputs, i, min(predictor_order, i + 1, left), x, z, second_as_published)
    return x


def _adams(step: Interval, outputs: list[Array], newest: int, order: int, x: Array, z: Array, published: bool) -> Array:
    """One step from x, with the ``order`` outputs up to node ``newest``."""
    nodes = [newest - m for m in range(order)]
    derivatives = taylor(step, nodes, [outputs[node] for node in nodes])
    x = step.decay * x + weighted(step, derivatives) + step.noise * z
    if published and step.data and order == 2:
        c = 1.0 + step.tau**2
        constant = 0.5 * c * float(step.levels.alpha[step.end]) * step.h**2
        x = x + (constant - step.moment(1)) * derivatives[1]
    return x
