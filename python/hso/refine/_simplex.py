"""Nelder and Mead: a search without gradients that is quick and exact where there is no noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._arrays import Array

_SMALL = 0.02
"""Of a new simplex's size: one that has shrunk to this is done."""


class _SpentError(Exception):
    """The budget is."""


def minimize(function: Callable[[Array], float], start: Array, *, step: float, budget: int, seed: int) -> Array:
    """Nelder and Mead's simplex method with Gao and Han's coefficients (2012), again and again.

    Only the order of values counts, infinite ones are the worst. Calls `function` exactly `budget` times. A simplex
    that has shrunk is followed by a new one of size `step` around the best point, whose value is asked for anew: of a
    noisy function a lucky one is forgotten.

    Returns:
        The centre of the last simplex that has shrunk, or of the only one.
    """
    random = np.random.default_rng(seed)
    left = budget

    def ask(x: Array) -> float:
        nonlocal left
        if left == 0:
            raise _SpentError
        left -= 1
        return function(x)

    points, ended = start[None], None
    try:
        while True:
            signs = random.choice([-1.0, 1.0], size=start.size)
            points = np.vstack([points[0], points[0] + step * np.diag(signs)])
            _descend(ask, points, _SMALL * step)
            ended = points.mean(axis=0)
    except _SpentError:
        centre: Array = points.mean(axis=0) if ended is None else ended
        return centre


def _descend(ask: Callable[[Array], float], points: Array, size: float) -> None:
    """Moves a simplex, (n + 1, n), in place until it has shrunk to `size`; the best point comes first."""
    n = points.shape[1]
    expand, contract, shrink = 1.0 + 2.0 / n, 0.75 - 0.5 / n, 1.0 - 1.0 / max(n, 2)
    values = np.array([ask(point) for point in points])
    while True:
        order = np.argsort(values, kind="stable")
        points[:], values = points[order], values[order]
        if np.abs(points[1:] - points[0]).max() <= size:
            return
        centre = points[:-1].mean(axis=0)
        away = centre - points[-1]
        reflected = ask(centre + away)
        if reflected < values[0]:
            expanded = ask(centre + expand * away)
            factor, value = (expand, expanded) if expanded < reflected else (1.0, reflected)
        elif reflected < values[-2]:
            factor, value = 1.0, reflected
        else:
            factor = contract if reflected < values[-1] else -contract
            value = ask(centre + factor * away)
        if value < min(reflected, values[-1]) or factor in (1.0, expand):
            points[-1], values[-1] = centre + factor * away, value
        else:
            points[1:] = points[0] + shrink * (points[1:] - points[0])
            values[1:] = [ask(point) for point in points[1:]]
