"""Nodes as unbounded coordinates, for searches without gradients."""

from __future__ import annotations

import numpy as np

from .._arrays import Array
from ..schedule import Schedule
from ._start import Start

_GAIN = 0.2
"""Of log gain in one coordinate: a step of 0.25 is 5 %."""


class Space:
    """Schedules that have as many nodes as the start, in the same range, as vectors.

    Two angles put the ends, the first node at sin^2(a) of what it may have, the last at sin^2(b) of what that leaves:
    so the bounds are reached, at finite angles. Then come logits of the gaps, less what all gaps keep, with 0 for the
    first gap, and, where it moves, the logarithm of the gain.
    """

    def __init__(self, start: Start, *, free_ends: bool, gain: bool) -> None:
        self._start = start
        self._room = start.intervals * start.least
        self._ends = 2 * free_ends
        self._gain = gain
        self.origin = self._coordinates()  # of the start

    def schedule(self, x: Array) -> Schedule:
        """The schedule at coordinates x."""
        first, last = self._first_and_last(x)
        stop = x.size - self._gain
        logits = np.append(0.0, x[self._ends : stop])
        parts = np.exp(logits - logits.max())
        gaps = self._start.least + (last - first - self._room) * parts / parts.sum()
        gain = float(np.exp(_GAIN * np.clip(x[-1], -50.0, 50.0))) if self._gain else self._start.schedule.gain
        lambdas = first + np.append(0.0, np.cumsum(gaps))
        return self._start.moved(lambdas, gain=gain, solver=self._start.schedule.solver)

    def _first_and_last(self, x: Array) -> tuple[float, float]:
        start = self._start
        if not self._ends:
            return float(start.lambdas[0]), float(start.lambdas[-1])
        first = start.low + (start.high - start.low - self._room) * np.sin(x[0]) ** 2
        least = first + self._room
        return float(first), float(least + (start.high - least) * np.sin(x[1]) ** 2)

    def _coordinates(self) -> Array:
        start = self._start
        first, last = start.lambdas[[0, -1]]
        ends = [
            _angle((first - start.low) / (start.high - start.low - self._room)),
            _angle((last - first - self._room) / (start.high - first - self._room)),
        ][: self._ends]
        gaps = np.diff(start.lambdas) - start.least
        gain = [np.log(start.schedule.gain) / _GAIN] if self._gain else []
        return np.concatenate([ends, np.log(gaps[1:] / gaps[0]), gain])


def _angle(share: float) -> float:
    return float(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))))
