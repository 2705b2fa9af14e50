"""Gaussian data, whose probability-flow ODE has a closed-form solution, sampled with DDIM in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import hso


@dataclass(frozen=True)
class GaussianModel:
    """x0 ~ N(0, diag(variances)): every axis is on its own, and each step multiplies it by a number."""

    noise: hso.NoiseSchedule
    variances: Any

    @classmethod
    def natural(cls, noise: hso.NoiseSchedule, dimensions: int = 64) -> GaussianModel:
        """Variances much like those of Fashion-MNIST's principal components, which are 79, 48, 16, ..., 0.33."""
        return cls(noise, 80.0 * np.arange(1.0, dimensions + 1.0) ** -1.3)

    def solution(self, start: Any) -> Any:
        """Where the ODE takes noise (n, d) of the highest level: x goes with (alpha^2 c + sigma^2)^1/2."""
        alpha, sigma = self._levels(self.noise.lambda_range[0])
        return start * np.sqrt(self.variances / (alpha**2 * self.variances + sigma**2))

    def ddim(self, schedule: hso.Schedule, start: Any) -> Any:
        """What DDIM makes of noise (n, d), started at the schedule's first node; x, not x0, at a last node above 0."""
        x = start
        for level, following in zip(schedule.lambdas[:-1], schedule.lambdas[1:], strict=True):
            alpha, sigma = self._levels(level)
            x0 = x * alpha * self.variances / (alpha**2 * self.variances + sigma**2)
            noise = (x - alpha * x0) / sigma
            alpha, sigma = (1.0, 0.0) if np.isinf(following) else self._levels(following)
            x = alpha * x0 + sigma * noise
        return x

    def rmse(self, schedule: hso.Schedule, start: Any) -> float:
        """The mean over starts of the root mean square difference to the exact solution."""
        difference = self.ddim(schedule, start) - self.solution(start)
        return float(np.sqrt(np.mean(difference**2, axis=1)).mean())

    def _levels(self, lam: float) -> tuple[float, float]:
        return float(self.noise.alpha(lam)), float(self.noise.sigma(lam))
