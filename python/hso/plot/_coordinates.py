"""Panels "t", "lambda" and "sigma": where the network is called, in three coordinates, noise on the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arrays import Array
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule, sigmas_at
from ._drawn import Drawn, Subject, lambda_axis, legend, steps_axis
from ._style import GREY, marker_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FINE, _MOST = 25, 2500  # points of a curve from a node to the next, and about as many in all
_TICKS = 6


class Coordinate:
    """One of the three: how a schedule's levels read in it and how its axis looks."""

    def __init__(self, name: str, family: str) -> None:
        self.name, self.family = name, family

    def levels(self, schedule: Schedule) -> Array:
        """Shape (steps+1,); the end is at t = 0, lambda = inf or sigma = 0 unless the terminal is "t_min"."""
        if self.name == "t":
            return schedule.t
        return schedule.lambdas if self.name == "lambda" else sigmas_at(schedule.lambdas, self.family)

    def at(self, noise: NoiseSchedule, t: Array) -> Array:
        """The same for times."""
        low, high = noise.t_range
        lam = np.asarray(noise.lam(np.clip(t, low, high)))
        return t if self.name == "t" else lam if self.name == "lambda" else sigmas_at(lam, self.family)

    def shows_end(self, schedule: Schedule) -> bool:
        """Whether the schedule's end has a place on the axis."""
        return self.name == "t" or schedule.terminal == "t_min"

    def set_axis(self, axes: Axes, schedules: Sequence[Schedule]) -> None:
        """Limits around the nodes, noise on the left; with room on the right where the end lies infinitely far off."""
        if self.name == "t":
            axes.set_xlabel("$t$")
            axes.set_xlim(1.04, -0.04)
            return
        shown = np.concatenate([self._scaled(self.levels(each)[: _count(self, each)]) for each in schedules])
        low, high = float(shown.min()), float(shown.max())
        margin = 0.06 * (high - low) or 0.5
        room = margin if all(self.shows_end(each) for each in schedules) else 3.0 * margin
        if self.name == "lambda":
            axes.set_xlim(low - margin, high + room)
            lambda_axis(axes)
            return
        axes.set_xlabel(r"$\sigma$" if self.family == "flow" else r"VE sigma $\sigma/\alpha$")
        axes.set_xscale("log")
        axes.set_xlim(np.exp(high + margin), np.exp(low - room))
        _round_ticks(axes, float(np.exp(low - room)), float(np.exp(high + margin)))

    def _scaled(self, levels: Array) -> Array:
        return np.log(levels) if self.name == "sigma" else levels


def draw_coordinate(axes: Axes, subject: Subject, name: str, *, explained: bool, named: bool) -> None:
    """Draws the panel `name`.

    `explained`: with a legend (a single schedule); `named`: with the schedules' names (several).
    """
    families = {each.schedule.family for each in subject.schedules}
    coordinate = Coordinate(name, families.pop() if len(families) == 1 else "several")
    coordinate.set_axis(axes, [each.schedule for each in subject.schedules])
    if subject.compared:
        _draw_rows(axes, subject, coordinate, named)
    else:
        _draw_single(axes, subject, coordinate)
        if explained:
            legend(axes)


def _draw_single(axes: Axes, subject: Subject, coordinate: Coordinate) -> None:
    drawn, noise = subject.only, subject.noise
    schedule, steps = drawn.schedule, drawn.schedule.steps
    levels, heights = coordinate.levels(schedule), np.arange(steps + 1.0)
    fine = max(1, min(_FINE, _MOST // steps))
    if noise is not None:
        share = np.linspace(0.0, 1.0, steps * fine + 1)
        clock = np.array([noise.shifted(1.0 - each) for each in share])
        axes.plot(
            coordinate.at(noise, clock), share * steps, "--", color=GREY, lw=1.2, label="uniform t", gid="uniform"
        )
    for first, last, line, gid in ((0, steps - 1, "-", "path"), (steps - 1, steps, ":", "last step")):
        if gid == "path" or coordinate.shows_end(schedule):
            path = (levels[first : last + 1], heights[first : last + 1])
            if noise is not None:
                between = np.linspace(first, last, (last - first) * fine + 1)
                path = (coordinate.at(noise, np.interp(between, heights, schedule.t)), between)
            axes.plot(*path, line, color=drawn.style.color, lw=1.5, gid=gid)
    left = schedule.terminal == "t_min"
    end = "end: noise left, no call" if left else r"end: $\sigma = 0$, no call"
    _nodes(axes, drawn, coordinate, heights, label="network call", end=end)
    axes.set_ylim(-0.06 * steps, 1.06 * steps)
    steps_axis(axes.yaxis, 6)
    axes.set_ylabel("steps made")


def _draw_rows(axes: Axes, subject: Subject, coordinate: Coordinate, named: bool) -> None:
    count = len(subject.schedules)
    for row, drawn in enumerate(subject.schedules):
        levels, steps = coordinate.levels(drawn.schedule), drawn.schedule.steps
        heights = np.full(steps + 1, float(row))
        color = drawn.style.color
        axes.plot(levels[:steps], heights[:steps], drawn.style.line, color=color, lw=1.2, gid="path")
        if coordinate.shows_end(drawn.schedule):
            axes.plot(levels[-2:], heights[-2:], ":", color=color, lw=1.5, gid="last step")
        _nodes(axes, drawn, coordinate, heights, label=drawn.name, end=None)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_yticks(range(count), [drawn.name for drawn in subject.schedules] if named else [""] * count)
    axes.tick_params(axis="y", length=0)


def _nodes(axes: Axes, drawn: Drawn, coordinate: Coordinate, heights: Array, *, label: str, end: str | None) -> None:
    """The nodes with a call filled, the end hollow: where it is, or as an arrow at the axis' end."""
    schedule, color, size = drawn.schedule, drawn.style.color, marker_size(drawn.schedule.steps)
    levels, steps = coordinate.levels(schedule), schedule.steps
    marks: dict[str, Any] = {"color": color, "ms": size, "zorder": 3}
    axes.plot(levels[:steps], heights[:steps], drawn.style.marker, label=label, gid="nodes", **marks)
    hollow: dict[str, Any] = {**marks, "mfc": "none", "gid": "end"}
    arrow = drawn.style.marker if schedule.terminal == "t_min" else ">"
    if coordinate.shows_end(schedule):
        axes.plot(levels[-1:], heights[-1:], arrow, label=end, **hollow)
        return
    # the end is infinitely far to the right: an arrow on the axes' edge, in its own coordinates (0 left, 1 right)
    edge = axes.get_yaxis_transform()
    axes.annotate(
        "",
        (1.0, heights[-1]),
        (levels[-2], heights[-2]),
        xycoords=edge,
        textcoords="data",
        arrowprops={"arrowstyle": "-", "linestyle": ":", "color": color, "lw": 1.5, "shrinkA": 0, "shrinkB": 0},
    )
    axes.plot([1.0], heights[-1:], arrow, transform=edge, clip_on=False, label=end, **hollow)


def _count(coordinate: Coordinate, schedule: Schedule) -> int:
    """Levels at a finite place: the nodes, and with the terminal "t_min" the end."""
    return schedule.steps + (schedule.terminal == "t_min")


def _round_ticks(axes: Axes, low: float, high: float) -> None:
    """Few round numbers on a logarithmic axis; matplotlib's own crowd together or vanish below a decade."""
    from matplotlib.ticker import FixedLocator, NullLocator

    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    for steps in ([1.0, 2.0, 3.0, 5.0, 7.0], [1.0, 2.0, 5.0], [1.0, 3.0], [1.0]):
        ticks = np.sort(np.outer(10.0**decades, steps).ravel())
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if len(ticks) <= _TICKS:
            break
    else:
        ticks = ticks[:: -(-len(ticks) // _TICKS)]
    if len(ticks) < 2:  # a narrow range
        ticks = np.unique([float(f"{each:.2g}") for each in np.geomspace(low, high, 5)[1:-1]])
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
