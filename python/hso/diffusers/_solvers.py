"""The strategies of the scheduler classes that run schedules."""

from __future__ import annotations

from typing import Any

from ._handover import Handover
from ._libraries import load
from ._scheduled import STATE, Applied, Scheduled
from ._strategy import Strategy, dynamic_shift
from ._target import setting


class DPMSolverMultistep(Strategy):
    """DPMSolverMultistepScheduler: DPM-Solver(++) of Lu et al. 2022, orders 1 to 3.

    diffusers' order 3 converges with order 2 only: it lacks a factor 2 in its second difference.
    """

    uses_lambda = True

    def order(self, scheduler: Any) -> int:
        """Return ``solver_order``."""
        return int(setting(scheduler, "solver_order", 2))

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse sigma 0 for the noise-predicting variants, which divide by it."""
        algorithm = setting(scheduler, "algorithm_type")
        if handover.ends_at_zero and algorithm in ("dpmsolver", "sde-dpmsolver"):
            raise ValueError(
                f"schedule.terminal={handover.terminal!r} ends at sigma 0, which "
                f"algorithm_type={algorithm!r} cannot reach: use terminal='t_min' or "
                "algorithm_type='dpmsolver++'"
            )


class UniPC(Strategy):
    """UniPCMultistepScheduler: Zhao et al. 2023, with its corrector."""

    uses_lambda = True

    def order(self, scheduler: Any) -> int:
        """Return ``solver_order``."""
        return int(setting(scheduler, "solver_order", 2))

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse a foreign predictor, and the settings that make sigma 0 a NaN."""
        if scheduler.solver_p is not None:
            raise ValueError(
                f"scheduler.solver_p={type(scheduler.solver_p).__name__} makes its own steps and "
                "would not see the schedule: build the scheduler without solver_p"
            )
        if not handover.ends_at_zero:
            return
        # Without lower_order_final the last step is still of order 1 if the whole run is.
        lower_final = setting(scheduler, "lower_order_final", True) or min(self.order(scheduler), handover.nfe) == 1
        for name, value, cure in (
            ("solver_type", setting(scheduler, "solver_type"), "bh2"),
            ("predict_x0", scheduler.predict_x0, True),
            ("lower_order_final", lower_final, True),
        ):
            if value != cure:
                raise ValueError(
                    f"schedule.terminal={handover.terminal!r} ends at sigma 0, where "
                    f"UniPCMultistepScheduler with {name}={value!r} gives NaN: use "
                    f"{name}={cure!r} or terminal='t_min'"
                )

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return ``mu`` where it is demanded."""
        return dynamic_shift(scheduler, mu)


class ScheduledEuler(Scheduled):
    """Euler with the latent scale of the schedule's first noise level."""

    @property
    def init_noise_sigma(self) -> Any:
        """What pipelines multiply unit noise with, a tensor of no dimensions.

        sqrt(sigma^2 + 1): divided by the same in ``scale_model_input``, the network first sees unit
        noise, as with every other scheduler. diffusers takes sigma itself unless
        ``timestep_spacing`` is "leading", by which latents are too faint: 0.2 % at SD's first
        sigma of 14.6, 1.4 % at 6.
        """
        state: Applied = vars(self)[STATE]
        first = float(state.handover.sigmas[0])
        return load("torch").tensor((first**2 + 1.0) ** 0.5)


class Euler(Strategy):
    """EulerDiscreteScheduler: DDIM in the variance-exploding variables of Karras et al. 2022."""

    mixin = ScheduledEuler


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
