"""Schedulers that look integer timesteps up in their table: the schedule is rounded, and the user told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._handover import Handover, read
from ._noise import noise_schedule
from ._rounding import as_dtype, at_timesteps, check_distinct, round_timesteps
from ._strategy import Strategy
from ._target import setting

if TYPE_CHECKING:
    from hso import Schedule


class IntegerTable(Strategy):
    """What DDPM, LCM and TCD share: they read ``alphas_cumprod[timestep]`` and nothing else."""

    def realise(self, scheduler: Any, schedule: Schedule, handover: Handover) -> tuple[Schedule, Handover]:
        """Return the schedule at whole timesteps."""
        rounded = round_timesteps(noise_schedule(scheduler), schedule, "int64")
        return rounded, read(rounded)

    def notes(self, scheduler: Any, schedule: Schedule, realised: Schedule) -> list[str]:
        """Say by how much rounding moved the nodes."""
        moved = np.abs(schedule.timesteps - realised.timesteps)
        if moved.max() < 1e-6:
            return []
        return [
            f"{type(scheduler).__name__} takes whole timesteps only: the schedule runs at "
            f"{np.rint(realised.timesteps).astype(int).tolist()}, off by at most {moved.max():.2g}. "
            "hso.diffusers.realised() returns what runs."
        ]

    def install(self, scheduler: Any, handover: Handover, device: Any) -> None:
        """Write the timesteps as int64; there are no sigmas."""
        scheduler.timesteps = self.tensor(np.rint(handover.timesteps), device, "int64").to(device)
        scheduler.num_inference_steps = handover.steps


class DDPM(IntegerTable):
    """DDPMScheduler: Ho et al. 2020, between any two entries of the table."""

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse an end above sigma 0, and variances that leave noise in the sample."""
        _refuse_t_min(scheduler, handover, "goes to sigma 0 in its last step")
        variance = scheduler.variance_type
        if variance not in ("fixed_small", "fixed_small_log"):
            raise ValueError(
                f"scheduler.config.variance_type={variance!r} adds noise after the last step unless its timestep is "
                "0: use variance_type='fixed_small', or DPMSolverMultistepScheduler.from_config(scheduler.config, "
                "solver_order=1, algorithm_type='sde-dpmsolver++'), the same update with fixed_small"
            )


class Consistency(IntegerTable):
    """What LCM and TCD share: the grid of their distillation, which is overruled."""

    def reset_arguments(self, scheduler: Any, mu: float | None) -> dict[str, Any]:
        """Return an original grid of all timesteps: the class demands at least as many as steps."""
        return {"original_inference_steps": int(setting(scheduler, "num_train_timesteps", 1000))}

    def notes(self, scheduler: Any, schedule: Schedule, realised: Schedule) -> list[str]:
        """Say also how many nodes the model was not distilled at."""
        notes = super().notes(scheduler, schedule, realised)
        entries = int(setting(scheduler, "num_train_timesteps", 1000))
        original = int(setting(scheduler, "original_inference_steps", 50))
        grid = np.arange(1, original + 1) * (entries // original) - 1
        strange = np.setdiff1d(np.rint(realised.timesteps), grid)
        if strange.size:
            notes.append(
                f"{strange.size} of {realised.steps} timesteps are not among the {original} that "
                f"the scheduler's configuration says the model was distilled at ({grid[0]}, {grid[1]}, ... {grid[-1]})."
            )
        return notes


class LCM(Consistency):
    """LCMScheduler: Luo et al. 2023; each step goes to x0 and back up with new noise."""

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse an end above sigma 0."""
        _refuse_t_min(scheduler, handover, "returns the network's x0 in its last step")


class TCD(Consistency):
    """TCDScheduler: Zheng et al. 2024. Its last step goes to entry 0 of the table, not to sigma 0."""

    def check(self, scheduler: Any, handover: Handover) -> None:
        """Refuse an end that is not the table's, and a last call where the run ends."""
        entries = float(setting(scheduler, "num_train_timesteps", 1000))
        end = entries * handover.t[-1] - 1.0
        if not handover.ends_at_zero and round(end) != 0:
            raise ValueError(
                f"schedule.t ends at timestep {end:.4g}, but TCDScheduler always ends at timestep 0 of its table: "
                "optimize with terminal='zero', which this scheduler runs to there"
            )
        if round(float(handover.timesteps[-1])) < 1:
            raise ValueError(
                f"schedule.timesteps must stay above 0.5 for TCDScheduler, whose last step goes to timestep 0, "
                f"the last is {handover.timesteps[-1]:.4g}"
            )

    def realise(self, scheduler: Any, schedule: Schedule, handover: Handover) -> tuple[Schedule, Handover]:
        """Return the schedule at whole timesteps that ends at the table's first entry."""
        noise = noise_schedule(scheduler)
        first = np.array([1.0 / noise.num_train_timesteps])
        told = as_dtype(handover.timesteps, "int64")
        check_distinct(handover.timesteps, told, "int64")
        realised = at_timesteps(noise, schedule, told, first, "t_min")
        return realised, read(realised)

    def notes(self, scheduler: Any, schedule: Schedule, realised: Schedule) -> list[str]:
        """Say also where it ends."""
        notes = super().notes(scheduler, schedule, realised)
        if schedule.terminal != "t_min":
            notes.append(
                f"TCDScheduler ends at timestep 0 of its table (sigma {realised.sigmas[-1]:.3g}) in place of sigma 0."
            )
        return notes


def _refuse_t_min(scheduler: Any, handover: Handover, why: str) -> None:
    if not handover.ends_at_zero:
        raise ValueError(
            f"schedule.terminal='t_min' stops at sigma {handover.sigmas[-1]:.3g}, but {type(scheduler).__name__} "
            f"{why}: use terminal='zero'"
        )
