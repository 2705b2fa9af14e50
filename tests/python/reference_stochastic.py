"""Samplers that add noise, in float64 NumPy, from their papers.

Each takes the noises as a sequence, one a step (entries that a sampler does not draw are not read).
The stochastic DPM-Solver and SA-Solver are with their deterministic forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reference_singlestep import Denoiser, midpoint_step
from reference_solvers import Array, Levels, Predictor


def ddpm(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array], *, eta: float = 1.0) -> Array:
    """Ancestral sampling with the posterior's variance (DDPM's "fixed small", eta = 1).

    Ho et al. 2020, eq. 6 and 7, between any two levels, in the form of Song et al. 2021 (DDIM), eq. 12
    and 16. eta = 0 is DDIM.
    """
    for i in range(levels.steps):
        x0 = predict(x, i)
        noise = (x - levels.alpha[i] * x0) / levels.sigma[i]
        signal = levels.alpha[i] / levels.alpha[i + 1]
        kept = levels.sigma[i + 1] / levels.sigma[i]
        added = eta * kept * math.sqrt(1.0 - signal**2)
        direction = math.sqrt(levels.sigma[i + 1] ** 2 - added**2)
        x = levels.alpha[i + 1] * x0 + direction * noise + added * noises[i]
    return x


def ancestral_split(start: float, end: float, eta: float) -> tuple[float, float]:
    """(sigma_down, sigma_up): down to the first without noise, then up to ``end`` with it."""
    up = eta * end * math.sqrt(1.0 - (end / start) ** 2)
    return math.sqrt(end**2 - up**2), up


def euler_ancestral(
    sigmas: Sequence[float], denoise: Denoiser, y: Array, noises: Sequence[Array], *, eta: float = 1.0
) -> Array:
    """Ancestral sampling in VE variables: Song et al. 2021 (score SDE, 2011.13456), eq. 47."""
    for i in range(len(sigmas) - 1):
        down, up = ancestral_split(sigmas[i], sigmas[i + 1], eta)
        y = midpoint_step(denoise, y, sigmas[i], down, euler=True) + up * noises[i]
    return y


def kdpm2_ancestral(
    sigmas: Sequence[float], denoise: Denoiser, y: Array, noises: Sequence[Array], *, eta: float = 1.0
) -> Array:
    """DPM-Solver-2 down to below the next node, and up with noise; the last step is Euler's, without."""
    for i in range(len(sigmas) - 2):
        down, up = ancestral_split(sigmas[i], sigmas[i + 1], eta)
        y = midpoint_step(denoise, y, sigmas[i], down, euler=False) + up * noises[i]
    return midpoint_step(denoise, y, sigmas[-2], sigmas[-1], euler=True)


def boundary_scalings(timesteps: Array, scaling: float = 10.0, sigma_data: float = 0.5) -> tuple[Array, Array]:
    """(c_skip, c_out) of a consistency function that is the identity at timestep 0.

    Luo et al. 2023 (LCM, 2310.04378), section 3, after Karras et al. 2022.
    """
    scaled = scaling * np.asarray(timesteps, dtype=np.float64)
    norm = np.hypot(scaled, sigma_data)
    return (sigma_data / norm) ** 2, scaled / norm


def lcm(levels: Levels, predict: Predictor, x: Array, noises: Sequence[Array], *, c_skip: Array, c_out: Array) -> Array:
    """Multistep consistency sampling: Song et al. 2023 (2303.01469), Algorithm 1, with LCM's scalings.

    The last level is not reached by a step: what is returned is the consistency function's value.
    """
    for i in range(levels.steps):
        x0 = c_out[i] * predict(x, i) + c_skip[i] * x
        if i == levels.steps - 1:
            return x0
        x = levels.alpha[i + 1] * x0 + levels.sigma[i + 1] * noises[i]
    raise AssertionError("a schedule has one step or more")


def tcd(levels: Levels, between: Levels, predict: Predictor, x: Array, noises: Sequence[Array]) -> Array:
    """Strategic stochastic sampling: Zheng et al. 2024 (TCD, 2402.19159).

    ``between``: N levels s at or below the nodes' ends, (1 - gamma) t in the paper; step i goes to
    ``between[i]`` by DDIM and from there up to level i + 1 by adding noise. The last step stops at
    ``between[-1]``.
    """
    for i in range(levels.steps):
        x0 = predict(x, i)
        noise = (x - levels.alpha[i] * x0) / levels.sigma[i]
        x = between.alpha[i] * x0 + between.sigma[i] * noise
        if i < levels.steps - 1:
            up = levels.alpha[i + 1] / between.alpha[i]
            # The variance that is missing at level i + 1; 0 where the two coincide.
            missing = max(0.0, levels.sigma[i + 1] ** 2 - (up * between.sigma[i]) ** 2)
            x = up * x + math.sqrt(missing) * noises[i]
    return x
