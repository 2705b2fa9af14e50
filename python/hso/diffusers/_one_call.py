"""Solvers that step from one node to the next with the newest network outputs, one call a step."""

from __future__ import annotations

from typing import Any, ClassVar

from ._checks import check_flow_prediction, check_signal
from ._handover import Handover
from ._libraries import load
from ._strategy import Strategy, dynamic_shift
from ._target import setting
from ._ve import ScheduledVE


class Euler(Strategy):
    """EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, EDMEulerScheduler.

    DDIM in the variance-exploding variables of Karras et al. 2022; the ancestral one adds noise,
    as DDPM does.
    """

    mixin = ScheduledVE


class FlowMatchEuler(Strategy):
    """FlowMatchEulerDiscreteScheduler; the schedule is final, no shift is applied to it."""

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse inverted time."""
        if setting(scheduler, "invert_sigmas", False):
            raise ValueError("scheduler.config.invert_sigmas=True (Mochi, time running the other way) is not supported")

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return ``mu`` where it is demanded."""
        return dynamic_shift(scheduler, mu)

    def sigma_tensor(self, handover: Handover, device: Any) -> Any:
        """Return float32 on ``device``: with timesteps per token the class mixes whole arrays."""
        torch = load("torch")
        return torch.tensor(handover.sigmas, dtype=torch.float32, device=device)


class DPMSolver(Strategy):
    """DPMSolverMultistepScheduler: DPM-Solver(++) of Lu et al. 2022, orders 1 to 3.

    diffusers' order 3 converges with order 2 only (it lacks a factor 2 in its second difference), that
    of "sde-dpmsolver++" with order 1 (a sign).
    """

    uses_lambda = True
    without_order_3: ClassVar[tuple[str, ...]] = ("sde-dpmsolver",)

    def order(self, scheduler: Any) -> int:
        """Return ``solver_order``."""
        return int(setting(scheduler, "solver_order", 2))

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse sigma 0 and next to no signal for the noise-predicting variants, and a formula that is missing."""
        algorithm = setting(scheduler, "algorithm_type")
        if algorithm in self.without_order_3 and self.order(scheduler) == 3:
            raise ValueError(
                f"scheduler.config.solver_order=3 does not exist for algorithm_type={algorithm!r} in "
                f"{type(scheduler).__name__}: use solver_order=2"
            )
        if algorithm not in ("dpmsolver", "sde-dpmsolver"):
            return
        if handover.ends_at_zero:
            raise ValueError(
                f"schedule.terminal={handover.terminal!r} ends at sigma 0, which "
                f"algorithm_type={algorithm!r} cannot reach: use terminal='t_min' or "
                "algorithm_type='dpmsolver++'"
            )
        check_flow_prediction(scheduler, f"algorithm_type={algorithm!r}")
        check_signal(scheduler, handover, f"algorithm_type={algorithm!r}")

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return ``mu`` where it is demanded."""
        return dynamic_shift(scheduler, mu)


class DPMSolverSinglestep(DPMSolver):
    """DPMSolverSinglestepScheduler: steps in groups of two or three, the last from the group's start."""

    def reset_steps(self, scheduler: Any) -> int:
        """Return one group of steps; a broken one would change the configuration."""
        return self.order(scheduler)

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the arrays, and the groups for all steps."""
        super().install(scheduler, handover, device)
        scheduler.order_list = scheduler.get_order_list(handover.steps)

    def configure(self, scheduler: Any, handover: Handover) -> None:
        """Turn ``lower_order_final`` on where the groups do not come out even.

        The class does that by itself, and logs it at every run.
        """
        super().configure(scheduler, handover)
        if handover.ends_at_zero or handover.steps % self.order(scheduler):
            scheduler.register_to_config(lower_order_final=True)
