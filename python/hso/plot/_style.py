"""Colours, markers and lines: each schedule differs in all three, so that colour is never the only difference."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """How one schedule is drawn."""

    color: str
    marker: str
    line: str


# Okabe and Ito's colours that keep a contrast of 3 to white and to #111, and three more that do; the others of their
# palette are too light for white paper.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
GREY, OCHRE, LAVENDER = "#808080", "#9a7600", "#8a7bd0"

_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, OCHRE, LAVENDER)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_LINES = ("-", "--", "-.", ":")


def style(index: int) -> Style:
    """The style of the schedule number `index` of a picture; the first 24 differ."""
    return Style(_COLORS[index % len(_COLORS)], _MARKERS[index % len(_MARKERS)], _LINES[index % len(_LINES)])


def marker_size(nodes: int) -> float:
    """In points: smaller where there are many."""
    return 7.0 if nodes <= 12 else 5.0 if nodes <= 40 else 3.0
