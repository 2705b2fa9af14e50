"""Pictures of schedules (needs matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .schedule import Schedule


def plot_schedule(schedule: Schedule, axes: Axes | None = None) -> Axes:
    """Nodes over t, each at its lambda; the spacing that was asked for as a bar. Returns the axes."""
    import matplotlib.pyplot as plt

    if axes is None:
        axes = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    shown = np.isfinite(schedule.lambdas)
    label = f"{schedule.search}, nfe {schedule.nfe}"
    axes.plot(schedule.t[shown], schedule.lambdas[shown], "o-", color="#0072b2", label=label)
    top = float(schedule.lambdas[shown].max())
    label = f"d_min = {schedule.d_min:.3g}"
    axes.plot([0.0, schedule.d_min], [top, top], "|-", color="#d55e00", label=label)
    axes.set_xlabel("t (1: noise, 0: data)")
    axes.set_ylabel("lambda = log(alpha/sigma)")
    axes.invert_xaxis()
    axes.legend(frameon=False)
    return axes
