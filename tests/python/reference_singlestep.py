"""Singlestep samplers in float64 NumPy, from their papers: DPM-Solver(++) in groups, Heun, midpoint.

Heun's and the midpoint method call the network between nodes: they take a denoiser D(y, sigma) that
is good at any noise level, and call it 2N - 1 times for N steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from reference_exponential import Interval, as_output, noise_or_zero, taylor, weighted
from reference_solvers import Array, Levels, Predictor

# (y, sigma) -> prediction of x0
Denoiser = Callable[[Array, float], Array]


def grouped(steps: int, order: int, *, ends_at_zero: bool, lower_order_final: bool = True) -> list[int]:
    """The orders of all steps: groups 1, 2, ... ``order``, and the rest in shorter ones.

    Lu et al. 2022, 2206.00927 (DPM-Solver-fast), with ``lower_order_final`` as in diffusers: a
    last whole group is split so that the last step is of order 1. A step to sigma 0 always is.
    """
    whole, rest = divmod(steps, order)
    orders = list(range(1, order + 1)) * whole + list(range(1, rest + 1))
    if lower_order_final and rest == 0 and order > 1:
        orders[-1] = 1
    if ends_at_zero:
        orders[-1] = 1
    return orders


def dpm_solver_singlestep(
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
    """DPM-Solver-1, -2, -3 in groups whose every step starts at the group's first node.

    Lu et al. 2022, 2206.00927 (Algorithms 1 and 2) and 2211.01095 (Algorithm 1), with the inner places
    of a group wherever the nodes are. ``midpoint`` with order 3: the slope from the group's start to its
    newest node, as for r_1 = 1/3, r_2 = 2/3. ``diffusers_third``: with ``tau=1``, the moment of the second
    derivative less alpha h^2.
    """
    outputs: list[Array] = []
    group, base = 0, x
    for i, order in enumerate(orders):
        outputs.append(as_output(levels, i, x, predict(x, i), data))
        if order == 1:
            group, base = i, x
        step = Interval(levels, group, i + 1, data, tau)
        nodes = [group, i] if midpoint and order == 3 else list(range(group, i + 1))
        derivatives = taylor(step, nodes, [outputs[node] for node in nodes])
        x = step.decay * base + weighted(step, derivatives, midpoint=midpoint and order == 2)
        if len(nodes) == 3 and diffusers_third and tau:
            x = x - float(levels.alpha[i + 1]) * step.h**2 * derivatives[2]
        x = x + step.noise * noise_or_zero(noises, i, x)
    return x


def heun(sigmas: Sequence[float], denoise: Denoiser, y: Array) -> Array:
    """Karras et al. 2022, Algorithm 1, without churn; the last step is Euler's, to 0 or above.

    dy/dsigma = (y - D)/sigma also is the velocity of a rectified flow, with sigma = s and D at
    alpha = 1 - s.
    """
    for i in range(len(sigmas) - 1):
        h = sigmas[i + 1] - sigmas[i]
        slope = _slope(denoise, y, sigmas[i])
        if i < len(sigmas) - 2:
            slope = 0.5 * (slope + _slope(denoise, y + h * slope, sigmas[i + 1]))
        y = y + h * slope
    return y


def kdpm2(sigmas: Sequence[float], denoise: Denoiser, y: Array) -> Array:
    """DPM-Solver-2 in the form of Karras et al. 2022 (Algorithm 3): midpoints in log(sigma).

    The last step is Euler's, to 0 or above.
    """
    for i in range(len(sigmas) - 1):
        y = midpoint_step(denoise, y, sigmas[i], sigmas[i + 1], euler=i == len(sigmas) - 2)
    return y


def midpoint_step(denoise: Denoiser, y: Array, start: float, end: float, *, euler: bool) -> Array:
    """From sigma ``start`` to ``end`` with the slope at their geometric mean."""
    slope = _slope(denoise, y, start)
    if not euler:
        middle = math.sqrt(start * end)
        slope = _slope(denoise, y + (middle - start) * slope, middle)
    return y + (end - start) * slope


def _slope(denoise: Denoiser, y: Array, sigma: float) -> Array:
    return (y - denoise(y, sigma)) / sigma
