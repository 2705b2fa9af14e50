"""The cheapest chains of points for any costs between them: where to place nodes by a table of errors.

    chains = hso.chain.shortest_chains(cost, max_edges=20)  # cost[i, j]: of the step from point i to point j > i
    chains[9].nodes, chains[9].cost                         # of 10 steps

All numbers of edges come from one sweep, exact for any costs, of either sign. In all costs +infinity forbids; NaN and
-infinity are refused; sums that overflow are infinite. Of chains that cost the same, the one with the lowest first node
is found, then with the lowest second, and so on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import Array, as_array, as_vector
from .checks import as_integer, as_number


class Chain(NamedTuple):
    """A chain of some number of edges."""

    nodes: npt.NDArray[np.int64]
    """The points' indices, strictly increasing, one more than edges; empty where no such chain exists."""
    cost: float
    """inf where no such chain exists."""


def _as_costs(name: str, value: npt.ArrayLike, dimensions: int) -> Array:
    """`value` with the same length M >= 2 along each of its dimensions."""
    array = as_array(name, value)
    if array.ndim != dimensions or len(set(array.shape)) != 1 or array.shape[0] < 2:
        shape = ", ".join("M" * dimensions)
        raise ValueError(f"{name} must have shape ({shape}) with M at least 2, got {array.shape}")
    return array


def _as_entries(name: str, value: npt.ArrayLike | None, points: int) -> Array:
    """A vector with one entry for each point, or an empty one for None."""
    if value is None:
        return np.empty(0)
    array = as_vector(name, value)
    if array.size != points:
        raise ValueError(f"{name} must have shape ({points},), got {array.shape}")
    return array


def shortest_chains(
    cost: npt.ArrayLike,
    *,
    max_edges: int,
    start: npt.ArrayLike | None = None,
    end: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    spacing: float = 0.0,
    discount: float = 1.0,
) -> list[Chain]:
    """The cheapest chains of 1, 2, ..., `max_edges` (1..10000) edges through points in order: entry n has n + 1 edges.

    `cost`, shape (M, M), M >= 2: cost[i, j] is that of the edge from point i to j > i; entries with j <= i are not
    used. `start` and `end`, shape (M,): of beginning and of ending at each point; by default a chain begins at the
    first point and ends at the last. `t`, shape (M,), strictly decreasing, with `spacing` >= 0: no edge joins points
    nearer than this in t (but for rounding, 1e-12 of the largest |t|). `discount` > 0 multiplies what remains at each
    node: V = cost of the next edge + discount * V of the rest, the end's cost included (GITS' coefficient). Bad
    arguments raise ValueError.
    """
    matrix = _as_costs("cost", cost, 2)
    points = matrix.shape[0]
    found = _core.shortest_chains(
        matrix,
        as_integer("max_edges", max_edges, least=1, most=10000),
        _as_entries("start", start, points),
        _as_entries("end", end, points),
        _as_entries("t", t, points),
        as_number("spacing", spacing),
        as_number("discount", discount),
    )
    return [Chain(nodes, value) for nodes, value in found]


def shortest_chains_with_memory(
    cost: npt.ArrayLike,
    first: npt.ArrayLike,
    *,
    max_edges: int,
    start: npt.ArrayLike | None = None,
    end: npt.ArrayLike | None = None,
    t: npt.ArrayLike | None = None,
    spacing: float = 0.0,
    discount: float = 1.0,
) -> list[Chain]:
    """The same where an edge's cost depends on the node before it, as for a multistep solver.

    `cost`, shape (M, M, M): cost[i, j, k] is that of the edge from j to k > j after node i < j; others are not used.
    `first`, shape (M, M): first[j, k] is that of a chain's first edge, which has no node before. The rest as in
    `shortest_chains`. Takes O(M^3 max_edges) time and O(M^2 max_edges) memory, at most 2 GiB.
    """
    array, matrix = _as_costs("cost", cost, 3), _as_costs("first", first, 2)
    points = matrix.shape[0]
    if array.shape[0] != points:
        raise ValueError(f"first must have shape {array.shape[:2]}, got {matrix.shape}")
    found = _core.shortest_chains_with_memory(
        array,
        matrix,
        as_integer("max_edges", max_edges, least=1, most=10000),
        _as_entries("start", start, points),
        _as_entries("end", end, points),
        _as_entries("t", t, points),
        as_number("spacing", spacing),
        as_number("discount", discount),
    )
    return [Chain(nodes, value) for nodes, value in found]
