"""What is asked of the network: a teacher's trajectory, then students of 1, 2, ... steps beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .._arrays import Array
from ..network import FloatArray, Program, initial
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._amplitude import quantiles
from ._front import Choice, Front, Indices
from ._multistep import displacements

Metric: TypeAlias = Literal["state", "x0"]
Progress: TypeAlias = Callable[[int, int], None]
Asking: TypeAlias = Generator[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class Part:
    """What became of n samples. Entry s of the lists is that of students of s + 1 steps.

    Attributes:
        nodes: Shape (n, s+1) each, the teacher's nodes at which the network is called, increasing.
        orders: Shape (n, s+1) each, the order of the step from each.
        errors: Shape (n,) each, mean square of the last state's distance to the teacher's.
        quantiles: Shape (2, M, n), of the teacher's x at its nodes; None where they are not asked for.
    """

    nodes: list[Indices]
    orders: list[Indices]
    errors: list[Array]
    quantiles: Array | None


@dataclass(frozen=True)
class Recursion:
    """The recursive error minimization over a teacher's M nodes; node M is where its last step ends.

    z[k][j] is the student's state after k steps at the teacher's node j: of one step more of any order allowed from
    each z[k-1][i], i < j, that which comes nearest to the teacher's state. z[0][j] is where sampling starts at j, for
    the first node is free. States are x / (alpha + sigma) at time sigma / (alpha + sigma): flow matching's coordinates.
    """

    noise: NoiseSchedule
    grid: Schedule
    nfe: int
    order: int
    metric: Metric
    shared: bool  # one choice for all samples, by the mean of their errors
    count: int
    with_quantiles: bool
    progress: Progress | None

    def program(self) -> Program[Part]:
        """The same, to be run on all samples at once or in parts."""
        nodes = self._asked()
        finished = 0

        def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, Part]:
            if self.shared and len(eps) != self.count:
                raise ValueError(
                    f"combine must be 'median' or None, or batch larger, where the network takes {len(eps)} of count = "
                    f"{self.count} samples at a time: 'mean_error' chooses for all of them at once"
                )
            # a part that runs again where memory ran out starts to count again
            before = finished

            def report(answers: int) -> None:
                nonlocal finished
                done = before + answers * len(eps)
                if answers == len(nodes):
                    finished = done
                if self.progress is not None:
                    self.progress(done, len(nodes) * self.count)

            return _Run(self, eps, report).steps()

        return Program(self.grid.lambdas[nodes].tolist(), steps)

    def orders(self, k: int) -> range:
        """The orders that step k may have: it has the velocities at k + 1 nodes."""
        return range(1, min(self.order, k + 1) + 1)

    def _asked(self) -> list[int]:
        """The nodes at which the network is asked, in order."""
        last = self.grid.steps
        asked = [*range(last), *range(1, last)]  # the teacher, and starts at other nodes than its own
        for k in range(self.nfe - 1):
            if self.metric == "state":
                asked += range(k + 1, last)
            else:
                asked += [j for i in range(k, last) for _ in self.orders(k) for j in range(i + 1, last)]
        return asked


class _Run:
    """The recursion for some of the samples, as vectors of d numbers."""

    def __init__(self, recursion: Recursion, eps: FloatArray, report: Callable[[int], None]) -> None:
        self._recursion = recursion
        self._eps = eps
        self._report = report
        self._answers = 0
        noise, lambdas = recursion.noise, recursion.grid.lambdas
        self._last = recursion.grid.steps
        levels = lambdas[np.isfinite(lambdas)]
        alphas, sigmas = np.asarray(noise.alpha(levels)), np.asarray(noise.sigma(levels))
        at_zero = [0.0] * (len(lambdas) - len(levels))
        self._times = np.append(sigmas / (alphas + sigmas), at_zero)
        self._scales = np.append(alphas + sigmas, np.ones_like(at_zero))  # alpha is 1 at sigma 0

    def steps(self) -> Generator[FloatArray, FloatArray, Part]:
        """Ask for everything in order."""
        recursion, last = self._recursion, self._last
        start = [
            (initial(recursion.noise, self._eps, float(lam)) / float(scale)).reshape(len(self._eps), -1)
            for lam, scale in zip(recursion.grid.lambdas[:last], self._scales, strict=False)
        ]
        velocities = yield from self._teacher(start[0])
        # nobody starts where the last step ends
        front = Front.start(np.stack([*start, start[-1]]), self._times, recursion.order)
        front.velocities[0, 0] = velocities
        for i in range(1, last):
            front.velocities[0, i] = yield from self._ask(front.states[i], i)
        choices: list[Choice] = []
        part = Part([], [], [], self._quantiles() if recursion.with_quantiles else None)
        for k in range(recursion.nfe):
            front, choice = yield from self._level(k, front)
            choices.append(choice)
            nodes, orders = self._path(choices)
            part.nodes.append(nodes)
            part.orders.append(orders)
            part.errors.append(self._errors(front.states[last:], slice(last, None))[0] * self._scales[last] ** 2)
        return part

    def _ask(self, state: FloatArray, node: int) -> Asking:
        """The velocity at `state` (n, d)."""
        x = (float(self._scales[node]) * state).reshape(self._eps.shape)
        x0 = yield x
        self._answers += 1
        self._report(self._answers)
        return (state - x0.reshape(state.shape)) / float(self._times[node])

    def _teacher(self, state: FloatArray) -> Asking:
        """Follow the teacher, in Euler's steps; gives its first velocity."""
        states, velocities = [state], []
        for i in range(self._last):
            velocities.append((yield from self._ask(states[-1], i)))
            states.append(states[-1] + float(self._times[i + 1] - self._times[i]) * velocities[-1])
        self._states: FloatArray = np.stack(states)
        if self._recursion.metric == "x0":
            times = self._times[: self._last, None, None].astype(state.dtype)
            self._x0: FloatArray = self._states[:-1] - times * np.stack(velocities)
        return velocities[0]

    def _level(self, k: int, front: Front) -> Generator[FloatArray, FloatArray, tuple[Front, Choice]]:
        """The best states after step k at every node, or at the last alone where no step follows."""
        recursion, last = self._recursion, self._last
        ends = k == recursion.nfe - 1
        found = front.blank()
        choice = Choice.blank(front.states.shape[:2])
        least = np.full(front.states.shape[:2], np.inf)
        for i in range(k, last):
            if k > 0 and recursion.metric == "state":
                front.velocities[0, i] = yield from self._ask(front.states[i], i)
            history = front.history(i)
            targets = slice(last if ends else i + 1, last + 1)
            for order in recursion.orders(k):
                states = front.states[i] + displacements(history, order, self._times[targets])
                errors = self._errors(states, targets)
                velocities = None
                if recursion.metric == "x0" and not ends:
                    velocities = yield from self._ask_all(states[:-1], i + 1)
                    errors[:-1] = self._x0_errors(states[:-1], velocities, i + 1)
                if recursion.shared:
                    errors[:] = errors.mean(axis=1, keepdims=True)
                better = errors < least[targets]
                np.copyto(least[targets], errors, where=better)
                choice.take(targets, better, i, order)
                found.take(targets, better, states, velocities, history)
        if not np.isfinite(least[last if ends else k + 1 :]).all():
            raise ValueError(f"the student's states overflow within {k + 1} steps: are the network's predictions x0?")
        return found, choice

    def _ask_all(self, states: FloatArray, first: int) -> Asking:
        """The velocities at `states` (J, n, d), at nodes `first`, `first` + 1, ..."""
        velocities = np.empty_like(states)
        for j, state in enumerate(states):
            velocities[j] = yield from self._ask(state, first + j)
        return velocities

    def _errors(self, states: FloatArray, targets: slice) -> Array:
        """Mean square distance (J, n) to the teacher's states."""
        return _mean_square(states - self._states[targets])

    def _x0_errors(self, states: FloatArray, velocities: FloatArray, first: int) -> Array:
        """Mean square distance (J, n) of x0-predictions to the teacher's."""
        targets = slice(first, first + len(states))
        times = self._times[targets, None, None].astype(states.dtype)
        return _mean_square(states - times * velocities - self._x0[targets])

    def _path(self, choices: list[Choice]) -> tuple[Indices, Indices]:
        """The nodes and orders (n, k) by which the state at the last node came after k steps."""
        samples = np.arange(len(self._eps))
        node = np.full(len(samples), self._last)
        nodes, orders = [], []
        for choice in reversed(choices):
            orders.append(choice.orders[node, samples])
            node = choice.parents[node, samples]
            nodes.append(node)
        return np.stack(nodes[::-1], axis=1), np.stack(orders[::-1], axis=1)

    def _quantiles(self) -> Array:
        """Of the teacher's x."""
        of_nodes = [quantiles(scale * x) for scale, x in zip(self._scales, self._states[:-1], strict=False)]
        return np.stack(of_nodes, axis=1)


def _mean_square(difference: FloatArray) -> Array:
    """Over the last axis, in float64; infinite where it overflows."""
    with np.errstate(over="ignore"):
        mean: Array = np.mean(np.square(difference), axis=-1, dtype=np.float64)
    return mean
