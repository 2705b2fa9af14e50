"""Solvers of order 2 that call the network twice a step, once in the last: 2N - 1 calls for N steps.

diffusers runs them as single steps over interleaved arrays, in which a node stands twice. The last
step is Euler's in all of them, also where the schedule ends above sigma 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._handover import Handover, check_decreasing
from ._noise import noise_schedule
from ._strategy import Strategy
from ._ve import ScheduledVE

Array = NDArray[np.float64]


class TwoCalls(Strategy):
    """FlowMatchHeunDiscreteScheduler: Heun's method, the second call at the step's end."""

    calls_per_step = 2

    def sigma_tensor(self, handover: Handover, device: Any) -> Any:
        """Return the inner nodes twice: once as a step's end, once as a start."""
        levels = handover.sigmas
        inner = np.repeat(levels[1:-1], 2)
        return self.tensor(np.concatenate([levels[:1], inner, levels[-1:]]), device)

    def told(self, handover: Handover) -> Array:
        """Return the timesteps in the order of the calls."""
        return np.concatenate([handover.timesteps[:1], np.repeat(handover.timesteps[1:], 2)])


class Heun(TwoCalls):
    """HeunDiscreteScheduler: Karras et al. 2022, Algorithm 1."""

    mixin = ScheduledVE


@dataclass(frozen=True)
class MidpointHandover(Handover):
    """A schedule with a second call inside each step but the last.

    Attributes:
        down: N noise levels where the deterministic part of each step ends: the next node, or with
            noise added afterwards (ancestral) below it.
        middle: N-1 noise levels of the second calls.
        middle_timesteps: N-1 values that the network is told there.
    """

    down: Array
    middle: Array
    middle_timesteps: Array


class KDPM2(Strategy):
    """KDPM2DiscreteScheduler: DPM-Solver-2 (Karras et al. 2022, Algorithm 3), midpoints in log(sigma)."""

    mixin = ScheduledVE
    calls_per_step = 2

    def order(self, scheduler: Any) -> int:
        """Return 2."""
        return 2

    def down(self, sigmas: Array) -> Array:
        """Return where the deterministic part of each of the N steps ends."""
        return sigmas[1:]

    def prepare(self, scheduler: Any, handover: Handover, tolerance: float) -> Handover:
        """Return the numbers to install, with the places of the second calls."""
        handover = super().prepare(scheduler, handover, tolerance)
        down = self.down(handover.sigmas)
        middle = np.sqrt(handover.sigmas[:-2] * down[:-1])
        noise = noise_schedule(scheduler)
        # An ancestral midpoint is the next node, and rounding may put it below the table's last entry.
        lambdas = np.minimum(-np.log(middle), noise.lambda_range[1])
        told = np.asarray(noise.timestep(lambdas), dtype=np.float64)
        check_decreasing("timesteps (with midpoints)", told)
        return MidpointHandover(**vars(handover), down=down, middle=middle, middle_timesteps=told)

    def reset(self, scheduler: Any, device: Any, mu: float | None) -> None:
        """Clear the state by hand: the class's own way looks every point up in the whole table."""
        scheduler.sample = None
        scheduler._step_index = None
        scheduler._begin_index = None

    def told(self, handover: Handover) -> Array:
        """Return the timesteps in the order of the calls."""
        assert isinstance(handover, MidpointHandover)
        later = np.stack([handover.middle_timesteps, handover.timesteps[1:]], axis=-1)
        return np.concatenate([handover.timesteps[:1], later.ravel()])

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the interleaved arrays.

        Step i reads its midpoint at ``sigmas_interpol[2i + 1]``; the last step's "midpoint" is its
        end, so that it is Euler's.
        """
        assert isinstance(handover, MidpointHandover)
        super().install(scheduler, handover, device)
        ends = np.concatenate([handover.sigmas[:1], handover.middle, handover.sigmas[-1:]])
        scheduler.sigmas_interpol = self.tensor(interleaved(ends), device)

    def sigma_tensor(self, handover: Handover, device: Any) -> Any:
        """Return the noise levels, all but the first twice."""
        return self.tensor(interleaved(handover.sigmas), device)


class KDPM2Ancestral(KDPM2):
    """KDPM2AncestralDiscreteScheduler: the same to below the next node, and back up with noise.

    The last step adds none.
    """

    def down(self, sigmas: Array) -> Array:
        """Return sigma_{i+1}^2 / sigma_i: what is left beside the noise of an ancestral step."""
        return sigmas[1:] ** 2 / sigmas[:-1]

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the interleaved arrays; step i reads its midpoint at ``sigmas_interpol[2i]``."""
        assert isinstance(handover, MidpointHandover)
        super().install(scheduler, handover, device)
        levels = handover.sigmas
        up = np.sqrt(levels[1:] ** 2 - handover.down**2)
        last = levels[-1:]
        scheduler.sigmas_interpol = self.tensor(interleaved(np.concatenate([handover.middle, last, last])), device)
        scheduler.sigmas_up = self.tensor(interleaved(np.append(up, 0.0)), device)
        scheduler.sigmas_down = self.tensor(interleaved(np.append(handover.down, 0.0)), device)


def interleaved(values: Array) -> Array:
    """Return the first value once and all others twice, the last three times."""
    return np.concatenate([values[:1], np.repeat(values[1:], 2), values[-1:]])
