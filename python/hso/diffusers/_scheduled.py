"""A scheduler that holds a schedule: the class swap, and the way back.

Pipelines call ``set_timesteps`` themselves, each in its own way, and read ``timesteps`` and
``sigmas`` afterwards. So the override has to live in the scheduler object. The object's class is
swapped for a subclass that has the same name and module: ``isinstance``, ``save_pretrained``,
signature inspection, ``copy.deepcopy`` and ``pickle`` go on working.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ._handover import Handover

if TYPE_CHECKING:
    from hso import Schedule

STATE = "_hso"


class Installer(Protocol):
    """The part of a strategy that a scheduled scheduler calls."""

    def reset(self, scheduler: Any, device: Any, mu: float | None) -> None:
        """Clear the solver's state."""
        ...

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the schedule's arrays into ``scheduler``."""
        ...


@dataclass(frozen=True)
class Applied:
    """What a scheduled scheduler remembers.

    Attributes:
        schedule: the schedule that runs: the one that was applied, or what rounding made of it.
        handover: the numbers that are installed.
        strategy: how they are installed.
        original: the object's ``__dict__`` from before.
        replaced: the scheduler that this one stands in for, if any.
    """

    schedule: Schedule
    handover: Handover
    strategy: Installer
    original: dict[str, Any]
    replaced: Any


class Scheduled:
    """Mixin that goes before a diffusers scheduler class."""

    _hso_base: ClassVar[Any]
    _hso_mixin: ClassVar[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Build a plain scheduler: ``type(scheduler).from_config(...)`` carries no schedule."""
        return cls._hso_base(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Let copy and pickle rebuild the class, which no module holds by name."""
        return blank, (self._hso_base, self._hso_mixin), dict(vars(self))

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        *,
        timesteps: Sequence[float] | None = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
        num_train_timesteps: int | None = None,
        original_inference_steps: int | None = None,
        strength: float = 1.0,
    ) -> None:
        """Reset the solver and install the schedule on ``device``.

        Pipelines ask for steps, timesteps or sigmas of their own: only how many is looked at. Their
        values and ``mu``, ``num_train_timesteps`` (Heun, KDPM2) and ``original_inference_steps``
        (LCM, TCD) are overruled by the schedule, whose noise levels are final.

        Raises ValueError if another number of steps is asked for than the schedule has, or, by the
        image-to-image pipelines of LCM, a ``strength`` below 1: all steps in less noise.
        """
        state: Applied = vars(self)[STATE]
        steps = state.handover.steps
        _check_request(steps, num_inference_steps, timesteps, sigmas)
        if strength != 1.0:
            raise ValueError(
                f"strength must be 1, got {strength!r}: it would squeeze all {steps} steps below that much noise. "
                "Optimize for it with a smaller t_max"
            )
        state.strategy.reset(self, device, mu)
        state.strategy.install(self, state.handover, device)

    def to_json_string(self) -> str:
        """Serialize the original configuration: a saved scheduler carries no schedule."""
        plain = blank(self._hso_base, None)
        vars(plain).update(vars(self)[STATE].original)
        return str(plain.to_json_string())


def blank(base: Any, mixin: Any) -> Any:
    """Return an empty object of class ``base``, or of its scheduled subclass with ``mixin``."""
    return object.__new__(base if mixin is None else scheduled_class(base, mixin))


@functools.cache
def scheduled_class(base: Any, mixin: Any) -> Any:
    """Return the subclass of ``base`` with ``mixin`` in front, under the name of ``base``."""
    return type(
        base.__name__,
        (mixin, base),
        {
            "__module__": base.__module__,
            "__qualname__": base.__qualname__,
            "__doc__": base.__doc__,
            "_hso_base": base,
            "_hso_mixin": mixin,
        },
    )


def state_of(scheduler: Any) -> Applied | None:
    """Return what ``scheduler`` remembers, None if it holds no schedule."""
    state: Applied | None = vars(scheduler).get(STATE)
    return state


def plain_twin(scheduler: Any) -> Any:
    """Return a shallow copy of ``scheduler`` as it was before any schedule was applied."""
    state = state_of(scheduler)
    twin = blank(type(scheduler) if state is None else type(scheduler)._hso_base, None)
    vars(twin).update(vars(scheduler) if state is None else state.original)
    return twin


def become(scheduler: Any, other: Any) -> None:
    """Give ``scheduler`` the class and the attributes of ``other``; it stays the same object."""
    scheduler.__class__ = type(other)
    vars(scheduler).clear()
    vars(scheduler).update(vars(other))


def _check_request(
    steps: int,
    num_inference_steps: int | None,
    timesteps: Sequence[float] | None,
    sigmas: Sequence[float] | None,
) -> None:
    # Euler's sigmas include the terminal, those of flow schedulers do not.
    for name, asked, accepted in (
        ("num_inference_steps", num_inference_steps, (steps,)),
        ("len(timesteps)", None if timesteps is None else len(timesteps), (steps,)),
        ("len(sigmas)", None if sigmas is None else len(sigmas), (steps, steps + 1)),
    ):
        if asked is not None and asked not in accepted:
            raise ValueError(
                f"{name}={asked}, but the scheduler holds a schedule of {steps} steps: ask "
                f"for {steps}, apply another schedule, or call hso.diffusers.restore() first"
            )
