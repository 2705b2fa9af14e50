"""The numbers behind the pictures: MEP's terms and its error density, from the schedule's own error proxy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arrays import Array
from ..noise_schedule import NoiseSchedule
from ..objective import mep, mep_hessian
from ..schedule import Schedule
from ..schedule_options import objective_arguments

_WIDTH = 1e-3  # at most, of the intervals whose curvature gives the density; any width gives it exactly


class UnknownProxyError(ValueError):
    """The schedule alone does not say its error proxy."""


def evaluated(schedule: Schedule) -> Array:
    """Half log-SNR of the nodes at a finite noise level: those with a call and, for "t_min", the last."""
    return schedule.lambdas[np.isfinite(schedule.lambdas)]


def optimized(schedule: Schedule, noise: NoiseSchedule | None) -> Array | None:
    """Half log-SNR of the nodes that MEP sums over; None for "skip" without `noise`.

    The last optimized node of "skip" is left out by the sampler: the schedule holds its t alone.
    """
    if schedule.terminal != "skip":
        return evaluated(schedule)
    if noise is None:
        return None
    return np.append(evaluated(schedule), noise.lam(schedule.psi.t_min))


def measurable(schedule: Schedule, noise: NoiseSchedule | None) -> None:
    """Raises UnknownProxyError unless the error proxy is known: its name and, for a general noise schedule, sigma."""
    if "objective" not in schedule.options:
        raise UnknownProxyError(
            "panels 'density' and 'mep' need the error proxy, which a schedule file of format 1 does not say: "
            "make the schedule again"
        )
    if schedule.family == "general" and noise is None and schedule.options["proxy"] is None:
        raise UnknownProxyError("noise must be given for panels 'density' and 'mep' of a schedule of family 'general'")


def proxy_name(schedule: Schedule) -> str:
    """The error proxy in a few words."""
    p = schedule.options["p"]
    return "tabulated proxy" if p is None else f"p = {p:g}"


def mep_terms(schedule: Schedule, noise: NoiseSchedule | None) -> Array:
    """MEP's term for each interval between the optimized nodes, shape (intervals,).

    For "skip" without `noise` the last one is what the others leave of `schedule.mep`; it is left out where the nodes
    were made for another objective, whose value that is.
    """
    measurable(schedule, noise)
    nodes = optimized(schedule, noise)
    known = evaluated(schedule) if nodes is None else nodes
    pairs = np.stack([known[:-1], known[1:]], axis=1)
    terms = np.asarray(mep(_evaluator(schedule, noise, known), pairs, **_proxy(schedule)) if len(pairs) else [], float)
    if nodes is None and schedule.options["objective"] == "mep":
        terms = np.append(terms, schedule.mep - terms.sum())
    return terms


def error_density(schedule: Schedule, noise: NoiseSchedule | None, lam: Array) -> Array:
    """w = G - G'' at half log-SNRs: MEP is the integral of G plus the sum of w h^3/24 over the intervals h.

    MEP of two nodes m -+ h/2 is 2 G(m) sinh(h/2), so its mixed second derivative is -w(m) sinh(h/2)/2 for every h: w
    comes from the core's Hessian, for every noise family and proxy.
    """
    measurable(schedule, noise)
    evaluator = _evaluator(schedule, noise, lam)
    low, high = evaluator.lambda_range
    middles, places = np.unique(np.clip(lam, low + _WIDTH, high - _WIDTH), return_inverse=True)
    width = min(_WIDTH, 0.5 * float(np.diff(middles).min(initial=np.inf)))
    pairs = np.stack([middles - width / 2.0, middles + width / 2.0], axis=1)  # one after the other: a chain of nodes
    mixed = mep_hessian(evaluator, pairs.ravel(), **_proxy(schedule))[1][::2]
    density: Array = (-2.0 * mixed / np.sinh(np.diff(pairs)[:, 0] / 2.0))[places]
    return density


def _proxy(schedule: Schedule) -> dict[str, Any]:
    arguments = objective_arguments(schedule.options)
    return {"p": arguments["p"], "proxy": arguments["proxy"]}


def _evaluator(schedule: Schedule, noise: NoiseSchedule | None, lam: Array) -> NoiseSchedule:
    """A noise schedule of the same family that reaches over `lam`: G depends on the family and lambda alone."""
    if schedule.family == "general" and noise is not None:
        return noise
    ends = np.array([lam.max() + 1.0, lam.min() - 1.0])
    sigma = np.exp(-ends)
    if schedule.family == "ve":
        return NoiseSchedule.from_table([0.0, 1.0], np.ones(2), sigma)
    if schedule.family == "vp":
        return NoiseSchedule.from_table([0.0, 1.0], 1.0 / np.hypot(1.0, sigma), sigma / np.hypot(1.0, sigma))
    share = sigma / (1.0 + sigma)  # also for a table of the proxy, whose G needs no sigma
    return NoiseSchedule.from_table(share, 1.0 / (1.0 + sigma), share)
