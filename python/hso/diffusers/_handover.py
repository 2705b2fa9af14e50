"""What is handed over: noise levels and network timesteps, checked on their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hso.checks import as_positive

if TYPE_CHECKING:
    from hso import Schedule

TERMINALS = ("zero", "t_min", "skip")
FAMILIES = ("vp", "flow", "ve", "general")


@dataclass(frozen=True)
class Handover:
    """The numbers of one schedule of N steps, in the sampler's units.

    Attributes:
        sigmas: N+1 strictly decreasing noise levels: sigma/alpha for "vp", "ve" and "general",
            the flow sigma s for "flow". The last is 0 unless the terminal is "t_min".
        timesteps: N strictly decreasing values that the network is told.
        t: N+1 times of the noise schedule.
        terminal: "zero", "skip" or "t_min".
        family: "vp", "flow", "ve" or "general".
        gain: factor on the initial noise.
    """

    sigmas: NDArray[np.float64]
    timesteps: NDArray[np.float64]
    t: NDArray[np.float64]
    terminal: str
    family: str
    gain: float

    @property
    def steps(self) -> int:
        """The number of steps, N: from each node to the next."""
        return len(self.timesteps)

    @property
    def ends_at_zero(self) -> bool:
        """Whether the last step goes to sigma 0."""
        return self.terminal != "t_min"

    def lambdas(self) -> NDArray[np.float64]:
        """Return log(alpha/sigma) of the noise levels above zero, increasing."""
        levels = self.sigmas[self.sigmas > 0.0]
        if self.family == "flow":
            return np.log1p(-levels) - np.log(levels)
        return -np.log(levels)


def read(schedule: Schedule) -> Handover:
    """Copy the numbers out of ``schedule`` and check them on their own.

    Raises:
        TypeError: ``schedule`` is not an ``hso.Schedule``.
        ValueError: unknown terminal or family; arrays of the wrong length, with NaN or infinity,
            not strictly decreasing in float32 (what samplers run in: two nodes that coincide there
            divide by zero), or at odds with the terminal; a gain that is not positive and finite.
    """
    try:
        handover = Handover(
            sigmas=np.array(schedule.sigmas, dtype=np.float64),
            timesteps=np.array(schedule.timesteps, dtype=np.float64),
            t=np.array(schedule.t, dtype=np.float64),
            terminal=schedule.terminal,
            family=schedule.family,
            gain=as_positive("schedule.gain", schedule.gain),
        )
    except AttributeError as error:
        raise TypeError(f"schedule must be an hso.Schedule, got {type(schedule).__name__} ({error})") from None
    _check_words(handover)
    _check_lengths(handover)
    for name in ("sigmas", "timesteps", "t"):
        _check_finite(name, getattr(handover, name))
    _check_terminal(handover)
    for name in ("sigmas", "timesteps"):
        check_decreasing(name, getattr(handover, name))
    return handover


def check_decreasing(name: str, values: NDArray[np.float64]) -> None:
    """Raise ValueError unless ``values`` decrease strictly after rounding to float32."""
    rounded = values.astype(np.float32)
    stuck = np.flatnonzero(~(np.diff(rounded) < 0))
    if stuck.size:
        i = int(stuck[0])
        raise ValueError(
            f"schedule.{name} must decrease strictly in float32, but entries {i} and {i + 1} are "
            f"{values[i]!r} and {values[i + 1]!r}"
        )


def _check_words(handover: Handover) -> None:
    if handover.terminal not in TERMINALS:
        raise ValueError(f"schedule.terminal must be one of {TERMINALS}, got {handover.terminal!r}")
    if handover.family not in FAMILIES:
        raise ValueError(f"schedule.family must be one of {FAMILIES}, got {handover.family!r}")


def _check_lengths(handover: Handover) -> None:
    steps = handover.timesteps.size
    if handover.timesteps.shape != (steps,) or steps < 1:
        raise ValueError(f"schedule.timesteps must be a vector of 1 or more, got shape {handover.timesteps.shape}")
    for name in ("sigmas", "t"):
        shape = getattr(handover, name).shape
        if shape != (steps + 1,):
            raise ValueError(f"schedule.{name} must have {steps + 1} entries for {steps} timesteps, got shape {shape}")


def _check_finite(name: str, values: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"schedule.{name} must be finite, entry {i} is {values[i]!r}")


def _check_terminal(handover: Handover) -> None:
    last = float(handover.sigmas[-1])
    if handover.ends_at_zero and last != 0.0:
        raise ValueError(f"schedule.sigmas must end at 0 for terminal={handover.terminal!r}, got {last!r}")
    if not handover.ends_at_zero and not last > 0.0:
        raise ValueError(f"schedule.sigmas must end above 0 for terminal='t_min', got {last!r}")
    if handover.family == "flow" and handover.sigmas[0] > 1.0:
        raise ValueError(f"schedule.sigmas must be at most 1 for family='flow', got {handover.sigmas[0]!r}")
