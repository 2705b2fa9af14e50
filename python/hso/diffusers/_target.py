"""Tell schedulers from pipelines, and diffusers' scheduler classes from each other."""

from __future__ import annotations

from typing import Any


def scheduler_of(target: object) -> Any:
    """Return the scheduler of ``target``, which is a scheduler or a pipeline that has one.

    Raises TypeError for anything else.
    """
    if is_scheduler(target):
        return target
    inner = getattr(target, "scheduler", None)
    if is_scheduler(inner):
        return inner
    raise TypeError(
        "scheduler_or_pipe must be a diffusers scheduler or a pipeline with one in its "
        f"`scheduler` attribute, got {type(target).__name__}"
    )


def is_scheduler(candidate: object) -> bool:
    """Whether ``candidate`` walks like a diffusers scheduler."""
    return all(hasattr(candidate, name) for name in ("set_timesteps", "step", "config"))


def class_names(scheduler: object) -> list[str]:
    """Return the names of the diffusers classes that ``scheduler`` is an instance of.

    Most derived first, so a user's subclass of a scheduler is found under its parent's name.
    """
    return [cls.__name__ for cls in type(scheduler).__mro__ if cls.__module__.partition(".")[0] == "diffusers"]


def setting(scheduler: Any, name: str, default: Any = None) -> Any:
    """Return one configuration value; ``default`` where the class has no such key."""
    value = scheduler.config.get(name)
    return default if value is None else value
