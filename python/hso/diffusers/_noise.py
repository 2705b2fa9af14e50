"""The noise schedule that a diffusers scheduler really runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._target import class_names, scheduler_of, setting

if TYPE_CHECKING:
    from hso import NoiseSchedule

FLOW_CLASSES = frozenset(
    {
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler",
    }
)
EDM_CLASSES = frozenset({"EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"})


def noise_schedule(scheduler_or_pipe: object, *, mu: float | None = None) -> NoiseSchedule:
    """Return the noise schedule of a diffusers scheduler, or of a pipeline's scheduler.

    What the class runs is read, not what its configuration says, because the two differ
    (``rescale_betas_zero_snr`` is ignored by six classes and means an exact 0 or 2**-24 in the
    others):

    * schedulers with a table: ``alphas_cumprod``, float32 as it is, widened to float64. A zero in
      its last entry is taken as 2**-24.
    * flow matching (``FlowMatch*``, or ``use_flow_sigmas``): ``NoiseSchedule.flow`` with the
      scheduler's shift.
    * EDM (``EDM*``, and Euler with continuous timesteps and v-prediction, as Stable Video
      Diffusion has it): ``NoiseSchedule.edm`` with the scheduler's ``sigma_min``, ``sigma_max``.

    Args:
        scheduler_or_pipe: the scheduler, or a pipeline whose ``scheduler`` is read.
        mu: only for flow schedulers with ``use_dynamic_shifting`` (Flux, Qwen-Image), and there
            required: what the pipeline passes to ``set_timesteps`` for the image size. The shift
            is exp(mu), or mu itself where ``time_shift_type`` is "linear".

    Raises:
        ValueError: the class has no noise schedule that is known here, or ``mu`` is missing, not
            finite or not wanted.
        TypeError: ``scheduler_or_pipe`` is neither a scheduler nor a pipeline.
    """
    from hso import NoiseSchedule

    scheduler = scheduler_of(scheduler_or_pipe)
    family = noise_family(scheduler)
    if family == "flow":
        return NoiseSchedule.flow(shift=_flow_shift(scheduler, mu))
    if mu is not None:
        raise ValueError(
            f"mu={mu!r} is for flow schedulers with use_dynamic_shifting, {type(scheduler).__name__} has no shift"
        )
    if family == "ve":
        low, high = _edm_range(scheduler)
        return NoiseSchedule.edm(sigma_min=low, sigma_max=high)
    return NoiseSchedule.from_alphas_cumprod(_table(scheduler))


def noise_family(scheduler: Any) -> str:
    """Return the family of schedules that ``scheduler`` runs: "vp", "flow" or "ve"."""
    names = class_names(scheduler)
    if FLOW_CLASSES.intersection(names) or setting(scheduler, "use_flow_sigmas", False):
        return "flow"
    if EDM_CLASSES.intersection(names) or is_continuous_euler(scheduler):
        return "ve"
    return "vp"


def is_continuous_euler(scheduler: Any) -> bool:
    """Whether this is Euler telling its network log(sigma)/4 (Stable Video Diffusion).

    diffusers does so for v-prediction alone; with any other prediction type
    ``timestep_type="continuous"`` has no effect.
    """
    return (
        "EulerDiscreteScheduler" in class_names(scheduler)
        and setting(scheduler, "timestep_type") == "continuous"
        and setting(scheduler, "prediction_type") == "v_prediction"
    )


def _flow_shift(scheduler: Any, mu: float | None) -> float:
    if setting(scheduler, "use_dynamic_shifting", False):
        if mu is None:
            raise ValueError(
                f"mu must be given: {type(scheduler).__name__} has use_dynamic_shifting, its "
                "shift depends on the image size (pipelines compute mu with calculate_shift and "
                "pass it to set_timesteps)"
            )
        if not math.isfinite(mu):
            raise ValueError(f"mu must be finite, got {mu!r}")
        return mu if setting(scheduler, "time_shift_type") == "linear" else math.exp(mu)
    if mu is not None:
        raise ValueError(
            f"mu={mu!r} is for schedulers with use_dynamic_shifting, this {type(scheduler).__name__} has a fixed shift"
        )
    if FLOW_CLASSES.intersection(class_names(scheduler)):
        # set_shift() changes the attribute, not the configuration.
        return float(vars(scheduler).get("_shift", setting(scheduler, "shift", 1.0)))
    return float(setting(scheduler, "flow_shift", 1.0))


def _edm_range(scheduler: Any) -> tuple[float, float]:
    low, high = setting(scheduler, "sigma_min"), setting(scheduler, "sigma_max")
    if low is None or high is None:
        # Only Euler may leave them out; it then spans its table.
        cumulative = _table(scheduler)
        table = np.sqrt((1.0 - cumulative) / cumulative)
        low = table[0] if low is None else low
        high = table[-1] if high is None else high
    return float(low), float(high)


def _table(scheduler: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    table = getattr(scheduler, "alphas_cumprod", None)
    if table is None:
        raise ValueError(
            f"scheduler_or_pipe: {type(scheduler).__name__} has no alphas_cumprod, and is not a "
            "flow-matching or EDM scheduler: its noise schedule is not known here"
        )
    return np.asarray(table.detach().cpu().numpy(), dtype=np.float64)
