"""Cubic splines along a trajectory, as weights of its nodes."""

from __future__ import annotations

import numpy as np

from .._arrays import Array
from ..network import FloatArray
from ..trajectories import Trajectories


def spline_weights(nodes: Array, lam: float) -> Array:
    """Shape (M,): the natural cubic spline's value at `lam` in nodes[0]..nodes[-1] is weights @ (values at the
    nodes)."""
    gaps = np.diff(nodes)
    bends = np.zeros((len(nodes), len(nodes)))  # second derivatives from values
    inner = np.diag(2.0 * (gaps[:-1] + gaps[1:])) + np.diag(gaps[1:-1], 1) + np.diag(gaps[1:-1], -1)
    slopes = (np.eye(len(nodes))[1:] - np.eye(len(nodes))[:-1]) / gaps[:, None]
    bends[1:-1] = np.linalg.solve(inner, 6.0 * np.diff(slopes, axis=0))
    i = int(np.clip(np.searchsorted(nodes, lam, side="right") - 1, 0, len(nodes) - 2))
    b = (lam - nodes[i]) / gaps[i]
    a = 1.0 - b
    weights: Array = ((a**3 - a) * bends[i] + (b**3 - b) * bends[i + 1]) * gaps[i] ** 2 / 6.0
    weights[i] += a
    weights[i + 1] += b
    return weights


def state_scale(lam: Array | float) -> Array:
    """alpha of the variance-preserving model of the same SNR: states y times it are of order 1 at every lambda."""
    scale: Array = 1.0 / np.hypot(1.0, np.exp(-np.asarray(lam, dtype=np.float64)))
    return scale


def along(teacher: Trajectories, lam: float) -> tuple[FloatArray, FloatArray]:
    """The teacher's x0-predictions and states y at `lam`, each (n, d); at most its last node's."""
    weights = spline_weights(teacher.lambdas, lam)
    kind = teacher.x0.dtype.type
    x0: FloatArray = np.tensordot(weights.astype(kind), teacher.x0, 1)
    scaled = weights * state_scale(teacher.lambdas) / float(state_scale(lam))
    states: FloatArray = np.tensordot(scaled.astype(kind), teacher.states, 1)
    return x0, states
