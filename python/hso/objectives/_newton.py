"""Newton's method by differences, which are evaluated all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._arrays import Array

_STEP = 1e-3  # of differences; what they cut off is of its fourth power in the gradient
_ITERATIONS = 100
_ROWS = 256  # points evaluated at a time, for bounded memory


def minimize(objective: Callable[[Array], Array], start: Array) -> Array:
    """A local minimum near `start` (n,) of an objective that takes rows (b, n) to values (b,), smooth on a scale of 1.

    No variable moves by more than 1 in an iteration, and none is made that does not lower the objective. Where it is
    not finite the search ends.
    """
    point = start
    value = float(objective(point[None])[0])
    damping = 0.0
    for _ in range(_ITERATIONS if point.size else 0):
        gradient, hessian = _derivatives(objective, point)
        if not np.all(np.isfinite(hessian)):
            break
        values, vectors = np.linalg.eigh(hessian)
        scale = float(np.abs(values).max())
        if not scale > 0.0:
            break
        slopes = vectors.T @ gradient
        while damping < 1e12:
            # divided by the curvature's size, not its sign, so that it goes downhill from saddles too
            step = -(vectors @ (slopes / (np.maximum(np.abs(values), 1e-13 * scale) + damping * scale)))
            step /= max(1.0, float(np.abs(step).max()))
            new = float(objective((point + step)[None])[0])
            if new < value:
                break
            damping = max(10.0 * damping, 1e-6)
        else:
            break
        point, value = point + step, new
        damping = 0.1 * damping if damping > 1e-6 else 0.0
        if float(np.abs(step).max()) < 1e-10:
            break
    return point


def _derivatives(objective: Callable[[Array], Array], point: Array) -> tuple[Array, Array]:
    """Gradient and the Hessian's diagonal by differences of fourth order, the rest by those of second."""
    count, h = point.size, _STEP
    unit = h * np.eye(count)
    a, b = np.triu_indices(count, 1)
    shifts = np.concatenate(
        [0.0 * unit[:1], unit, -unit, 2.0 * unit, -2.0 * unit, unit[a] + unit[b], -unit[a] - unit[b]]
    )
    rows = [shifts[i : i + _ROWS] for i in range(0, len(shifts), _ROWS)]
    found = np.concatenate([objective(point + row) for row in rows])
    center, rest = found[0], found[1:]
    up, down, far_up, far_down = rest[: 4 * count].reshape(4, count)
    gradient = (8.0 * (up - down) - (far_up - far_down)) / (12.0 * h)
    hessian = np.diag((16.0 * (up + down) - (far_up + far_down) - 30.0 * center) / (12.0 * h**2))
    pairs = rest[4 * count :].reshape(2, -1).sum(axis=0)
    hessian[a, b] = hessian[b, a] = (pairs - (up + down)[a] - (up + down)[b] + 2.0 * center) / (2.0 * h**2)
    return gradient, hessian
