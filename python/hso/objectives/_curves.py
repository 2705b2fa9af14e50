"""Curves through few points: a natural cubic spline as a matrix, and a monotone cubic."""

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


def monotone_cubic(knots: Array, values: Array, at: Array) -> Array:
    """Fritsch and Butland's monotone cubic through `values` at M >= 2 increasing `knots`, at points between them."""
    h = np.diff(knots)
    slopes = np.diff(values) / h
    tangents = np.concatenate([slopes[:1], np.zeros(max(knots.size - 2, 0)), slopes[-1:]])
    before, after = slopes[:-1], slopes[1:]
    same = before * after > 0.0
    first, second = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    inner = tangents[1:-1]
    inner[same] = (first + second)[same] / (
        (first / np.where(same, before, 1.0)) + second / np.where(same, after, 1.0)
    )[same]
    k = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, h.size - 1)
    u = (at - knots[k]) / h[k]
    curve: Array = (
        values[k] * (1.0 + 2.0 * u) * (1.0 - u) ** 2
        + values[k + 1] * u**2 * (3.0 - 2.0 * u)
        + h[k] * (tangents[k] * u * (1.0 - u) ** 2 - tangents[k + 1] * u**2 * (1.0 - u))
    )
    return curve
