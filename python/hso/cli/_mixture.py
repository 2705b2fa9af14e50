"""A model whose network is known exactly: a Gaussian mixture with the power spectrum of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._multistep import Multistep

if TYPE_CHECKING:
    from .. import NoiseSchedule, Schedule

Array = npt.NDArray[np.floating[Any]]

DIMENSIONS = 64
_COMPONENTS = 10
_SLOPE = 2.0  # of the power spectrum: that of natural images falls with about the square of the frequency
_BETWEEN = 0.5  # share of the variance that lies between the components
_SOLUTION = Multistep("unipc", 2)
_SOLUTION_STEPS = 160  # with twice as many it moves by less than 1e-4
_LAST_LAMBDA = 6.0


class Mixture:
    """Data with variance 1 on average, and its best denoiser in closed form.

    Args:
        seed: of the components' centres.
    """

    def __init__(self, seed: int = 0) -> None:
        spectrum = np.arange(1, DIMENSIONS + 1) ** -_SLOPE
        spectrum *= DIMENSIONS / spectrum.sum()
        centres = np.random.default_rng(seed).standard_normal((_COMPONENTS, DIMENSIONS))
        centres = (centres - centres.mean(axis=0)) / centres.std(axis=0)
        self._centres = centres * np.sqrt(_BETWEEN * spectrum)
        self._variances = (1.0 - _BETWEEN) * spectrum

    def denoise(self, y: Array, sigma: float) -> Array:
        """E[x0 | y = x0 + sigma eps] for y of shape (n, DIMENSIONS)."""
        total = self._variances + sigma**2
        away = y[:, None, :] - self._centres
        score = -0.5 * np.sum(away**2 / total, axis=2)
        weights = np.exp(score - score.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        kept = self._variances / total
        means: Array = (weights @ self._centres) * (1.0 - kept) + kept * y
        return means

    def sample(self, solver: Multistep, lambdas: Array, start: Array) -> Array:
        """What a solver makes of the state `start` at lambdas[0] by one call at each of `lambdas`, then sigma 0."""
        steps = solver.steps(np.asarray(lambdas, np.float64), start)
        y = next(steps)
        for lam in lambdas[:-1]:
            y = steps.send(self.denoise(y, float(np.exp(-lam))))
        return self.denoise(y, float(np.exp(-lambdas[-1])))

    def solution(self, first: float, start: Array) -> Array:
        """The ODE's solution from `start` at half log-SNR `first`."""
        return self.sample(_SOLUTION, np.linspace(first, _LAST_LAMBDA, _SOLUTION_STEPS), start)


def errors(
    mixture: Mixture, noise: NoiseSchedule, solver: str, schedules: dict[str, Schedule], *, samples: int, seed: int
) -> dict[str, float]:
    """Each schedule's RMSE to the ODE's solution from the same noise; all must start at the most noise and end at sigma
    0."""
    first = noise.lambda_range[0]
    start = np.random.default_rng(seed).standard_normal((samples, DIMENSIONS)) / noise.alpha(first)
    exact = mixture.solution(first, start)
    found = {}
    for name, schedule in schedules.items():
        made = mixture.sample(Multistep.of(solver, None), schedule.lambdas[:-1], start)
        found[name] = float(np.sqrt(np.mean((made - exact) ** 2)))
    return found
