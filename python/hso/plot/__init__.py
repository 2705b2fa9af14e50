"""Pictures of schedules (needs matplotlib): docs/pictures.md.

axes = hso.plot.plot_schedule(schedule, noise)             # or schedule.plot(noise)
axes = hso.plot.plot_schedules({"ours": a, "even": b})     # side by side
axes[0].figure.savefig("schedule.png")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._canvas import canvas, chosen
from ._coordinates import draw_coordinate
from ._density import draw_density
from ._drawn import Drawn, Subject
from ._measure import UnknownProxyError, measurable
from ._mep import draw_mep
from ._steps import draw_steps
from ._style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PANELS", "plot_schedule", "plot_schedules"]

PANELS = ("t", "lambda", "sigma", "steps", "density", "mep")
"""The panels that a picture can have, in the order of the usual one."""

_COORDINATES = PANELS[:3]
_MEASURED = PANELS[4:]


def plot_schedule(
    schedule: Schedule,
    noise: NoiseSchedule | None = None,
    *,
    panels: str | Iterable[str] | None = None,
    axes: Axes | Iterable[Axes] | None = None,
) -> npt.NDArray[Any]:
    """Draws one schedule; returns the axes, one for each panel: an array of shape (panels,).

    Args:
        schedule: What to draw. Its error proxy comes from `schedule.options`.
        noise: The schedule's noise schedule (`Schedule.check_noise`). With it, lines between nodes follow it,
            `hso.schedules.uniform_t` is drawn beside them, and the density covers its whole range. Panels "density"
            and "mep" need it for the family "general", "mep" also to place the node that the terminal "skip" leaves
            out.
        panels: Some of "t", "lambda", "sigma" (where the network is called), "steps" (their lengths in t and d_min),
            "density" (MEP's error density w(lambda)) and "mep" (its sum over the nodes). The last two show MEP
            under the schedule's own error proxy also for nodes that were placed by something else, and say so. By
            default all, but those that the schedule's family needs `noise` for.
        axes: As many axes as panels, in any shape, to draw into. By default a new figure, axes[0].figure, which pyplot
            does not know; in a notebook the returned array shows it.

    Raises:
        ValueError: `noise` is not the schedule's, a panel is unknown or cannot be drawn, or `axes` are not as many as
            the panels.
    """
    subject = Subject([Drawn(_title(_as_schedule("schedule", schedule)), schedule, style(0))], noise, False)
    return _draw(subject, panels, axes)


def plot_schedules(
    schedules: Mapping[str, Schedule],
    noise: NoiseSchedule | None = None,
    *,
    panels: str | Iterable[str] | None = None,
    axes: Axes | Iterable[Axes] | None = None,
) -> npt.NDArray[Any]:
    """Draws schedules side by side under their names; returns the axes as `plot_schedule` does.

    Each has its colour, marker and kind of line. Arguments and errors as for `plot_schedule`; `noise` must be the
    noise schedule of all. Schedules of several noise schedules can be compared without it: sigma is then VE sigma
    for all unless all are flow's.
    """
    if not isinstance(schedules, Mapping) or not schedules:
        raise ValueError(f"schedules must be a mapping of one or more names to schedules, got {schedules!r}")
    drawn = [
        Drawn(str(name).replace("$", r"\$"), _as_schedule(f"schedules[{name!r}]", each), style(index))
        for index, (name, each) in enumerate(schedules.items())
    ]
    return _draw(Subject(drawn, noise, True), panels, axes)


def _draw(subject: Subject, panels: str | Iterable[str] | None, axes: Any) -> npt.NDArray[Any]:
    _check_noise(subject)
    unknown = _unknown_proxy(subject)
    usual = PANELS if unknown is None else tuple(panel for panel in PANELS if panel not in _MEASURED)
    names = chosen(panels, PANELS, usual)
    if unknown is not None and set(names) & set(_MEASURED):
        raise unknown
    given = axes is not None
    shown = canvas(axes, names, rows=len(subject.schedules))
    first_named = next((index for index, name in enumerate(names) if name in _COORDINATES), None)
    for index, (panel, name) in enumerate(zip(shown, names, strict=True)):
        if name in _COORDINATES:
            draw_coordinate(panel, subject, name, explained=index == first_named, named=index == first_named or given)
        elif name == "steps":
            draw_steps(panel, subject, named=first_named is None)
        elif name == "density":
            draw_density(panel, subject, named=first_named is None)
        else:
            draw_mep(panel, subject, named=first_named is None)
    if not given and not subject.compared:
        shown[0].figure.suptitle(subject.only.name)
    return shown


def _as_schedule(name: str, value: Any) -> Schedule:
    if not isinstance(value, Schedule):
        raise ValueError(f"{name} must be an hso.Schedule, got {value!r}")
    return value


def _check_noise(subject: Subject) -> None:
    if subject.noise is not None:
        for drawn in subject.schedules:
            shown = f"schedule {drawn.name!r}" if subject.compared else "schedule"
            drawn.schedule.check_noise(subject.noise, shown=shown)


def _unknown_proxy(subject: Subject) -> UnknownProxyError | None:
    """Why the panels of MEP cannot be drawn, if they cannot."""
    try:
        for drawn in subject.schedules:
            measurable(drawn.schedule, subject.noise)
    except UnknownProxyError as reason:
        return reason
    return None


def _title(schedule: Schedule) -> str:
    return f"{schedule.search}, nfe {schedule.nfe}, terminal {schedule.terminal}"
