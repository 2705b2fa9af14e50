"""Schedulers that cannot run a schedule, and the ones that do the same and can."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._libraries import load
from ._scheduled import Scheduled
from ._solvers import DPMSolverMultistep
from ._target import class_names, scheduler_of, setting


class HsoWarning(UserWarning):
    """Something was done that the caller should know of; the result is sound."""


class ScheduledDDIM(Scheduled):
    """DPM-Solver++(1) in the place of DDIM: takes what pipelines pass to DDIM's ``step``."""

    def step(
        self,
        model_output: Any,
        timestep: Any,
        sample: Any,
        eta: float = 0.0,
        use_clipped_model_output: bool | None = False,
        generator: Any = None,
        variance_noise: Any = None,
        return_dict: bool = True,
    ) -> Any:
        """Make one step; see ``DPMSolverMultistepScheduler.step``.

        ``use_clipped_model_output`` has no effect, since nothing is clipped.

        Raises ValueError for ``eta`` other than 0: only the deterministic DDIM has an equivalent.
        """
        if eta != 0.0:
            raise ValueError(
                f"eta must be 0, got {eta!r}: the schedule runs on DPMSolverMultistepScheduler in "
                "place of DDIMScheduler, which is the same for eta=0 only"
            )
        return self._hso_base.step(
            self,
            model_output,
            timestep,
            sample,
            generator=generator,
            variance_noise=variance_noise,
            return_dict=return_dict,
        )


class DDIMStandIn(DPMSolverMultistep):
    """The strategy of the scheduler that replaces a DDIMScheduler."""

    mixin = ScheduledDDIM


def equivalent(scheduler_or_pipe: object) -> Any:
    """Return a new scheduler that does the same and can run any schedule; change nothing.

    ``DDIMScheduler`` computes its previous timestep as t - 1000 // N, whatever its timesteps are,
    so only its own uniform grid works. DPMSolverMultistepScheduler with solver_order=1 and
    algorithm_type="dpmsolver++" is the same update (Lu et al. 2022, DPM-Solver++, section 4.1)
    and takes its nodes from a list. ``clip_sample`` and the end of the grid are not carried over:
    see ``apply``.

    Raises:
        ValueError: the class has no exact equivalent, or the noise table that
            the configuration gives is not the scheduler's (a table changed by hand).
        TypeError: ``scheduler_or_pipe`` is neither a scheduler nor a pipeline.
    """
    scheduler = scheduler_of(scheduler_or_pipe)
    if "DDIMScheduler" not in class_names(scheduler):
        raise ValueError(
            f"scheduler_or_pipe: {type(scheduler).__name__} has no exact equivalent, only DDIMScheduler has"
        )
    replacement = load("diffusers").DPMSolverMultistepScheduler.from_config(
        dict(scheduler.config),
        solver_order=1,
        algorithm_type="dpmsolver++",
        final_sigmas_type="zero",
    )
    _check_same_table(scheduler, replacement)
    return replacement


def replacement_notes(scheduler: Any) -> str:
    """Return what a user must know when ``scheduler``, a DDIMScheduler, is replaced."""
    notes = [
        "DDIMScheduler cannot run a custom schedule (it steps by num_train_timesteps // steps): "
        "replaced by its exact equivalent DPMSolverMultistepScheduler(solver_order=1, "
        "algorithm_type='dpmsolver++'). hso.diffusers.restore() brings it back."
    ]
    if setting(scheduler, "clip_sample", False):
        limit = setting(scheduler, "clip_sample_range", 1.0)
        notes.append(f"clip_sample=True is dropped: x0 is no longer clipped to +-{limit:g}.")
    if setting(scheduler, "thresholding", False):
        notes.append("thresholding=True stays, but the noise is now taken from the thresholded x0 as well.")
    if not setting(scheduler, "set_alpha_to_one", True):
        notes.append("set_alpha_to_one=False is dropped: sampling ends where the schedule's terminal says.")
    return " ".join(notes)


def _check_same_table(scheduler: Any, replacement: Any) -> None:
    ours = np.asarray(scheduler.alphas_cumprod.detach().cpu().numpy(), dtype=np.float64)
    built = np.asarray(replacement.alphas_cumprod.numpy(), dtype=np.float64)
    # DDIM keeps an exact zero terminal signal where the others put 2**-24.
    ours = np.where(ours == 0.0, 2.0**-24, ours)
    if ours.shape != built.shape or not np.allclose(ours, built, rtol=1e-4, atol=0.0):
        raise ValueError(
            "scheduler_or_pipe: alphas_cumprod is not what the configuration gives, so no "
            "equivalent can be built from it; pass the betas as trained_betas instead"
        )
