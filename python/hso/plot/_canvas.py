"""Which panels a picture has and the axes that they are drawn into."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import one_of

_WIDTH, _HEIGHT = 4.2, 3.2  # inches of one panel
_PAD = 0.09  # inches around each panel
_EDGES, _ROW = 1.2, 0.28  # of a panel with many schedules: its margins and one of its rows


class Panels(np.ndarray[Any, np.dtype[Any]]):
    """Axes of a new figure. pyplot does not know that figure, so in a notebook the array itself shows it."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.flat[0].figure.savefig(png, format="png")
        return png.getvalue()


def chosen(panels: str | Iterable[str] | None, known: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """The panels' names; ValueError listing the known ones for any other."""
    if panels is None:
        return tuple(usual)
    names = [panels] if isinstance(panels, str) else list(panels)
    if not names:
        raise ValueError(f"panels must be one or more of {', '.join(map(repr, known))}, got none")
    return tuple(one_of("panels", name, known) for name in names)


def canvas(axes: Any, names: Sequence[str], *, rows: int) -> npt.NDArray[Any]:
    """One axes for each panel, shape (len(names),): the given ones, or those of a new figure with room for `rows`
    schedules."""
    from matplotlib.axes import Axes

    made = np.empty(len(names), dtype=object)
    if axes is None:
        made[:] = _new(len(names), max(_HEIGHT, _EDGES + _ROW * rows))
        return made.view(Panels)
    given = [axes] if isinstance(axes, Axes) else list(np.ravel(np.asarray(axes, dtype=object)))
    for each in given:
        if not isinstance(each, Axes):
            raise ValueError(f"axes must be matplotlib axes, got {each!r}")
    if len(given) != len(names):
        raise ValueError(f"axes must be as many as the panels, {len(names)} for {', '.join(names)}, got {len(given)}")
    made[:] = given
    return made


def _new(count: int, height: float) -> list[Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = count if count <= 3 else -(-count // 2)
    rows = -(-count // columns)
    layout = ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD)
    figure = Figure(figsize=(_WIDTH * columns, height * rows), layout=layout)
    return [figure.add_subplot(rows, columns, index + 1) for index in range(count)]
