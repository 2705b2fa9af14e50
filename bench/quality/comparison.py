"""What the schedules are compared by: the distance of their images to the many-step solution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Result:
    """One schedule's distances for one solver and nfe: `errors` holds one RMSE an image, (n,)."""

    solver: str
    nfe: int
    schedule: str
    terminal: str
    timesteps: list[float]
    errors: npt.NDArray[np.float64]

    @cached_property
    def rmse(self) -> float:
        """The mean distance."""
        return float(self.errors.mean())

    @cached_property
    def standard_error(self) -> float:
        """The mean's standard error over images; 0 for a single image."""
        return _standard_error(self.errors)

    def ties_with(self, other: Result) -> bool:
        """Whether the two cannot be told apart: same noise, so by the differences' mean and standard error."""
        difference = self.errors - other.errors
        return self.errors.size > 1 and abs(float(difference.mean())) <= 2.0 * _standard_error(difference)

    def mark(self, rivals: list[Result]) -> str:
        """`*` for the least distance of all `rivals`, `=` for one that ties with it, else nothing."""
        best = min(rivals, key=lambda result: result.rmse)
        if self is best:
            return "*"
        return "=" if self.ties_with(best) else ""

    def as_json(self) -> dict[str, Any]:
        """What demo.json holds of it."""
        return {
            "solver": self.solver,
            "nfe": self.nfe,
            "schedule": self.schedule,
            "terminal": self.terminal,
            "timesteps": self.timesteps,
            "rmse": self.rmse,
            "standard_error": self.standard_error,
        }


def _standard_error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else 0.0
