"""The best states of one level of the recursion, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ..network import FloatArray
from ._multistep import History

Indices: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Choice:
    """Where the best states of one level come from: shape (M+1, n), node and order of the step."""

    parents: Indices
    orders: Indices

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Choice:
        """None yet."""
        return cls(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))

    def take(self, targets: slice, better: npt.NDArray[np.bool_], node: int, order: int) -> None:
        """Note the step from `node` for the `better` (J, n)."""
        self.parents[targets][better] = node
        self.orders[targets][better] = order


@dataclass(frozen=True, eq=False)
class Front:
    """The best states of one level, with velocities for the steps from them.

    Attributes:
        states: Shape (M+1, n, d).
        velocities: Shape (p, M+1, n, d): at the states, at the states they came from, and so on.
        times: Shape (p, M+1, n), where those hold.
    """

    states: FloatArray
    velocities: FloatArray
    times: Array

    @classmethod
    def start(cls, states: FloatArray, times: Array, order: int) -> Front:
        """At `states` (M+1, n, d) with nothing before them; `times` (M+1,) of the nodes, `order` the p below."""
        front = cls(states, np.zeros((order, *states.shape), states.dtype), np.zeros((order, *states.shape[:2])))
        front.times[0] = times[:, None]
        return front

    def blank(self) -> Front:
        """The next, still empty."""
        front = Front(np.zeros_like(self.states), np.zeros_like(self.velocities), np.zeros_like(self.times))
        front.times[0] = self.times[0]
        return front

    def history(self, node: int) -> History:
        """The velocities at the state at `node` and before it."""
        return History(self.velocities[:, node], self.times[:, node])

    def take(
        self,
        targets: slice,
        better: npt.NDArray[np.bool_],
        states: FloatArray,
        velocities: FloatArray | None,
        history: History,
    ) -> None:
        """Keep the `better` (J, n) of `states` (J, n, d), with their velocities if known, and what went before them."""
        wide = better[..., None]
        np.copyto(self.states[targets], states, where=wide)
        if velocities is not None:
            np.copyto(self.velocities[0, targets][:-1], velocities, where=wide[:-1])
        for m in range(1, len(self.times)):
            np.copyto(self.velocities[m, targets], history.velocities[m - 1], where=wide)
            np.copyto(self.times[m, targets], history.times[m - 1], where=better)
