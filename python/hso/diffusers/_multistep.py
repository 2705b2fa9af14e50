"""Solvers that extrapolate from several past network outputs, one call a step."""

from __future__ import annotations

from typing import Any

from ._checks import check_flow_prediction, check_signal
from ._handover import Handover
from ._libraries import load
from ._one_call import DPMSolver
from ._scheduled import Scheduled
from ._strategy import Strategy, dynamic_shift
from ._target import setting
from ._ve import ScheduledVE


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
        if not scheduler.predict_x0:
            check_flow_prediction(scheduler, "predict_x0=False")
            check_signal(scheduler, handover, "predict_x0=False")
        if not handover.ends_at_zero:
            return
        # Without lower_order_final the last step is still of order 1 if the whole run is.
        lower_final = setting(scheduler, "lower_order_final", True) or min(self.order(scheduler), handover.steps) == 1
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


class DEIS(Strategy):
    """DEISMultistepScheduler: Zhang and Chen 2023, polynomials in log(rho), orders 1 to 3."""

    uses_lambda = True

    def order(self, scheduler: Any) -> int:
        """Return ``solver_order``."""
        return int(setting(scheduler, "solver_order", 2))

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse sigma 0, a NaN in the logarithms, and next to no signal."""
        refuse_zero(scheduler, handover)
        check_signal(scheduler, handover, "DEIS")

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return ``mu`` where it is demanded."""
        return dynamic_shift(scheduler, mu)


class ScheduledSA(Scheduled):
    """SA-Solver that can noise an image to a fractional timestep."""

    timesteps: Any
    sigmas: Any

    def add_noise(self, original_samples: Any, noise: Any, timesteps: Any) -> Any:
        """Return alpha x0 + sigma noise at ``timesteps`` of the schedule, shape (batch,).

        The class itself indexes its table with the timesteps, integers only.
        """
        torch = load("torch")
        indices = [self._hso_base.index_for_timestep(self, t, self.timesteps.to(t.device)) for t in timesteps]
        alpha, sigma = self._hso_base._sigma_to_alpha_sigma_t(self, self.sigmas[indices])
        shape = (-1, *[1] * (original_samples.ndim - 1))
        kind = {"device": original_samples.device, "dtype": original_samples.dtype}
        return torch.as_tensor(alpha).to(**kind).reshape(shape) * original_samples + (
            sigma.to(**kind).reshape(shape) * noise
        )


class SASolver(Strategy):
    """SASolverScheduler: Xue et al. 2023, stochastic Adams methods with a corrector."""

    mixin = ScheduledSA
    uses_lambda = True

    def order(self, scheduler: Any) -> int:
        """Return the larger order of predictor and corrector."""
        return max(int(setting(scheduler, "predictor_order", 2)), int(setting(scheduler, "corrector_order", 2)))

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse sigma 0, a NaN in the coefficients."""
        refuse_zero(scheduler, handover)
        if not scheduler.predict_x0:
            check_flow_prediction(scheduler, "algorithm_type='noise_prediction'")
            check_signal(scheduler, handover, "algorithm_type='noise_prediction'")


class ScheduledLMS(ScheduledVE):
    """LMS whose order follows the outputs that there are."""

    derivatives: list[Any]

    def step(self, model_output: Any, timestep: Any, sample: Any, order: int = 4, return_dict: bool = True) -> Any:
        """Make one step; see ``LMSDiscreteScheduler.step``.

        The class takes its order from the place in the schedule: started in the middle of it
        (image to image) it would use weights for outputs that it does not have.
        """
        return self._hso_base.step(
            self, model_output, timestep, sample, order=min(order, len(self.derivatives) + 1), return_dict=return_dict
        )


class LMS(Strategy):
    """LMSDiscreteScheduler: linear multistep (Adams-Bashforth) in sigma, order 4."""

    mixin = ScheduledLMS

    def order(self, scheduler: Any) -> int:
        """Return the order that ``step`` takes by default."""
        return 4


class EDMDPMSolver(DPMSolver):
    """EDMDPMSolverMultistepScheduler: DPM-Solver++ in the variables of Karras et al. 2022."""

    mixin = ScheduledVE
    without_order_3 = ("sde-dpmsolver++",)


def refuse_zero(scheduler: Any, handover: Handover) -> None:
    """Raise ValueError for a schedule that ends at sigma 0."""
    if handover.ends_at_zero:
        raise ValueError(
            f"schedule.terminal={handover.terminal!r} ends at sigma 0, where {type(scheduler).__name__} "
            "gives NaN: use terminal='t_min', or UniPCMultistepScheduler or DPMSolverMultistepScheduler"
        )
