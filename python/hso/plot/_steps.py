"""Panel "steps": each step's length in t, and the least that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ..schedule import Schedule
from ._drawn import Subject, legend_above, steps_axis
from ._style import BLUE, GREY, OCHRE, VERMILLION, marker_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TIGHT = 1e-6  # relative: searches keep the spacing to rounding or to their tolerance


def draw_steps(axes: Axes, subject: Subject, *, named: bool) -> None:
    """Draws the panel; `named`: with the names of several schedules."""
    most = max(each.schedule.steps for each in subject.schedules)
    if subject.compared:
        _draw_lines(axes, subject, named)
    else:
        _draw_bars(axes, subject.only.schedule)
    axes.set_xlim(0.3, most + 0.7)
    axes.set_ylim(0.0, axes.get_ylim()[1])
    steps_axis(axes.xaxis, 10)
    axes.set_xlabel("step")
    axes.set_ylabel(r"length in $t$")
    legend_above(axes, "upper left")


def spaced(schedule: Schedule) -> Array:
    """The lengths that d_min bounds, between neighbours of the optimized nodes."""
    t = schedule.t if schedule.terminal == "t_min" else schedule.t[:-1]
    return -np.diff(np.append(t, schedule.psi.t_min) if schedule.terminal == "skip" else t)


def _draw_bars(axes: Axes, schedule: Schedule) -> None:
    lengths, number = -np.diff(schedule.t), np.arange(1, schedule.steps + 1)
    bounded = number <= schedule.steps - (schedule.terminal != "t_min")
    least, slack = schedule.d_min, _TIGHT * schedule.d_min
    if not _asked(schedule):
        axes.bar(number, lengths, 0.7, fc=BLUE, ec=BLUE, gid="steps")
        _draw_least(axes, least, f"$d_{{min}}$ = {least:.3g}, not asked for")
        return
    short = bounded & (lengths < least - slack)
    tight = bounded & (np.abs(lengths - least) <= slack)
    kinds: list[tuple[str, npt.NDArray[np.bool_], str, str]] = [
        (r"longer than $d_{min}$", bounded & ~short & ~tight, BLUE, ""),
        (r"at $d_{min}$: it binds", tight, VERMILLION, "////"),
        (r"shorter than $d_{min}$", short, OCHRE, "xxxx"),
        (r"to $\sigma = 0$: not bounded", ~bounded, BLUE, "..."),
    ]
    for label, chosen, color, hatch in kinds:
        if np.any(chosen):
            face = "none" if hatch else color
            axes.bar(number[chosen], lengths[chosen], 0.7, fc=face, ec=color, hatch=hatch, label=label, gid="steps")
    if schedule.terminal == "skip":
        left_out = spaced(schedule)[-1:]
        label = "to the node left out"
        axes.plot(number[-1:], left_out, "D", color=BLUE, mfc="none", ms=7.0, label=label, gid="left out")
    _draw_least(axes, least, f"$d_{{min}}$ = {least:.3g}")


def _asked(schedule: Schedule) -> bool:
    """Whether the nodes were placed under `d_min`; a baseline's or a calibrated schedule's were not."""
    return schedule.status != "given" or schedule.options.get("d_min") is not None


def _draw_least(axes: Axes, least: float, label: str) -> None:
    if least > 0.0:
        axes.axhline(least, ls="--", color=GREY, lw=1.5, label=label, gid="d_min")
        axes.set_ylim(0.0, max(axes.get_ylim()[1], 1.1 * least))


def _draw_lines(axes: Axes, subject: Subject, named: bool) -> None:
    for drawn in subject.schedules:
        lengths = -np.diff(drawn.schedule.t)
        axes.plot(
            np.arange(1, len(lengths) + 1),
            lengths,
            drawn.style.line,
            marker=drawn.style.marker,
            color=drawn.style.color,
            ms=marker_size(len(lengths)),
            lw=1.2,
            label=drawn.name if named else None,
            gid="steps",
        )
    asked = [each.schedule.d_min for each in subject.schedules if _asked(each.schedule)]
    for least in sorted({f"{each:.3g}": each for each in asked}.values()):
        _draw_least(axes, least, f"$d_{{min}}$ = {least:.3g}")
