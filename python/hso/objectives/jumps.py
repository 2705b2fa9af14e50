"""Schedules from what one step errs by between any two nodes of a teacher's trajectory.

The step is Euler's in the VE state y = x / alpha, which is DDIM's in x and Euler's in flow matching's coordinates
alike: with D the x0-prediction and s the VE sigma, it takes y_i to (s_j / s_i) y_i + (1 - s_j / s_i) D_i. What it errs
by depends on the coordinates it is read in: x_fm = x / (alpha + sigma) = y / (1 + s), x_vp = y / sqrt(1 + s^2).

All follows from the teacher's predictions: they are interpolated by a spline in lambda, and the state between two nodes
is the ODE's exact solution for these predictions. No network is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np

from .._arrays import Array
from ..chain import shortest_chains
from ..checks import as_integer, as_positive, one_of
from ..network import initial
from ..schedule import Schedule
from ..trajectories import Trajectories
from ._common import Counts, Terminal, as_terminal, at_lambdas, schedules
from ._curves import spline_matrix

Coordinates: TypeAlias = Literal["ve", "fm", "vp"]
Norm: TypeAlias = Literal["mean", "rms", "squares"]
Start: TypeAlias = Literal["fixed", "free"]

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, eq=False)
class JumpCosts:
    """One-step errors between M nodes, and sigma 0 as point M.

    Attributes:
        lambdas: Shape (M,), the nodes' half log-SNRs, increasing.
        cost: Shape (M+1, M+1); cost[i, j] is that of the step from node i to j > i, of no meaning elsewhere. At sigma 0
            the step's result is the prediction D_i, and the truth the teacher's last prediction.
        start: Shape (M,), how far x = eps (VE: sigma eps), which sampling starts from at any first node, is from the
            teacher's state there; 0 at the teacher's own first node.
    """

    lambdas: Array
    cost: Array
    start: Array


def jump_costs(
    trajectories: Trajectories, *, coordinates: Coordinates = "ve", norm: Norm = "mean", grid: int | None = 128
) -> JumpCosts:
    """The costs of all steps between `grid` >= 2 nodes, of the teacher's density; None: the teacher's own M nodes.

    With r the root mean square error over a sample's d numbers, `norm` is over samples "mean" r, "rms"
    sqrt(mean r^2), "squares" mean r^2. Memory: O(n grid M). ValueError for arguments that make no sense.
    """
    one_of("coordinates", coordinates, ("ve", "fm", "vp"))
    one_of("norm", norm, ("mean", "rms", "squares"))
    knots = np.asarray(trajectories.lambdas, dtype=np.float64)
    lam = knots
    if grid is not None:
        places = np.linspace(0.0, knots.size - 1.0, as_integer("grid", grid, least=2, most=10_000))
        lam = np.interp(places, np.arange(knots.size), knots)
    predictions, states, starts = _in_few_dimensions(trajectories, lam)
    s = np.exp(-lam)
    # all at once over samples and arrival nodes; errors shrink from y to the coordinates by the arrival node's factor
    factor = {"ve": np.ones_like(s), "fm": 1.0 / (1.0 + s), "vp": 1.0 / np.hypot(1.0, s)}[coordinates]
    cost = np.full((lam.size + 1, lam.size + 1), np.inf)
    for i in range(lam.size):
        ratio = s[i + 1 :] / s[i]
        jumps = ratio[:, None] * (states[:, i, None] - predictions[:, i, None]) + predictions[:, i, None]
        cost[i, i + 1 : -1] = _over_samples((jumps - states[:, i + 1 :]) * factor[i + 1 :, None], norm)
    # the last knot's prediction is the origin of the reduced predictions
    cost[:-1, -1] = _over_samples(predictions, norm)
    scale = trajectories.x0.shape[-1] ** (-1.0 if norm == "squares" else -0.5)
    return JumpCosts(lam, scale * cost, scale * _over_samples(starts * factor[:, None], norm))


def _over_samples(errors: Array, norm: Norm) -> Array:
    """The norm over samples, the first axis, of vectors along the last: (n, k, m) to (k,)."""
    squares: Array = np.einsum("nkm,nkm->nk", errors, errors)
    if norm == "mean":
        return np.asarray(np.sqrt(squares).mean(axis=0))
    squares = squares.mean(axis=0)
    return np.sqrt(squares) if norm == "rms" else squares


def _in_few_dimensions(trajectories: Trajectories, lam: Array) -> tuple[Array, Array, Array]:
    """Every sample's predictions, states and start errors at `lam`, (n, k, m) each with m <= M + 2 in place of d.

    Norms of differences are kept: all are combinations of the M predictions, the noise and the last prediction, so an
    orthonormal basis of these will do. States leave out the part that a step treats exactly, s times the noise, which
    at much noise drowns all else; predictions and states are relative to the last prediction.
    """
    knots = np.asarray(trajectories.lambdas, dtype=np.float64)
    values = spline_matrix(knots, lam)
    integrals = _exponential_integrals(knots, lam)
    s = np.exp(-lam)
    # y_k = s_k / s_0 y_0 + integral of D; sampling starts from first_k eps, the teacher's did from first_0 eps
    noise, one = trajectories.noise, np.ones(1)
    first = np.array([float(initial(noise, one, float(level))[0] / noise.alpha(float(level))) for level in lam])
    excess = first - s / s[0] * first[0]
    rows = np.concatenate([-integrals, excess[:, None], (s / s[0] - 1.0)[:, None]], axis=1)
    predictions, states, starts = [], [], []
    for sample in range(trajectories.x0.shape[1]):
        own = np.asarray(trajectories.x0[:, sample], dtype=np.float64)
        eps = np.asarray(trajectories.eps[sample], dtype=np.float64)
        columns = np.concatenate([own - own[-1], [eps, own[-1]]]).T
        basis = np.asarray(np.linalg.qr(columns, mode="r")).T
        predictions.append(values @ basis[: knots.size])
        states.append(integrals @ basis[: knots.size])
        starts.append(rows @ basis)
    return np.stack(predictions), np.stack(states), np.stack(starts)


def _exponential_integrals(knots: Array, lam: Array) -> Array:
    """The matrix (k, M) of values at knots to the integrals of e^-(lam_k - u) spline(u) du from the first knot."""
    points = np.union1d(knots, lam)
    h = np.diff(points)
    offsets = 0.5 * h[:, None] * (_POINTS + 1.0)
    weights = 0.5 * h[:, None] * _WEIGHTS * np.exp(offsets - h[:, None])
    values = spline_matrix(knots, (points[:-1, None] + offsets).ravel()).reshape(h.size, _POINTS.size, knots.size)
    steps = np.einsum("pg,pgm->pm", weights, values)
    integrals = np.zeros((points.size, knots.size))
    for i, step in enumerate(steps):
        integrals[i + 1] = np.exp(-h[i]) * integrals[i] + step
    return np.asarray(integrals[np.searchsorted(points, lam)])


def _cheapest(
    trajectories: Trajectories,
    nfe: int | Counts,
    costs: JumpCosts,
    terminal: Terminal,
    start: Start,
    discount: float,
    search: str,
) -> Schedule | list[Schedule]:
    """The schedules of the cheapest chains."""
    one_of("start", start, ("fixed", "free"))
    points = costs.lambdas.size + (as_terminal(terminal) == "zero")
    fees = None
    if start == "free":
        fees = np.concatenate([costs.start, np.full(points - costs.lambdas.size, np.inf)])

    def make(counts: list[int]) -> list[Schedule]:
        if max(counts) > points - 1:
            raise ValueError(f"nfe must be at most {points - 1} with {costs.lambdas.size} nodes, got {max(counts)}")
        chains = shortest_chains(costs.cost[:points, :points], max_edges=max(counts), start=fees, discount=discount)
        nodes = [chains[count - 1].nodes[: count + (terminal == "t_min")] for count in counts]
        return [at_lambdas(trajectories.noise, costs.lambdas[chosen], terminal, search) for chosen in nodes]

    return schedules(nfe, make)


@overload
def ve_jump(
    trajectories: Trajectories,
    nfe: int,
    *,
    norm: Norm = ...,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> Schedule: ...
@overload
def ve_jump(
    trajectories: Trajectories,
    nfe: Counts,
    *,
    norm: Norm = ...,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> list[Schedule]: ...
def ve_jump(
    trajectories: Trajectories,
    nfe: int | Counts,
    *,
    norm: Norm = "rms",
    terminal: Terminal = "zero",
    start: Start = "fixed",
    grid: int | None = 128,
) -> Schedule | list[Schedule]:
    """The schedule whose one-step errors in the VE state y = x / alpha have the least sum.

    With "rms", what it sums bounds the samples' error where the ODE neither spreads nor draws together errors
    (Minkowski).

    Args:
        trajectories: The teacher's.
        nfe: Network calls, 1..10000 and no more than nodes; a list gives a list of schedules from one sweep.
        norm: Over samples: "mean" of norms, "rms", or "squares"; see `jump_costs`.
        terminal: "zero": `nfe` nodes and sigma 0; "t_min": nfe + 1 nodes, the last is the teacher's last.
        start: "fixed": at the teacher's first node. "free": at any, for the error made by starting from pure noise
            there.
        grid: Nodes to choose from, 2..10000, of the teacher's density; None: the teacher's own.

    Raises:
        ValueError: an argument makes no sense, or there are fewer nodes than calls.
    """
    return _cheapest(trajectories, nfe, jump_costs(trajectories, norm=norm, grid=grid), terminal, start, 1.0, "ve_jump")


@overload
def gits(
    trajectories: Trajectories,
    nfe: int,
    *,
    coefficient: float = ...,
    norm: Norm = ...,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> Schedule: ...
@overload
def gits(
    trajectories: Trajectories,
    nfe: Counts,
    *,
    coefficient: float = ...,
    norm: Norm = ...,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> list[Schedule]: ...
def gits(
    trajectories: Trajectories,
    nfe: int | Counts,
    *,
    coefficient: float = 1.15,
    norm: Norm = "mean",
    terminal: Terminal = "zero",
    start: Start = "fixed",
    grid: int | None = 128,
) -> Schedule | list[Schedule]:
    """GITS (Chen et al. 2024, 2405.11326): `ve_jump` with the cost of what remains times `coefficient` at every node.

    The published coefficients are 1.15 for pixels and 1.2 for Stable Diffusion; above 1 they weigh late steps more than
    early ones. `coefficient` > 0 and finite; other arguments and errors as for `ve_jump`.
    """
    discount = as_positive("coefficient", coefficient)
    return _cheapest(
        trajectories, nfe, jump_costs(trajectories, norm=norm, grid=grid), terminal, start, discount, "gits"
    )


@overload
def boss(
    trajectories: Trajectories,
    nfe: int,
    *,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> Schedule: ...
@overload
def boss(
    trajectories: Trajectories,
    nfe: Counts,
    *,
    terminal: Terminal = ...,
    start: Start = ...,
    grid: int | None = ...,
) -> list[Schedule]: ...
def boss(
    trajectories: Trajectories,
    nfe: int | Counts,
    *,
    terminal: Terminal = "zero",
    start: Start = "fixed",
    grid: int | None = 128,
) -> Schedule | list[Schedule]:
    """BOSS (Nguyen et al. 2024, 2312.16414): squared one-step errors in flow matching's coordinates, for any family.

    Arguments and errors as for `ve_jump`.
    """
    costs = jump_costs(trajectories, coordinates="fm", norm="squares", grid=grid)
    return _cheapest(trajectories, nfe, costs, terminal, start, 1.0, "boss")
