"""Does this schedule belong to this scheduler? Every check raises before anything is changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._handover import Handover
from ._noise import noise_schedule
from ._target import setting

# Multistep solvers divide differences of network outputs by differences of lambda, and reach from there as
# far as the next step. Measured with UniPC on an exact denoiser: gaps of 1e-4 among steps of 1 already
# double the result, 1e-2 does not show. Many equal steps may be as small as they like.
MIN_LAMBDA_GAP = 1e-2
MAX_GAP_RATIO = 20.0

# Noise-predicting solvers carry x/alpha, where alpha is next to nothing at a flow model's start: in
# float32 the sample is then off by some 1e-7/alpha (0.1 measured with DEIS at alpha = 1e-6).
MIN_ALPHA = 1e-3

# Relative error that float32 leaves in 1 - alphas_cumprod is this over 1 - alphas_cumprod.
FLOAT32_ROUNDING = 2.0**-23


def check_family(scheduler: Any, handover: Handover, wanted: str) -> None:
    """Raise ValueError unless the schedule is of the family that the scheduler runs."""
    # A general table runs on VP schedulers if its noise levels are theirs: see check_noise.
    accepted = ("vp", "general") if wanted == "vp" else (wanted,)
    if handover.family not in accepted:
        raise ValueError(
            f"schedule.family is {handover.family!r}, but {type(scheduler).__name__} as it is "
            f"configured runs {wanted!r} schedules: optimize on hso.diffusers.noise_schedule(...)"
        )


def check_noise(scheduler: Any, handover: Handover, wanted: str, tolerance: float) -> None:
    """Raise ValueError unless the network, told these timesteps, expects these noise levels.

    Compares the schedule's sigma at each node with what the scheduler's own noise schedule has
    there. Tables are compared, not configuration keys: several classes ignore keys that they store.
    """
    if wanted == "vp":
        _check_table(scheduler, handover, tolerance)
        return
    levels = handover.sigmas[:-1]
    if wanted == "flow":
        expected = handover.timesteps / float(setting(scheduler, "num_train_timesteps", 1000))
    else:
        expected = np.exp(4.0 * handover.timesteps)
    _compare(scheduler, handover.timesteps, levels, expected, np.full(len(levels), tolerance))


def check_lambda_gaps(scheduler: Any, handover: Handover) -> None:
    """Raise ValueError where two nodes are too close for a solver of order 2 or more."""
    gaps = np.diff(handover.lambdas())
    around = np.maximum(np.append(0.0, gaps[:-1]), np.append(gaps[1:], 0.0))
    limits = np.minimum(MIN_LAMBDA_GAP, around / MAX_GAP_RATIO)
    close = np.flatnonzero(gaps < limits)
    if close.size:
        i = int(close[0])
        raise ValueError(
            f"schedule.lambdas: entries {i} and {i + 1} are {gaps[i]:.3g} apart, a multistep "
            f"{type(scheduler).__name__} needs {limits[i]:.3g} beside steps of {around[i]:.3g} (its error grows with "
            "their ratio): use fewer network calls, a larger d_min, or solver_order=1"
        )


def check_signal(scheduler: Any, handover: Handover, what: str) -> None:
    """Raise ValueError where a noise-predicting solver would start with too little signal."""
    sigma = float(handover.sigmas[0])
    alpha = 1.0 - sigma if handover.family == "flow" else 1.0 / math.hypot(1.0, sigma)
    if alpha < MIN_ALPHA:
        raise ValueError(
            f"schedule.sigmas starts at {sigma:.6g}, where alpha is {alpha:.2g}: {what} of {type(scheduler).__name__} "
            f"divides by it and needs {MIN_ALPHA} in float32: optimize with a smaller t_max, or use UniPC or "
            "DPM-Solver++"
        )


def check_flow_prediction(scheduler: Any, what: str) -> None:
    """Raise ValueError where a noise-predicting solver would be given flow predictions, which it cannot convert."""
    if setting(scheduler, "prediction_type") == "flow_prediction":
        raise ValueError(
            f"scheduler.config.prediction_type='flow_prediction' is not known to {what} of "
            f"{type(scheduler).__name__}: use UniPC or DPM-Solver++, which predict x0"
        )


def check_lambda_clip(scheduler: Any, handover: Handover) -> None:
    """Raise ValueError if the schedule starts in noise that the configuration clips away.

    diffusers applies ``lambda_min_clipped`` (-5.1 with cosine tables) to its own grids alone.
    """
    limit = float(setting(scheduler, "lambda_min_clipped", -np.inf))
    first = float(handover.lambdas()[0])
    if first < limit:
        raise ValueError(
            f"schedule.lambdas starts at {first:.4g}, below the scheduler's "
            f"lambda_min_clipped={limit:.4g}: optimize with a smaller t_max"
        )


def _check_table(scheduler: Any, handover: Handover, tolerance: float) -> None:
    noise = noise_schedule(scheduler)
    entries = round(noise.num_train_timesteps)
    steps = handover.timesteps
    # Beyond its ends the network was never trained, and diffusers clamps without a word.
    outside = np.flatnonzero((steps < -1e-6 * entries) | (steps > entries - 1 + 1e-6 * entries))
    if outside.size:
        i = int(outside[0])
        raise ValueError(
            f"schedule.timesteps must lie in [0, {entries - 1}], the scheduler's noise table, entry {i} is {steps[i]!r}"
        )
    t = (steps + 1.0) / entries
    levels = handover.sigmas[:-1]
    if not handover.ends_at_zero:
        t, levels = np.append(t, handover.t[-1]), handover.sigmas
    low, high = noise.t_range
    expected = np.exp(-np.asarray(noise.lam(np.clip(t, low, high)), dtype=np.float64))
    variance = expected**2 / (1.0 + expected**2)
    _compare(scheduler, entries * t - 1.0, levels, expected, tolerance + FLOAT32_ROUNDING / variance)


def _compare(
    scheduler: Any,
    timesteps: NDArray[np.float64],
    levels: NDArray[np.float64],
    expected: NDArray[np.float64],
    limits: NDArray[np.float64],
) -> None:
    error = np.abs(levels / expected - 1.0)
    wrong = np.flatnonzero(~(error <= limits))
    if wrong.size:
        i = int(wrong[np.argmax(error[wrong])])
        raise ValueError(
            f"schedule was made for another noise schedule: at timestep {timesteps[i]:.6g} its "
            f"sigma is {levels[i]:.6g}, this {type(scheduler).__name__} has {expected[i]:.6g} "
            f"there (relative difference {error[i]:.2g}, limit {limits[i]:.2g}): optimize on "
            "hso.diffusers.noise_schedule(...)"
        )
