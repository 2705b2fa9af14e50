"""Schedules whose nodes have a given density, and the density that MEP's optimum tends to."""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from .._arrays import Array, as_vector
from ..checks import as_number
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._common import Counts, Terminal, as_terminal, at_lambdas, ends, schedules

_FINE = 8193  # points that densities given as formulas are tabulated at


@overload
def from_density(
    noise: NoiseSchedule,
    nfe: int,
    lambdas: npt.ArrayLike,
    density: npt.ArrayLike,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    name: str = ...,
) -> Schedule: ...
@overload
def from_density(
    noise: NoiseSchedule,
    nfe: Counts,
    lambdas: npt.ArrayLike,
    density: npt.ArrayLike,
    *,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
    name: str = ...,
) -> list[Schedule]: ...
def from_density(
    noise: NoiseSchedule,
    nfe: int | Counts,
    lambdas: npt.ArrayLike,
    density: npt.ArrayLike,
    *,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
    name: str = "from_density",
) -> Schedule | list[Schedule]:
    """Nodes at the quantiles of a density of lambda, both ends included.

    Args:
        noise: The model's noise schedule.
        nfe: Network calls, 1..10000; a list gives a list of schedules.
        lambdas: Shape (m,), m >= 2, strictly increasing, from t_max's lambda or before to t_min's or after.
        density: Shape (m,), positive, of any scale; linear in between.
        terminal: "zero": `nfe` nodes, then sigma 0; "t_min": nfe + 1 nodes, the last is not evaluated.
        t_min: Of the last node; None: the lowest that `noise` has.
        t_max: Of the first; None: the highest.
        name: The schedule's `search`.

    Raises:
        ValueError: an argument makes no sense, or the table does not reach an end.
    """
    as_terminal(terminal)
    first, last = ends(noise, t_min, t_max)
    lam, values = as_vector("lambdas", lambdas), as_vector("density", density)
    if lam.size < 2 or not np.all(np.isfinite(lam)) or not np.all(np.diff(lam) > 0.0):
        raise ValueError(f"lambdas must be 2 or more finite, strictly increasing numbers, got {lam}")
    if values.shape != lam.shape:
        raise ValueError(f"density must have the shape of lambdas, {lam.shape}, got {values.shape}")
    if not (np.all(values > 0.0) and np.all(np.isfinite(values))):
        raise ValueError(f"density must be positive and finite, got {values}")
    slack = 1e-6 * (last - first)
    if lam[0] > first + slack or lam[-1] < last - slack:
        raise ValueError(f"lambdas must reach from {first:g} to {last:g}, got {lam[0]:g}..{lam[-1]:g}")
    points = np.union1d(np.linspace(first, last, _FINE), lam[(lam > first) & (lam < last)])
    heights = np.interp(points, lam, values)
    lengths = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(points) * (heights[1:] + heights[:-1]))])

    def make(counts: list[int]) -> list[Schedule]:
        made = []
        for count in counts:
            nodes = np.interp(np.linspace(0.0, lengths[-1], count + (terminal == "t_min")), lengths, points)
            nodes[-1], nodes[0] = last, first  # also where lengths are flat to rounding
            made.append(at_lambdas(noise, nodes, terminal, name))
        return made

    return schedules(nfe, make)


@overload
def mep_limit(
    noise: NoiseSchedule,
    nfe: int,
    *,
    p: float | None = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> Schedule: ...
@overload
def mep_limit(
    noise: NoiseSchedule,
    nfe: Counts,
    *,
    p: float | None = ...,
    terminal: Terminal = ...,
    t_min: float | None = ...,
    t_max: float | None = ...,
) -> list[Schedule]: ...
def mep_limit(
    noise: NoiseSchedule,
    nfe: int | Counts,
    *,
    p: float | None = None,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule | list[Schedule]:
    """What MEP's optimum between fixed ends tends to for many steps: the density w^(1/3) of lambda, w = G - G''.

    G = sigma^(p-1) is MEP's integrand (docs/design.md). For VP and p = 2 the density is sigma (1 + 3 alpha^2)^(1/3):
    with no spacing asked for, `hso.optimize` between the same ends comes within 3 parts in 10^5 of fitness at 6 nodes.
    `p` is by default 2, for VE 1; other arguments as for `from_density`. ValueError also where w is not positive
    between the ends.
    """
    first, last = ends(noise, t_min, t_max)
    power = (1.0 if noise.family == "ve" else 2.0) if p is None else as_number("p", p)
    if not power >= 0.0:
        raise ValueError(f"p must be at least 0, got {power}")
    lam = np.linspace(first, last, _FINE)
    weight = _mep_weight(noise, power - 1.0, lam)
    if not np.all(weight > 0.0):
        level = float(lam[np.argmin(weight)])
        raise ValueError(f"p must keep G - G'' positive between the ends, got {power}: it is not at lambda = {level:g}")
    return from_density(noise, nfe, lam, np.cbrt(weight), terminal=terminal, t_min=t_min, t_max=t_max, name="mep_limit")


def _mep_weight(noise: NoiseSchedule, q: float, lam: Array) -> Array:
    """G - G'' for G = sigma^q: in closed form where the family has one."""
    alpha, sigma = np.asarray(noise.alpha(lam)), np.asarray(noise.sigma(lam))
    weight: Array
    if noise.family == "vp" and q == 1.0:  # the next line's, which cancels at little noise
        weight = sigma**3 * (1.0 + 3.0 * alpha**2)
    elif noise.family == "vp":
        weight = sigma**q * (1.0 - q**2 * alpha**4 + 2.0 * q * alpha**2 * sigma**2)
    elif noise.family == "flow" and q == 1.0:
        weight = sigma**2 * (1.0 + 2.0 * alpha)
    elif noise.family == "flow":
        weight = sigma**q * (1.0 - q**2 * alpha**2 + q * alpha * sigma)
    elif noise.family == "ve":
        weight = (1.0 - q**2) * sigma**q
    else:
        integrand = sigma**q
        weight = integrand - np.gradient(np.gradient(integrand, lam), lam)
    return weight
