"""Linear multistep solvers in NumPy, asking for predictions as a generator does."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from ._arrays import Array
from .checks import as_integer, one_of
from .network import FloatArray

SolverName: TypeAlias = Literal["ddim", "dpm-solver++", "unipc"]
MOST_ORDER: dict[str, int] = {"ddim": 1, "dpm-solver++": 2, "unipc": 3}


@dataclass(frozen=True)
class Multistep:
    """A linear multistep solver: DDIM (Euler for flow models and EDM), DPM-Solver++ of order 1 or 2, UniPC of 1 to
    3."""

    name: SolverName
    order: int

    @classmethod
    def of(cls, solver: str, order: int | None) -> Multistep:
        """`solver` with its usual order where none is given; ValueError for one that a calibration does not know."""
        name: SolverName = "ddim" if solver == "euler" else one_of("solver", solver, get_args(SolverName))  # type: ignore[assignment]
        most = MOST_ORDER[name]
        return cls(name, min(most, 2) if order is None else as_integer("order", order, least=1, most=most))

    def steps(
        self, lambdas: Array, y: FloatArray, *, lower_end: bool = True
    ) -> Generator[FloatArray, FloatArray, FloatArray]:
        """From the state y = x / alpha at lambdas[0] over all `lambdas` to sigma 0; yields y, is sent x0.

        In y all families have the same formulas: y' = e^-h y + (1 - e^-h) times a combination of predictions.
        `lower_end`: UniPC's order comes down to 1 in the last step, that to sigma 0, as diffusers has it.
        """
        outputs: list[FloatArray] = []
        before, order_before = y, 0
        for i in range(len(lambdas)):
            outputs.append((yield y))
            if i + 1 == len(lambdas):
                break
            if self.name == "unipc":
                if i > 0:
                    y = _unipc_step(lambdas, outputs, i - 1, order_before, before, corrected=True)
                before, order_before = y, min(self.order, i + 1, len(lambdas) - i if lower_end else self.order)
                y = _unipc_step(lambdas, outputs, i, order_before, y, corrected=False)
                continue
            h = float(lambdas[i + 1] - lambdas[i])
            direction = outputs[i]
            if self.order == 2 and i > 0:
                direction = direction + (0.5 * h / float(lambdas[i] - lambdas[i - 1])) * (outputs[i] - outputs[i - 1])
            y = math.exp(-h) * y - math.expm1(-h) * direction
        return outputs[-1]


def _unipc_step(
    lambdas: Array, outputs: Sequence[FloatArray], i: int, order: int, y: FloatArray, *, corrected: bool
) -> FloatArray:
    """UniPC's step from node i (Zhao et al. 2023, 2302.04867, Algorithm 1, B_2), by `order` predictions up to it, and
    by
    the one at its end if `corrected`."""
    h = float(lambdas[i + 1] - lambdas[i])
    places = [float(lambdas[i - k] - lambdas[i]) / h for k in range(1, order)]
    slopes = [(outputs[i - k] - outputs[i]) / place for k, place in enumerate(places, start=1)]
    if corrected:
        places.append(1.0)
        slopes.append(outputs[i + 1] - outputs[i])
    total = outputs[i]
    for weight, slope in zip(_unipc_weights(np.array(places), h), slopes, strict=True):
        total = total + weight * slope
    return math.exp(-h) * y - math.expm1(-h) * total


def _unipc_weights(places: Array, h: float) -> list[float]:
    """rho with sum_m rho_m places_m^k = k-th moment (eq. 5 and 8); a single one is 1/2, as in its authors' code."""
    if len(places) < 2:
        return [0.5] * len(places)
    points, weights = np.polynomial.legendre.leggauss(20)
    u = 0.5 * (points + 1.0)
    # (k+1)! z phi_{k+2}(z) / (e^z - 1) at z = -h, by quadrature: no cancellation
    moments = [
        float(-h / math.expm1(-h) * 0.5 * np.sum(weights * np.exp(-(1.0 - u) * h) * u ** (k + 1)))
        for k in range(len(places))
    ]
    solved = np.linalg.solve(np.vander(places, increasing=True).T, moments)
    return [float(weight) for weight in solved]
