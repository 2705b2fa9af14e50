"""Schedulers that cannot run a schedule, and the ones that do the same and can."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from ._libraries import load
from ._one_call import DPMSolver
from ._scheduled import Scheduled
from ._target import class_names, scheduler_of, setting

FIXED_STEP = ("DDIMScheduler", "DDIMParallelScheduler", "CogVideoXDDIMScheduler")
# What the classes that can step through it put for an exact zero at the end of the table.
ZERO_SNR = 2.0**-24


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


class DDIMStandIn(DPMSolver):
    """The strategy of the scheduler that replaces a DDIMScheduler."""

    mixin = ScheduledDDIM


def equivalent(scheduler_or_pipe: object) -> Any:
    """Return a new scheduler that does the same and can run any schedule; change nothing.

    ``DDIMScheduler``, ``DDIMParallelScheduler`` and ``CogVideoXDDIMScheduler`` compute their previous
    timestep as t - 1000 // N, whatever their timesteps are, so only their own uniform grid works.
    DPMSolverMultistepScheduler with solver_order=1 and algorithm_type="dpmsolver++" is the same
    update (Lu et al. 2022, DPM-Solver++, section 4.1) and takes its nodes from a list.
    ``clip_sample`` and the end of the grid are not carried over: see ``apply``.

    Raises:
        ValueError: the class has no exact equivalent, or the noise table that
            the configuration gives is not the scheduler's (a table changed by hand).
        TypeError: ``scheduler_or_pipe`` is neither a scheduler nor a pipeline.
    """
    scheduler = scheduler_of(scheduler_or_pipe)
    names = class_names(scheduler)
    if not any(name in names for name in FIXED_STEP):
        raise ValueError(
            f"scheduler_or_pipe: {type(scheduler).__name__} has no exact equivalent, only {', '.join(FIXED_STEP)} have"
        )
    replacement = _dpm_solver_1(
        dict(scheduler.config) | (_own_table(scheduler) if "CogVideoXDDIMScheduler" in names else {})
    )
    _check_same_table(scheduler, replacement)
    return replacement


def _dpm_solver_1(config: dict[str, Any]) -> Any:
    """Return what ``from_config`` gives, in a third of the time: it looks at the signatures of all schedulers."""
    cls = load("diffusers").DPMSolverMultistepScheduler
    known = _parameters(cls)
    settings = {key: value for key, value in config.items() if key in known}
    settings |= {"solver_order": 1, "algorithm_type": "dpmsolver++", "final_sigmas_type": "zero"}
    scheduler = cls(**settings)
    # Kept for the way back: DDIMScheduler.from_config(scheduler.config).
    scheduler.register_to_config(**{k: v for k, v in config.items() if k not in known and not k.startswith("_")})
    return scheduler


@functools.cache
def _parameters(cls: Any) -> frozenset[str]:
    return frozenset(inspect.signature(cls.__init__).parameters)


def _own_table(scheduler: Any) -> dict[str, Any]:
    """Return the settings that give CogVideoX's table (a shifted SNR) to a class without that shift."""
    table = np.asarray(scheduler.alphas_cumprod, dtype=np.float64)
    table = np.where(table == 0.0, ZERO_SNR, table)
    betas = 1.0 - table / np.append(1.0, table[:-1])
    return {"trained_betas": betas.tolist(), "rescale_betas_zero_snr": False}


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
    ours = np.where(ours == 0.0, ZERO_SNR, ours)
    if ours.shape != built.shape or not np.allclose(ours, built, rtol=1e-4, atol=0.0):
        raise ValueError(
            "scheduler_or_pipe: alphas_cumprod is not what the configuration gives, so no "
            "equivalent can be built from it; pass the betas as trained_betas instead"
        )
