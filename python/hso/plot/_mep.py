"""Panel "mep": the midpoint error proxy, summed up from the first node to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._drawn import Drawn, Subject, foreign, lambda_axis, legend, legend_above
from ._measure import evaluated, mep_terms, optimized, proxy_name
from ._style import BLUE, GREY, marker_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_mep(axes: Axes, subject: Subject, *, named: bool) -> None:
    """Draws the panel; `named`: with the names of several schedules, and not their sums alone."""
    highest = max(_draw_sum(axes, drawn, subject, named) for drawn in subject.schedules) or 1.0  # 0: single nodes
    axes.set_ylim(-0.03 * highest, 1.06 * highest)
    lambda_axis(axes)
    axes.set_ylabel("MEP up to the node")
    if subject.compared and not named:
        legend(axes, "lower right")  # sums rise: the corner that they leave free
    else:
        legend_above(axes, "upper left")
    if not subject.compared and (other := foreign(subject.only.schedule)):
        axes.set_title(f"nodes by {other}, not by MEP", fontsize="medium")


def _draw_sum(axes: Axes, drawn: Drawn, subject: Subject, named: bool) -> float:
    """Draws one schedule's sum and returns it."""
    schedule, noise = drawn.schedule, subject.noise
    terms = mep_terms(schedule, noise)
    total = np.concatenate([[0.0], np.cumsum(terms)])
    nodes = optimized(schedule, noise)
    known = evaluated(schedule) if nodes is None else nodes
    sums = total[: len(known)]
    size = marker_size(schedule.steps)
    calls = schedule.steps
    if not subject.compared and len(known) > 1:
        shown = terms[: len(known) - 1]
        axes.stairs(shown, known, fill=True, fc=(GREY, 0.35), label="of one interval")
        axes.stairs(shown, known, color=GREY, lw=0.8)
    if subject.compared:
        name = f"{drawn.name}: {total[-1]:.4g}" if named else f"{total[-1]:.4g}"
    else:
        name = f"sum {total[-1]:.5g}, {proxy_name(schedule)}" if len(terms) else "one node: no interval"
    color, line = (drawn.style.color, drawn.style.line) if subject.compared else (BLUE, "-")
    axes.plot(known, sums, line, color=color, lw=1.5, gid="path")
    axes.plot(known[:calls], sums[:calls], drawn.style.marker, color=color, ms=size, label=name, gid="nodes")
    if len(known) > calls:  # optimized, but without a call
        axes.plot(known[calls:], sums[calls:], drawn.style.marker, color=color, mfc="none", ms=size, gid="end")
    elif len(total) > len(known):  # to the node that "skip" leaves out, whose lambda only `noise` knows
        edge = axes.get_yaxis_transform()
        axes.plot([1.0], total[-1:], ">", transform=edge, clip_on=False, color=color, mfc="none", ms=size, gid="end")
    return float(total[-1])
