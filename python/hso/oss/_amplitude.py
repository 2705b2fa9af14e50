"""Amplitude calibration: few steps shrink or stretch the range of a sample's values; a linear map gives it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from .._arrays import Array
from ..checks import as_integer, one_of
from ..network import FloatArray
from ..schedule import Schedule

Form: TypeAlias = Literal["scale", "affine"]

LEVELS = (0.05, 0.95)
"""The two quantiles that are compared."""


@dataclass(frozen=True, eq=False)
class Amplitude:
    """The 5 % and 95 % quantiles of a teacher's noisy samples at some noise levels, to be put on a student's.

    `apply` is called with x before the network is, at every node:

        amplitude = details.amplitude.at(schedule)
        for i in range(schedule.steps):
            x = amplitude.apply(x, i)
            x = step(x, denoise(x, schedule.lambdas[i]), i)

    As the paper reports, samples look better for it and are further from the teacher's.

    Attributes:
        lambdas: Shape (m,), half log-SNR of the nodes, increasing.
        low: Shape (m,), the 5 % quantile over the values of x = alpha x0 + sigma eps, the mean over the samples.
        high: Shape (m,), the 95 % quantile.
    """

    lambdas: Array
    low: Array
    high: Array

    def at(self, schedule: Schedule) -> Amplitude:
        """The same at the nodes of `schedule`, linear in lambda between these nodes and constant beyond their ends."""
        nodes = schedule.lambdas[:-1]
        low, high = (np.interp(nodes, self.lambdas, values) for values in (self.low, self.high))
        return Amplitude(nodes, low, high)

    def factors(self, x: FloatArray, node: int, *, form: Form = "affine") -> tuple[Array, Array]:
        """Scale and offset, shape (n,) each, that x (n, *shape) is to be mapped with at node `node`, 0..m-1.

        "affine": a sample's own 5 % and 95 % quantiles go where the teacher's are (the published code). "scale": their
        distance becomes the teacher's, and the offset is 0 (the paper's equation). Where they coincide the scale is 1.
        """
        one_of("form", form, ("scale", "affine"))
        node = as_integer("node", node, least=0, most=len(self.lambdas) - 1)
        low, high = quantiles(x)
        spread = high - low
        wanted = float(self.high[node] - self.low[node])
        scale = np.divide(wanted, spread, out=np.ones_like(spread), where=spread > 0.0)
        return scale, self.low[node] - scale * low if form == "affine" else np.zeros_like(scale)

    def apply(self, x: Any, node: int, *, form: Form = "affine") -> Any:
        """x (n, *shape), a NumPy array or a torch tensor, mapped by `factors`: the same type, dtype and device."""
        is_tensor = hasattr(x, "detach")
        values = x.detach().double().cpu().numpy() if is_tensor else np.asarray(x)
        if values.ndim < 2 or not values.size:
            raise ValueError(f"x must have shape (n, *shape) with at least one value, got {values.shape}")
        aligned = [f.reshape(-1, *[1] * (values.ndim - 1)) for f in self.factors(values, node, form=form)]
        if is_tensor:
            scale, offset = (x.new_tensor(f) for f in aligned)
        else:
            scale, offset = (f.astype(values.dtype) for f in aligned)
        return scale * x + offset


def quantiles(x: FloatArray) -> tuple[Array, Array]:
    """The low and the high quantile, (n,) each, of the values of every sample of x (n, *shape)."""
    low, high = np.quantile(x.reshape(len(x), -1).astype(np.float64, copy=False), LEVELS, axis=1)
    return low, high
