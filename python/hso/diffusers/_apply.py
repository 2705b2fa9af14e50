"""Apply a schedule to a scheduler or pipeline, and take it back."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from ._gain import check_gain, scale_initial_noise
from ._handover import Handover, read
from ._network_dtype import check_network_dtype
from ._registry import strategy_for
from ._rounding import Dtype
from ._scheduled import STATE, Applied, become, blank, plain_twin, state_of
from ._stand_in import DDIMStandIn, HsoWarning, equivalent, replacement_notes
from ._strategy import Strategy
from ._target import class_names, is_scheduler, scheduler_of

if TYPE_CHECKING:
    from hso import Schedule


def apply(
    scheduler_or_pipe: Any,
    schedule: Schedule,
    *,
    tolerance: float = 1e-4,
    timestep_dtype: Dtype | None = None,
) -> Any:
    """Make a diffusers scheduler, or a pipeline's scheduler, run ``schedule``.

    Supported are the classes of ``hso.diffusers.supported()``. The scheduler stays the same object,
    of the same type by ``isinstance``; from now on its ``set_timesteps`` installs the schedule,
    however a pipeline calls it. Ask the pipeline for ``schedule.steps`` steps: another number is a
    ValueError, and ``timesteps``, ``sigmas`` and ``mu`` that it passes are overruled. The schedule
    is also installed at once, so that a loop of your own over ``scheduler.timesteps`` can start.

    Settings that generate timesteps (``use_karras_sigmas``, ``timestep_spacing``, ``shift`` and
    their like) no longer matter. ``final_sigmas_type``, which solvers read while they step, follows
    the schedule's terminal; ``save_pretrained`` writes the original value, and no schedule.
    ``init_noise_sigma`` of the solvers in VE variables (Euler, Heun, LMS, KDPM2, EDM) is that of the
    first noise level. The schedule's gain multiplies ``init_noise_sigma``, and through it the initial
    noise. Noise levels are kept in float64 where the class allows it, timesteps in
    float32 on the pipeline's device. Copies, deep copies and pickles of the scheduler hold the
    schedule too. Applying another schedule replaces the first.

    An HsoWarning says what runs in another way than asked for:

    * Heun, KDPM2 and FlowMatchHeun call the network 2 steps - 1 times; optimize with
      ``solver="heun"`` or ``"kdpm2"``, and ``schedule.nfe`` counts calls.
    * DDPM, LCM and TCD take whole timesteps, and TCD ends at the table's first entry: see
      ``realised``.
    * A DDIMScheduler cannot run a custom schedule. In a pipeline it is replaced by its exact
      equivalent (see ``equivalent``); a bare DDIMScheduler is left alone, and the equivalent is
      returned.

    Args:
        scheduler_or_pipe: the scheduler, or a pipeline whose ``scheduler`` is meant.
        schedule: made for the scheduler's noise schedule: see ``noise_schedule``.
        tolerance: largest relative difference, above what float32 explains, between the schedule's
            sigmas and the scheduler's own at the same timesteps; positive.
        timestep_dtype: what the network sees its timesteps in, "float32", "float16" or "bfloat16":
            nodes that coincide there are refused. By default float32, and for pipelines that cast
            their timesteps to the latents' type (Flux, Qwen-Image and others) that type, as it is now.

    Returns:
        The scheduler or pipeline that runs the schedule: the argument itself, except for a bare
        DDIMScheduler.

    Raises:
        ValueError: the class is not supported (the message names what is, and the equivalent); the
            schedule has another noise schedule or family, NaN, timesteps outside the table, nodes
            that coincide in float32 or what the network is told, or are closer in lambda than 0.01
            and a twentieth of a step beside them for an order above 1; the scheduler or its
            settings cannot run it (sigma 0 in DEIS, SA, "dpmsolver", UniPC with bh1,
            predict_x0=False or lower_order_final=False; an end above sigma 0 in DDPM, LCM;
            ``solver_p``; ``lambda_min_clipped`` above the first node;
            ``invert_sigmas``); a gain where nothing multiplies the noise by ``init_noise_sigma``
            (flow models, and pipelines such as DiT's). Nothing has been changed then.
        TypeError: an argument is of the wrong type.
        ImportError: torch or diffusers is missing.
    """
    if not (math.isfinite(tolerance) and tolerance > 0.0):
        raise ValueError(f"tolerance must be positive and finite, got {tolerance!r}")
    scheduler = scheduler_of(scheduler_or_pipe)
    handover = read(schedule)
    check_network_dtype(scheduler_or_pipe, handover, timestep_dtype)
    check_gain(scheduler_or_pipe, scheduler, handover)
    state = state_of(scheduler)
    if state is None and "DDIMScheduler" in class_names(scheduler):
        return _apply_in_place_of(scheduler_or_pipe, scheduler, schedule, handover, tolerance)
    if isinstance(state, Applied) and isinstance(state.strategy, DDIMStandIn):
        strategy: Strategy = state.strategy
    else:
        strategy = strategy_for(scheduler)
    replaced = None if state is None else state.replaced
    staged, notes = _stage(scheduler, strategy, schedule, handover, tolerance, replaced)
    # Before anything changes: a filter may turn the warning into an error.
    if notes:
        warnings.warn(" ".join(notes), HsoWarning, stacklevel=2)
    become(scheduler, staged)
    return scheduler_or_pipe


def realised(scheduler_or_pipe: Any) -> Schedule:
    """Return the schedule that a scheduler, or a pipeline's scheduler, really runs.

    That is the one that was applied, but for schedulers of whole timesteps (DDPM, LCM, TCD), where
    its nodes are the rounded ones; its mep and fitness are then those of these nodes for p = 2.

    Raises:
        ValueError: the scheduler holds no schedule.
        TypeError: ``scheduler_or_pipe`` is neither a scheduler nor a pipeline.
    """
    scheduler = scheduler_of(scheduler_or_pipe)
    state = state_of(scheduler)
    if state is None:
        raise ValueError(
            f"scheduler_or_pipe: this {type(scheduler).__name__} holds no schedule, call hso.diffusers.apply() first"
        )
    return state.schedule


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
    staged, notes = _stage(replacement, DDIMStandIn(), schedule, handover, tolerance, ddim)
    become(replacement, staged)
    # Before the pipeline changes: a filter may turn the warning into an error.
    warnings.warn(" ".join([replacement_notes(ddim), *notes]), HsoWarning, stacklevel=3)
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
) -> tuple[Any, list[str]]:
    """Return a scheduled copy of ``scheduler``, ready to run, and what its user should know.

    ``scheduler`` is only read. The copy is shallow. That is enough, because setting up a scheduler
    rebinds its attributes and changes none of them in place.
    """
    plain = plain_twin(scheduler)
    final = strategy.prepare(plain, handover, tolerance)
    runs, final = strategy.realise(plain, schedule, final)
    notes = strategy.notes(plain, schedule, runs)
    calls = strategy.network_calls(final.steps)
    if calls != schedule.nfe:
        notes.append(
            f"{type(plain).__name__} calls the network {calls} times in the {final.steps} steps of this schedule, "
            f"which was made for {schedule.nfe} calls (solver={schedule.solver!r})."
        )
    staged = blank(type(plain), strategy.mixin)
    vars(staged).update(vars(plain))
    vars(staged)[STATE] = Applied(runs, final, strategy, dict(vars(plain)), replaced)
    strategy.configure(staged, final)
    scale_initial_noise(staged, final)
    staged.set_timesteps(final.steps, device=getattr(scheduler.timesteps, "device", None))
    return staged, notes
