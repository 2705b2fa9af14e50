"""Adams-Bashforth steps of variable size from histories that differ between samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._arrays import Array
from ..network import FloatArray


@dataclass(frozen=True, eq=False)
class History:
    """The velocities of n samples' last steps, newest first.

    Attributes:
        velocities: Shape (m, n, d).
        times: Shape (m, n), where they hold; increasing, since sampling goes down in time.
    """

    velocities: FloatArray
    times: Array


def displacements(history: History, order: int, ends: Array) -> FloatArray:
    """What an Adams-Bashforth step of `order` <= m to each of the times `ends` (J,) moves states by: shape (J, n, d).

    The integral of the polynomial through the newest `order` velocities.
    """
    times = history.times[:order]
    h = ends[:, None] - times[0]
    places = np.moveaxis((times - times[0])[:, None] / h, 0, -1)
    powers = np.arange(order)
    # the weights integrate 1, u, u^2, ... from 0 to 1 exactly, u the time in units of the step
    matrix = places[..., None, :] ** powers[:, None]
    moments = np.broadcast_to(1.0 / (powers + 1.0), places.shape)
    weights = h[..., None] * np.linalg.solve(matrix, moments[..., None])[..., 0]
    moved: FloatArray = np.einsum("jnm,mnd->jnd", weights.astype(history.velocities.dtype), history.velocities[:order])
    return moved
