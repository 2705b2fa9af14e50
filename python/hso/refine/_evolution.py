"""Covariance matrix adaptation: a search without gradients that noise does not lead astray."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._arrays import Array

_SMALL = 1e-3
"""Of the first step: a distribution that has shrunk to this is done."""


def minimize(function: Callable[[Array], float], start: Array, *, step: float, budget: int, seed: int) -> Array:
    """(mu/mu_w, lambda)-CMA-ES with increasing populations (Hansen 2016, 1604.00772; Auger and Hansen 2005).

    Only the order of values counts, infinite ones are the worst. Calls `function` exactly `budget` times. A run that
    has shrunk is followed by another from where it ended, with half the step and twice the population.

    Returns:
        The mean of the last distribution, where noise is averaged out.
    """
    random = np.random.default_rng(seed)
    mean, population = start, 4 + int(3.0 * np.log(start.size))
    while budget > 0:
        run = _Run(mean, step, population, random)
        while budget > 0 and not run.is_done:
            points = run.ask()[:budget]
            budget -= len(points)
            values = np.array([function(point) for point in points])
            if len(points) == population:
                run.tell(points, values)
        mean, step, population = run.mean, 0.5 * step, 2 * population
    return mean


class _Run:
    """One distribution, in the notation of Hansen's tutorial, figure 6."""

    def __init__(self, mean: Array, step: float, population: int, random: np.random.Generator) -> None:
        n, parents = mean.size, population // 2
        weights = np.log((population + 1) / 2) - np.log(np.arange(1, parents + 1))
        self._weights = weights / weights.sum()
        self._effective = 1.0 / float(np.sum(self._weights**2))
        mu = self._effective
        self._c_sigma = (mu + 2.0) / (n + mu + 5.0)
        self._damping = 1.0 + 2.0 * max(0.0, np.sqrt((mu - 1.0) / (n + 1.0)) - 1.0) + self._c_sigma
        self._c_path = (4.0 + mu / n) / (n + 4.0 + 2.0 * mu / n)
        self._c_one = 2.0 / ((n + 1.3) ** 2 + mu)
        self._c_mu = min(1.0 - self._c_one, 2.0 * (mu - 2.0 + 1.0 / mu) / ((n + 2.0) ** 2 + mu))
        self._length = np.sqrt(n) * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n**2))
        self._population, self._random = population, random
        self.mean, self._sigma, self._first = mean, step, step
        self._path_sigma, self._path, self._covariance = np.zeros(n), np.zeros(n), np.eye(n)
        self._generation = 0

    @property
    def is_done(self) -> bool:
        return bool(self._sigma * np.sqrt(np.max(np.diag(self._covariance))) < _SMALL * self._first)

    def ask(self) -> Array:
        values, axes = np.linalg.eigh(self._covariance)
        normal = self._random.standard_normal((self._population, self.mean.size))
        steps: Array = (normal * np.sqrt(np.maximum(values, 0.0))) @ axes.T
        return self.mean + self._sigma * steps

    def tell(self, points: Array, values: Array) -> None:
        if not np.any(np.isfinite(values)):
            return
        n, mu = self.mean.size, self._effective
        steps = (points[np.argsort(values, kind="stable")[: self._weights.size]] - self.mean) / self._sigma
        move = self._weights @ steps
        self.mean = self.mean + self._sigma * move
        eigenvalues, axes = np.linalg.eigh(self._covariance)
        whitened = axes @ ((axes.T @ move) / np.sqrt(np.maximum(eigenvalues, 1e-20)))
        c = self._c_sigma
        self._path_sigma = (1.0 - c) * self._path_sigma + np.sqrt(c * (2.0 - c) * mu) * whitened
        self._generation += 1
        norm = float(np.linalg.norm(self._path_sigma))
        steady = norm / np.sqrt(1.0 - (1.0 - c) ** (2 * self._generation)) < (1.4 + 2.0 / (n + 1.0)) * self._length
        p = self._c_path
        self._path = (1.0 - p) * self._path + steady * np.sqrt(p * (2.0 - p) * mu) * move
        lost = (1.0 - steady) * p * (2.0 - p)
        self._covariance = (
            (1.0 - self._c_one * (1.0 - lost) - self._c_mu) * self._covariance
            + self._c_one * np.outer(self._path, self._path)
            + self._c_mu * (steps.T * self._weights) @ steps
        )
        self._sigma *= np.exp(min(1.0, c / self._damping * (norm / self._length - 1.0)))
