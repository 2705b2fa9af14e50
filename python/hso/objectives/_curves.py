"""Curves through few points: natural cubic splines."""

from __future__ import annotations

import numpy as np

from .._arrays import Array


def spline_matrix(knots: Array, at: Array) -> Array:
    """The matrix (len(at), M) that takes values at M >= 2 increasing `knots` to their natural cubic spline at `at`.

    `at` must lie between the first and the last knot. Rows sum to 1.
    """
    count, h = knots.size, np.diff(knots)
    eye = np.eye(count)
    bends = np.zeros((count, count))  # of values to second derivatives, which vanish at the ends
    if count > 2:
        slopes = np.diff(eye, axis=0) / h[:, None]
        system = np.diag((h[:-1] + h[1:]) / 3.0) + np.diag(h[1:-1] / 6.0, 1) + np.diag(h[1:-1] / 6.0, -1)
        bends[1:-1] = np.linalg.solve(system, np.diff(slopes, axis=0))
    k = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, count - 2)
    width = h[k][:, None]
    right = ((at - knots[k]) / h[k])[:, None]
    left = 1.0 - right
    matrix: Array = left * eye[k] + right * eye[k + 1]
    matrix += width**2 / 6.0 * ((left**3 - left) * bends[k] + (right**3 - right) * bends[k + 1])
    return matrix
