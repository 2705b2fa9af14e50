"""Apply a schedule to a scheduler or pipeline, and take it back."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from ._handover import Handover, read
from ._registry import strategy_for
from ._scheduled import STATE, Applied, become, blank, plain_twin, state_of
from ._stand_in import DDIMStandIn, HsoWarning, equivalent, replacement_notes
from ._strategy import Strategy
from ._target import class_names, is_scheduler, scheduler_of

if TYPE_CHECKING:
    from hso import Schedule


def apply(scheduler_or_pipe: Any, schedule: Schedule, *, tolerance: float = 1e-4) -> Any:
    """Make a diffusers scheduler, or a pipeline's scheduler, run ``schedule``.

    Supported: DPMSolverMultistepScheduler, UniPCMultistepScheduler, EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler. The scheduler stays the same object, of the same type by
    ``isinstance``; from now on its ``set_timesteps`` installs the schedule, however a pipeline
    calls it. Ask the pipeline for ``schedule.nfe`` steps: another number is a ValueError, and
    ``timesteps``, ``sigmas`` and ``mu`` that it passes are overruled. The schedule is also
    installed at once, so that a loop of your own over ``scheduler.timesteps`` can start.

    Settings that generate timesteps (``use_karras_sigmas``, ``timestep_spacing``, ``shift`` and
    their like) no longer matter. ``final_sigmas_type``, which solvers read while they step, follows
    the schedule's terminal; ``save_pretrained`` writes the original value, and no schedule. Euler's
    ``init_noise_sigma`` becomes sqrt(sigma^2 + 1) of the first noise level. Noise levels are kept
    in float64 where the class allows it, timesteps in float32 on the pipeline's device.
    Copies, deep copies and pickles of the scheduler hold the schedule too. Applying another
    schedule replaces the first.

    A DDIMScheduler cannot run a custom schedule. In a pipeline it is replaced by its exact
    equivalent (see ``equivalent``), and an HsoWarning says what changes; a bare DDIMScheduler is
    left alone, and the equivalent is returned.

    Args:
        scheduler_or_pipe: the scheduler, or a pipeline whose ``scheduler`` is meant.
        schedule: made for the scheduler's noise schedule: see ``noise_schedule``.
        tolerance: largest relative difference, above what float32 explains, between the schedule's
            sigmas and the scheduler's own at the same timesteps; positive.

    Returns:
        The scheduler or pipeline that runs the schedule: the argument itself, except for a bare
        DDIMScheduler.

    Raises:
        ValueError: the class is not supported (the message names what is); the schedule has
            another noise schedule or family, NaN, timesteps outside the table, nodes that coincide
            in float32 or are closer than 0.01 in lambda for an order above 1; the scheduler's
            settings cannot run it (UniPC with ``solver_p``, or to sigma 0 with bh1,
            predict_x0=False or lower_order_final=False; "dpmsolver" to sigma 0;
            ``lambda_min_clipped`` above its first node; ``invert_sigmas``). Nothing has been
            changed then.
        TypeError: an argument is of the wrong type.
        ImportError: torch or diffusers is missing.
    """
    if not (math.isfinite(tolerance) and tolerance > 0.0):
        raise ValueError(f"tolerance must be positive and finite, got {tolerance!r}")
    scheduler = scheduler_of(scheduler_or_pipe)
    handover = read(schedule)
    state = state_of(scheduler)
    if state is None and "DDIMScheduler" in class_names(scheduler):
        return _apply_in_place_of(scheduler_or_pipe, scheduler, schedule, handover, tolerance)
    if isinstance(state, Applied) and isinstance(state.strategy, DDIMStandIn):
        strategy: Strategy = state.strategy
    else:
        strategy = strategy_for(scheduler)
    replaced = None if state is None else state.replaced
    become(scheduler, _stage(scheduler, strategy, schedule, handover, tolerance, replaced))
    return scheduler_or_pipe


def restore(scheduler_or_pipe: Any) -> Any:
    """Undo ``apply``: class, configuration, arrays and solver state are those from before it.

    A scheduler that holds no schedule is left as it is. Anything else that was done to the
    scheduler since ``apply`` is undone as well.

    Returns:
        The pipeline, or the scheduler from before: after ``apply`` to a bare DDIMScheduler that is
        the DDIMScheduler.

    Raises:
        TypeError: ``scheduler_or_pipe`` is neither a scheduler nor a pipeline.
    """
    scheduler = scheduler_of(scheduler_or_pipe)
    state = state_of(scheduler)
    if state is None:
        return scheduler_or_pipe
    become(scheduler, plain_twin(scheduler))
    if state.replaced is None:
        return scheduler_or_pipe
    if is_scheduler(scheduler_or_pipe):
        return state.replaced
    scheduler_or_pipe.scheduler = state.replaced
    return scheduler_or_pipe


def _apply_in_place_of(target: Any, ddim: Any, schedule: Schedule, handover: Handover, tolerance: float) -> Any:
    replacement = equivalent(ddim)
    become(replacement, _stage(replacement, DDIMStandIn(), schedule, handover, tolerance, ddim))
    # Before the pipeline changes: a filter may turn the warning into an error.
    warnings.warn(replacement_notes(ddim), HsoWarning, stacklevel=3)
    if target is ddim:
        return replacement
    target.scheduler = replacement
    return target


def _stage(
    scheduler: Any,
    strategy: Strategy,
    schedule: Schedule,
    handover: Handover,
    tolerance: float,
    replaced: Any,
) -> Any:
    """Return a scheduled copy of ``scheduler``, ready to run; ``scheduler`` is only read.

    The copy is shallow. That is enough, because setting up a scheduler rebinds its attributes and
    changes none of them in place.
    """
    plain = plain_twin(scheduler)
    final = strategy.prepare(plain, handover, tolerance)
    staged = blank(type(plain), strategy.mixin)
    vars(staged).update(vars(plain))
    vars(staged)[STATE] = Applied(schedule, final, strategy, dict(vars(plain)), replaced)
    strategy.configure(staged, final)
    staged.set_timesteps(final.nfe, device=getattr(scheduler.timesteps, "device", None))
    return staged
