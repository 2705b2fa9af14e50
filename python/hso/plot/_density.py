"""Panel "density": where MEP has its error, and how densely its optimum puts the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._arrays import Array
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._drawn import Drawn, Subject, foreign, lambda_axis, legend_above
from ._measure import error_density, evaluated, proxy_name
from ._style import BLUE, GREY, VERMILLION, marker_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FINE = 401


def draw_density(axes: Axes, subject: Subject, *, named: bool) -> None:
    """Draws the panel; `named`: with the names of several schedules."""
    nodes = np.concatenate([evaluated(each.schedule) for each in subject.schedules])
    lam = _span(nodes, subject.noise)
    proxies = {_key(each.schedule): each for each in subject.schedules}
    for each in proxies.values():
        _draw_curve(axes, each, subject, lam, alone=len(proxies) == 1)
    for drawn in subject.schedules:
        lambdas = evaluated(drawn.schedule)
        at, end = lambdas[: drawn.schedule.steps], lambdas[drawn.schedule.steps :]
        axes.plot(
            at,
            error_density(drawn.schedule, subject.noise, at),
            drawn.style.marker,
            color=drawn.style.color,
            mfc="none" if subject.compared else drawn.style.color,
            ms=marker_size(len(at)),
            label=(drawn.name if named else None) if subject.compared else "network call",
            gid="nodes",
            zorder=3,
        )
        if len(end) and not subject.compared:
            height = error_density(drawn.schedule, subject.noise, end)
            axes.plot(end, height, drawn.style.marker, color=BLUE, mfc="none", ms=marker_size(len(at)), gid="end")
    axes.axhline(0.0, color=GREY, lw=0.8)
    lambda_axis(axes)
    axes.set_ylabel(r"$w(\lambda) = G - G''$")
    legend_above(axes, "upper right")
    if not subject.compared and (other := foreign(subject.only.schedule)):
        axes.set_title(f"nodes by {other}, not by MEP", fontsize="medium")


def _key(schedule: Schedule) -> object:
    """What the density depends on."""
    proxy = schedule.options["proxy"]
    table = None if proxy is None else (tuple(proxy["lambdas"]), tuple(proxy["values"]))
    return schedule.family, schedule.options["p"], table


def _span(nodes: Array, noise: NoiseSchedule | None) -> Array:
    """The noise schedule's range, or without one the nodes'."""
    low, high = noise.lambda_range if noise is not None else (float(nodes.min()), float(nodes.max()))
    if low == high:
        low, high = low - 1.0, high + 1.0
    return np.linspace(low, high, _FINE)


def _draw_curve(axes: Axes, drawn: Drawn, subject: Subject, lam: Array, *, alone: bool) -> None:
    density = error_density(drawn.schedule, subject.noise, lam)
    color, line = (drawn.style.color, drawn.style.line) if subject.compared and not alone else (GREY, "-")
    if not subject.compared:
        color = BLUE
    axes.plot(lam, density, line, color=color, lw=1.5, label=f"$w$, {proxy_name(drawn.schedule)}", gid="density")
    highest = float(density.max())
    if alone and highest > 0.0:
        # cbrt: of all spacings h between fixed ends, h ~ w^(-1/3) has the least sum of w h^3
        limit = np.cbrt(np.where(density > 0.0, density, np.nan))
        scaled = limit * highest / np.nanmax(limit)
        axes.plot(lam, scaled, "--", color=GREY, lw=1.2, label=r"$\propto w^{1/3}$: nodes in the limit", gid="limit")
    negative = density < 0.0
    if np.any(negative):
        axes.fill_between(
            lam,
            density,
            0.0,
            where=negative.tolist(),
            fc="none",
            ec=VERMILLION,
            hatch="////",
            lw=0.0,
            label="$w < 0$: rewards huge steps",
            gid="negative",
        )
