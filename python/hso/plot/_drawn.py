"""What the panels draw: schedules with their names and styles, and the noise schedule they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Place: TypeAlias = Literal["best", "upper left", "upper right", "lower right"]

_ROW = 0.085  # of a usual panel's height, for one line of a legend


class Drawn(NamedTuple):
    """One schedule of a picture."""

    name: str
    schedule: Schedule
    style: Style


class Subject(NamedTuple):
    """All that a picture shows."""

    schedules: Sequence[Drawn]
    noise: NoiseSchedule | None
    compared: bool
    """By name, beside each other; else a single schedule in detail."""

    @property
    def only(self) -> Drawn:
        return self.schedules[0]


def steps_axis(axis: Any, most: int) -> None:
    """Whole numbers as the ticks of an axis that counts, some `most` of them."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))


def lambda_axis(axes: Axes) -> None:
    """Half log-SNR as the x axis; few ticks, whose labels would otherwise touch on a narrow range."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.set_xlabel(r"$\lambda = \log(\alpha/\sigma)$")


def legend(axes: Axes, place: Place = "best") -> None:
    """A legend of what has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", framealpha=0.7, loc=place)


def legend_above(axes: Axes, place: Place) -> None:
    """A legend at the top, in its own room above what is drawn."""
    rows = len(axes.get_legend_handles_labels()[0])
    if rows:
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) / (1.0 - _ROW * (rows + 0.6)))
        legend(axes, place)


def foreign(schedule: Schedule) -> str | None:
    """What placed the nodes, where that was not MEP."""
    calibration = schedule.options.get("calibration")
    if calibration is not None:
        return f"a profile's objective {calibration['objective']!r}"
    if schedule.status == "given":
        return schedule.search
    objective = schedule.options.get("objective", "mep")
    return None if objective == "mep" else str(objective)
