"""The noise schedule that a diffusers scheduler really runs."""

from __future__ import annotations

import functools
import inspect
import math
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from hso.checks import as_number
from hso.resolution import shift_from_mu

from ._image_size import mu_for_size
from ._source import Source, resolve
from ._target import class_names, setting

if TYPE_CHECKING:
    from hso import NoiseSchedule

FLOW_CLASSES = frozenset(
    {
        "FlowMapEulerDiscreteScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler",
    }
)
EDM_CLASSES = frozenset({"EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"})


def noise_schedule(
    source: object,
    *,
    mu: float | None = None,
    width: int | None = None,
    height: int | None = None,
    num_frames: int | None = None,
) -> NoiseSchedule:
    """Return the noise schedule of a diffusers scheduler, pipeline, configuration or model folder.

    What the class runs is read, not what its configuration says, because the two differ
    (``rescale_betas_zero_snr`` is ignored by six classes and means an exact 0 or 2**-24 in the
    others):

    * schedulers with a table: ``alphas_cumprod``, float32 as it is, widened to float64. A zero in
      its last entry is taken as 2**-24.
    * flow matching (``FlowMatch*``, or ``use_flow_sigmas``): ``NoiseSchedule.flow`` with the
      scheduler's shift. ``shift_terminal`` stretches the grids that diffusers makes itself and is
      no part of the noise schedule.
    * EDM (``EDM*``, and Euler with continuous timesteps and v-prediction, as Stable Video
      Diffusion has it): ``NoiseSchedule.edm`` with the scheduler's ``sigma_min``, ``sigma_max``.

    Args:
        source: the scheduler; a pipeline, whose ``scheduler`` is read; a configuration with
            ``_class_name``; the path of a scheduler_config.json, of its folder, or of a model's
            folder (with model_index.json, or scheduler/scheduler_config.json). Of a path only the
            scheduler is built, and nothing is downloaded.
        mu: only for flow schedulers with ``use_dynamic_shifting`` (Flux, Qwen-Image), which need it
            or ``width`` and ``height``: what the pipeline passes to ``set_timesteps`` for the image
            size. The shift is exp(mu), or mu itself where ``time_shift_type`` is "linear".
        width: pixels, instead of ``mu``. mu is computed as the pipeline does; a scheduler without
            its pipeline is taken to have tokens of 16 x 16 pixels, as Flux has them.
        height: pixels, with ``width``.
        num_frames: of a video, with ``width`` and ``height``, for pipelines of videos (LTX).

    Raises:
        ValueError: the class has no noise schedule that is known here; ``mu`` or the size is
            missing, impossible or not wanted; a file is missing or not a scheduler's configuration.
        TypeError: ``source`` is none of the above.
        ImportError: a configuration or path is given, and torch or diffusers is missing.
    """
    from hso import NoiseSchedule

    resolved = resolve(source)
    scheduler = resolved.scheduler
    family = noise_family(scheduler)
    size = {"width": width, "height": height, "num_frames": num_frames}
    if family == "flow" and _own_setting(scheduler, "use_dynamic_shifting", False):
        return _flow(scheduler, _dynamic_shift(resolved, mu, size))
    unwanted = [f"{name}={value!r}" for name, value in {"mu": mu, **size}.items() if value is not None]
    if unwanted:
        kind = "a fixed shift" if family == "flow" else "no shift"
        raise ValueError(
            f"{', '.join(unwanted)} must be left out: only flow schedulers with use_dynamic_shifting "
            f"depend on the image size, this {type(scheduler).__name__} has {kind}"
        )
    if family == "flow":
        return _flow(scheduler, _fixed_shift(scheduler))
    if family == "ve":
        low, high = _edm_range(scheduler)
        return NoiseSchedule.edm(sigma_min=low, sigma_max=high)
    return _from_table(_table(scheduler).tobytes())


def noise_family(scheduler: Any) -> str:
    """Return the family of schedules that ``scheduler`` runs: "vp", "flow" or "ve"."""
    names = class_names(scheduler)
    if FLOW_CLASSES.intersection(names) or _has_flow_sigmas(scheduler):
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


def _has_flow_sigmas(scheduler: Any) -> bool:
    # Without a flow_shift (Helios) the noise levels are made in another way.
    return bool(_own_setting(scheduler, "use_flow_sigmas", False)) and "flow_shift" in _parameters(type(scheduler))


def _flow(scheduler: Any, shift: float) -> NoiseSchedule:
    from hso import NoiseSchedule

    name = type(scheduler).__name__
    entries = setting(scheduler, "num_train_timesteps", 1000)
    if entries != 1000:
        raise ValueError(
            f"source: {name} has num_train_timesteps={entries!r}, only networks that are told 1000 s are supported"
        )
    if setting(scheduler, "invert_sigmas", False):
        raise ValueError(f"source: {name} has invert_sigmas=True (Mochi, time running the other way): not supported")
    return NoiseSchedule.flow(shift=shift)


def _dynamic_shift(source: Source, mu: float | None, size: dict[str, int | None]) -> float:
    given = [f"{name}={value!r}" for name, value in size.items() if value is not None]
    if mu is None:
        mu = mu_for_size(source, **size)
    elif given:
        raise ValueError(f"{', '.join(given)} must be left out with mu={mu!r}, which is what they would give")
    if not math.isfinite(as_number("mu", mu)):
        raise ValueError(f"mu must be finite, got {mu!r}")
    return shift_from_mu(mu, setting(source.scheduler, "time_shift_type", "exponential"))


def _fixed_shift(scheduler: Any) -> float:
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
            f"source: {type(scheduler).__name__} has no alphas_cumprod, and is not a "
            "flow-matching or EDM scheduler: its noise schedule is not known here"
        )
    return np.asarray(table.detach().cpu().numpy(), dtype=np.float64)


# Every hand-over asks for it, and building the table takes most of the time of that.
@functools.lru_cache(maxsize=16)
def _from_table(table: bytes) -> NoiseSchedule:
    from hso import NoiseSchedule

    return NoiseSchedule.from_alphas_cumprod(np.frombuffer(table, dtype=np.float64))


def _own_setting(scheduler: Any, name: str, default: Any) -> Any:
    """A configuration value that the class has: ``from_config`` keeps the keys of other classes, which it ignores."""
    return setting(scheduler, name, default) if name in _parameters(type(scheduler)) else default


_PARAMETERS: weakref.WeakKeyDictionary[type, frozenset[str]] = weakref.WeakKeyDictionary()


def _parameters(cls: type) -> frozenset[str]:
    """Of the class's constructor; of a scheduler that holds a schedule, of the class it was."""
    cls = getattr(cls, "_hso_base", cls)
    known = _PARAMETERS.get(cls)
    if known is None:
        known = _PARAMETERS[cls] = frozenset(inspect.signature(cls).parameters)
    return known
