"""A factor on the initial noise, by way of the number that pipelines multiply it with."""

from __future__ import annotations

import inspect
from typing import Any

from ._handover import Handover
from ._target import class_names, is_scheduler


def check_gain(target: Any, scheduler: Any, handover: Handover) -> None:
    """Raise ValueError for a gain that the initial noise would not get.

    Flow models' pipelines do not multiply it by ``init_noise_sigma``, nor do some others (DiT, DDPM).
    Pipelines that start from a noised image have nothing to scale, and take any gain without effect.
    """
    if handover.gain == 1.0:
        return
    reason = None
    if not hasattr(scheduler, "init_noise_sigma"):
        reason = "it has no init_noise_sigma"
    elif handover.family == "flow":
        reason = "flow models' pipelines do not multiply the noise by init_noise_sigma"
    elif _starts_from_noise_as_it_is(target):
        reason = f"{type(target).__name__} does not multiply the noise by init_noise_sigma"
    if reason is not None:
        raise ValueError(
            f"schedule.gain must be 1 for {type(scheduler).__name__} here, got {handover.gain:.6g}: {reason}. Apply "
            "schedule.with_gain(1) and scale the latents that you pass yourself, latents=gain * noise"
        )


def scale_initial_noise(scheduler: Any, handover: Handover) -> None:
    """Multiply ``init_noise_sigma`` where it is an attribute; solvers in VE variables compute theirs."""
    held = vars(scheduler)
    if handover.gain != 1.0 and "init_noise_sigma" in held:
        held["init_noise_sigma"] = handover.gain * held["init_noise_sigma"]


def _starts_from_noise_as_it_is(target: Any) -> bool:
    """Whether a diffusers pipeline's code mentions neither ``init_noise_sigma`` nor a noised image."""
    if is_scheduler(target) or not class_names(target):
        return False
    functions = (inspect.unwrap(f) for cls in type(target).__mro__ for f in vars(cls).values() if callable(f))
    names = {name for f in functions if inspect.isfunction(f) for name in f.__code__.co_names}
    return names.isdisjoint(("init_noise_sigma", "add_noise"))
