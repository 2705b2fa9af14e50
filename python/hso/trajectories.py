"""Teacher trajectories: a model followed in many small steps, and what its network said on the way."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from ._arrays import Array
from ._multistep import Multistep
from .checks import as_integer
from .network import FloatArray, Network, Program, initial
from .noise_schedule import NoiseSchedule

NODES = 24
"""A teacher's, unless asked for more."""

_TEACHER = Multistep("unipc", 2)
_LEAST_SIGMA = 0.01  # VE sigma below which x0-predictions are taken to be final
_EVEN = 0.5  # share of the nodes that is spread evenly in lambda
_FAR = 10.0  # VE sigma above which images drown and predictions change little
_ANYWHERE = 0.02  # of the mean density, so that no gap is wide


@dataclass(frozen=True, eq=False)
class Trajectories:
    """n samples followed over M noise levels, as flat vectors of d numbers.

    Attributes:
        noise: The model's noise schedule.
        lambdas: Shape (M,), increasing half log-SNR, from the most noise to where predictions are final.
        eps: Shape (n, d), the standard normal noise that each started from.
        x0: Shape (M, n, d), the network's x0-predictions D(y, lambda).
        states: Shape (M, n, d), the states y = x / alpha that they were made at. At sigma 0, y is x0[-1].
    """

    noise: NoiseSchedule
    lambdas: Array
    eps: FloatArray
    x0: FloatArray
    states: FloatArray


def teacher_nodes(noise: NoiseSchedule, count: int) -> Array:
    """`count` >= 4 half log-SNRs, shape (count,), where a teacher calls the network.

    Half have the density of MEP's optimum at p = 2, sigma (1 + 3 alpha^2)^(1/3) with alpha and sigma of the
    variance-preserving model of the same SNR (the ODE in y = x / alpha knows the VE sigma alone, whatever the family),
    half are even in lambda; both are thinned out above the VE sigma 10. With UniPC-2, 24 of them take Gaussian data of
    any standard deviation from 0.25 to 2 to within 1.2 % of where they belong.
    """
    count = as_integer("nodes", count, least=4, most=10_000)
    low, high = noise.lambda_range
    lam = np.linspace(low, min(high, -math.log(_LEAST_SIGMA)), 4096)
    ve_sigma = np.exp(-lam)
    alpha = 1.0 / np.hypot(1.0, ve_sigma)
    near = 1.0 / (1.0 + ve_sigma / _FAR)
    density = ve_sigma * alpha * np.cbrt(1.0 + 3.0 * alpha**2) * near
    density = (1.0 - _EVEN) * density / density.mean() + _EVEN * near / near.mean() + _ANYWHERE
    share = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    nodes: Array = np.interp(np.linspace(0.0, share[-1], count), share, lam)
    return nodes


def teacher_steps(
    noise: NoiseSchedule, lambdas: Array, start: FloatArray
) -> Generator[FloatArray, FloatArray, tuple[list[FloatArray], list[FloatArray]]]:
    """Asks the network at `lambdas` on the way from x = `start` by UniPC-2; gives predictions and the states they are
    made at."""
    states, predictions = list[FloatArray](), list[FloatArray]()
    solver = _TEACHER.steps(lambdas, start / start.dtype.type(noise.alpha(float(lambdas[0]))), lower_end=False)
    y = next(solver)
    for lam in lambdas:
        states.append(y)
        predictions.append((yield y * y.dtype.type(noise.alpha(float(lam)))))
        try:
            y = solver.send(predictions[-1])
        except StopIteration:
            break
    return predictions, states


def teacher(network: Network, *, count: int = 16, nodes: int = NODES, seed: int = 0) -> Trajectories:
    """Follows `count` samples of noise from `seed` over `nodes` calls of the network each."""
    lambdas = teacher_nodes(network.noise, nodes)

    def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, Trajectories]:
        x0, states = yield from teacher_steps(network.noise, lambdas, initial(network.noise, eps, float(lambdas[0])))
        rows = [np.stack(each).reshape(len(lambdas), len(eps), -1) for each in (x0, states)]
        return Trajectories(network.noise, lambdas, eps.reshape(len(eps), -1), *rows)

    return joined(network.run(Program([float(lam) for lam in lambdas], steps), count, seed))


def joined(parts: Sequence[Trajectories]) -> Trajectories:
    """The trajectories of the parts of a batch as one."""
    eps = np.concatenate([part.eps for part in parts])
    rows = [np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("x0", "states")]
    return Trajectories(parts[0].noise, parts[0].lambdas, eps, *rows)
