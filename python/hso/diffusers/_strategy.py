"""How a schedule gets into a scheduler: the part that all classes share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._checks import check_family, check_lambda_clip, check_lambda_gaps, check_noise
from ._handover import Handover, check_decreasing
from ._libraries import load
from ._noise import noise_family
from ._scheduled import Scheduled
from ._target import setting

if TYPE_CHECKING:
    from hso import Schedule

# log((1 - s)/s) needs s < 1; diffusers' UniPC stops at the same value.
FLOW_SIGMA_MAX = 1.0 - 1e-6


class Strategy:
    """Reset the solver, then overwrite what ``step`` reads.

    It fits every class whose ``step`` takes its noise levels from ``sigmas[step_index + k]`` alone,
    where the timestep's value only finds the first index. Strategies have no state.
    """

    mixin: ClassVar[type[Scheduled]] = Scheduled
    # Whether step() takes log(alpha/sigma) of its nodes, infinite at a flow sigma of 1.
    uses_lambda: ClassVar[bool] = False
    # Network calls a step, but for the last, which takes one.
    calls_per_step: ClassVar[int] = 1

    def network_calls(self, steps: int) -> int:
        """Return how often the network is called in ``steps`` steps."""
        return self.calls_per_step * (steps - 1) + 1

    def order(self, scheduler: Any) -> int:
        """Return how many network outputs one step may combine."""
        return 1

    def prepare(self, scheduler: Any, handover: Handover, tolerance: float) -> Handover:
        """Return the numbers to install, or raise ValueError; ``scheduler`` is only read."""
        family = noise_family(scheduler)
        check_family(scheduler, handover, family)
        check_noise(scheduler, handover, family, tolerance)
        if self.uses_lambda and family == "flow":
            handover = dataclasses.replace(handover, sigmas=np.minimum(handover.sigmas, FLOW_SIGMA_MAX))
            check_decreasing("sigmas", handover.sigmas)
        check_lambda_clip(scheduler, handover)
        if self.order(scheduler) > 1:
            check_lambda_gaps(scheduler, handover)
        self.check(scheduler, handover)
        return handover

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Raise ValueError for settings with which this class cannot run the schedule."""

    def realise(self, scheduler: Any, schedule: Schedule, handover: Handover) -> tuple[Schedule, Handover]:
        """Return what really runs of a schedule that ``prepare`` has passed."""
        return schedule, handover

    def notes(self, scheduler: Any, schedule: Schedule, realised: Schedule) -> list[str]:
        """Return what the user should know of the way the schedule runs."""
        return []

    def configure(self, scheduler: Any, handover: Handover) -> None:
        """Set the configuration values that ``step`` reads to what the schedule is."""
        changes = {}
        if "final_sigmas_type" in scheduler.config:
            changes["final_sigmas_type"] = "zero" if handover.ends_at_zero else "sigma_min"
        # Also without changes: it makes a new configuration, into which the classes then write exp(mu).
        scheduler.register_to_config(**changes)

    def reset(self, scheduler: Any, device: Any, mu: float | None) -> None:
        """Clear the solver's state through the class's own ``set_timesteps``.

        Its grid is thrown away, and a grid of many points takes milliseconds in some classes: it is
        asked for few. A degenerate grid (one step to a ``shift_terminal``) divides by zero.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            scheduler._hso_base.set_timesteps(
                scheduler, self.reset_steps(scheduler), device=device, **self.reset_arguments(scheduler, mu)
            )

    def reset_steps(self, scheduler: Any) -> int:
        """Return for how many steps ``reset`` asks."""
        return 1

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return what the class's own ``set_timesteps`` needs beyond the number of steps."""
        return {}

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the schedule's arrays into ``scheduler``; the timesteps go to ``device``."""
        scheduler.sigmas = self.sigma_tensor(handover, device)
        scheduler.timesteps = self.tensor(self.told(handover), device, "float32").to(device)
        scheduler.num_inference_steps = handover.steps

    def told(self, handover: Handover) -> NDArray[np.float64]:
        """Return what the network is told, one entry a call."""
        return handover.timesteps

    def sigma_tensor(self, handover: Handover, device: Any) -> Any:
        """Return the noise levels as the class keeps them: on the CPU."""
        return self.tensor(handover.sigmas, device)

    def tensor(self, values: NDArray[np.float64], device: Any, dtype: str = "float64") -> Any:
        """Return a tensor on the CPU, by default in float64.

        So no digits are lost in differences of lambda. ``step`` takes single elements, which do not
        change the type of the latents. Apple's GPUs have no float64, and UniPC moves the elements
        there.
        """
        torch = load("torch")
        if dtype == "float64" and _is_mps(device):
            dtype = "float32"
        return torch.tensor(values, dtype=getattr(torch, dtype))


def dynamic_shift(scheduler: Any, mu: float | None) -> dict[str, Any]:
    """Return the ``mu`` that classes demand under use_dynamic_shifting; the grid is dropped."""
    if not setting(scheduler, "use_dynamic_shifting", False):
        return {}
    return {"mu": 1.0 if mu is None else mu}


def _is_mps(device: Any) -> bool:
    torch = load("torch")
    if device is None:
        return bool(torch.backends.mps.is_available())
    return bool(torch.device(device).type == "mps")
