"""Nodes, told levels and gain as what an optimizer may move freely."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arrays import Array
from ._start import Start


class Nodes:
    """Tensors in float64 on the CPU: the ends in lambda, logits of the gaps, shifts of told levels, log gain.

    Gaps are the least gap and a softmax share of the rest, so nodes stay apart. The ends are kept in their range by
    projection: a start at the range's end, the usual one, could not move off the flat end of a sigmoid.
    """

    def __init__(self, start: Start, *, free_ends: bool, decouple: bool, gain: bool) -> None:
        import torch

        self._start = start
        gaps = np.diff(start.lambdas)
        self.ends = torch.tensor(start.lambdas[[0, -1]], dtype=torch.float64)
        self.logits = torch.tensor(np.log(gaps - start.least), dtype=torch.float64)
        self.shifts = torch.zeros(max(start.intervals - 1, 0), dtype=torch.float64)
        self.log_gain = torch.tensor(np.log(start.schedule.gain), dtype=torch.float64)
        self._decouple = decouple
        moving = {"logits": True, "ends": free_ends, "shifts": decouple, "log_gain": gain}
        self.parameters: list[Any] = [getattr(self, name).requires_grad_() for name, free in moving.items() if free]

    def lambdas(self) -> Any:
        """(K + 1,), increasing."""
        import torch

        first, last = self.ends
        room = last - first - self._start.intervals * self._start.least
        gaps = self._start.least + room * torch.softmax(self.logits, 0)
        return first + torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(gaps, 0)])

    def told(self, lambdas: Any) -> Any:
        """(K + 1,): within half of the smaller gap beside each inner node; at the ends the nodes themselves."""
        import torch

        if not self._decouple:
            return None
        gaps = torch.diff(lambdas)
        inner = 0.5 * torch.minimum(gaps[:-1], gaps[1:]) * torch.tanh(self.shifts)
        zero = torch.zeros(1, dtype=torch.float64)
        return lambdas + torch.cat([zero, inner, zero])

    def gain(self) -> Any:
        """The factor on the initial noise."""
        return self.log_gain.exp()

    def project(self) -> None:
        """Put the ends back into their range."""
        import torch

        least = self._start.intervals * self._start.least
        with torch.no_grad():
            first, last = self.ends.tolist()
            first = min(max(first, self._start.low), self._start.high - least)
            self.ends[0], self.ends[1] = first, min(max(last, first + least), self._start.high)

    def values(self) -> tuple[Array, Array | None, float]:
        """Copies of nodes, told levels and gain."""
        lambdas = self.lambdas().detach()
        told = self.told(lambdas)
        return (
            np.array(lambdas),
            None if told is None else np.array(told.detach()),
            float(self.gain().detach()),
        )
