"""Draws the pictures of the comparison and of the scaling from their JSON files.

python bench/python/plot_compare.py    # bench/results/{compare,scaling}.json -> docs/images/{compare,scaling}.png
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

ROOT = Path(__file__).resolve().parents[2]

FLOOR = 1e-9
"""Relative difference of F below which two schedules count as one: drawn on the lowest line."""

LABEL_WIDTH, BAND = 1.7, 3.0
"""Decades of time that a label takes, and decades of F within which points share a stack of labels."""

BLUE, SKY, ORANGE, YELLOW = "#0072B2", "#56B4E9", "#D55E00", "#E69F00"
GREEN, PURPLE, BLACK = "#009E73", "#CC79A7", "#000000"
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    label: str
    colour: str
    marker: str


METHODS = {
    "hso exact": Look("exact", BLUE, "*"),
    "hso exact, certified": Look("exact, certified", BLUE, "D"),
    "hso bilevel, Newton": Look("bilevel, Newton", BLUE, "o"),
    "hso bilevel, SLSQP": Look("bilevel, SLSQP", BLUE, "s"),
    "hso paper, SLSQP": Look("paper, SLSQP", BLUE, "^"),
    "SciPy, as published (trust-constr)": Look("as published", ORANGE, "^"),
    "SciPy, published search, SLSQP": Look("published, SLSQP", ORANGE, "v"),
    "SciPy DE, SLSQP, spacing as constraints": Look("DE + SLSQP", ORANGE, "s"),
    "pygmo DE, NLopt SLSQP, spacing as constraints": Look("pygmo DE + NLopt", GREEN, "s"),
    "NLopt SLSQP on all nodes, no upper level": Look("NLopt, all nodes", GREEN, "P"),
    "DM-NonUni, SciPy trust-constr": Look("DM-NonUni, SciPy", PURPLE, "X"),
    "DM-NonUni, hso": Look("DM-NonUni, hso", PURPLE, "d"),
}
GROUPS = {"hso": BLUE, "SciPy": ORANGE, "pygmo and NLopt": GREEN, "DM-NonUni": PURPLE}

SERIES = {
    "exact": Look("exact, the paper's d_min", BLUE, "o"),
    "exact, certified": Look("exact with certificate, the paper's d_min", ORANGE, "D"),
    "bilevel, Newton": Look("bilevel with Newton, the paper's d_min", GREEN, "s"),
    "exact, certified, d_min 0": Look("exact with certificate, d_min 0", YELLOW, "P"),
    "exact, d_min 0": Look("exact, d_min 0", SKY, "v"),
    "exact, half the room": Look("exact, d_min half of what fits", PURPLE, "^"),
}


def label_places(points: dict[str, tuple[float, float]]) -> dict[str, tuple[float, int]]:
    """The F that each label stands above, and by how many lines: close ones stack, the leftmost highest.

    A label runs to the right of its point, so the line up to it meets no other label.
    """
    places: dict[str, tuple[float, int]] = {}
    for name, (x, y) in sorted(points.items(), key=lambda item: -item[1][0]):
        base, level = y, 0
        for other, (height, lines) in places.items():
            right = points[other][0]
            if math.log10(right / x) < LABEL_WIDTH and abs(math.log10(height / y)) < BAND:
                base, level = max(base, height), max(level, lines + 1)
        places[name] = base, level
    return places


def draw_methods(axes: Any, nfe: int, rows: dict[str, dict[str, Any]]) -> None:
    """One panel: relative excess of F over the certified optimum against the median time."""
    optimum = rows["hso exact, certified"]["fitness"]
    points = {
        name: (rows[name]["time"]["median"], max(rows[name]["fitness"] / optimum - 1.0, FLOOR))
        for name in METHODS
        if "time" in rows.get(name, {})
    }
    places = label_places(points)
    for name, point in points.items():
        look = METHODS[name]
        axes.plot(
            *point,
            look.marker,
            markersize=11 if look.marker == "*" else 8,
            markeredgecolor=look.colour,
            markerfacecolor=look.colour if rows[name]["feasible"] else "white",
            markeredgewidth=1.5,
            zorder=3,
        )
        base, level = places[name]
        axes.annotate(
            look.label,
            point,
            xytext=(point[0], base),
            textcoords=offset_copy(axes.transData, axes.figure, y=9 + 12 * level, units="points"),
            fontsize=8,
            color=look.colour,
            arrowprops={"arrowstyle": "-", "color": look.colour, "linewidth": 0.6, "relpos": (0.0, 0.0)},
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(2e-5, 5e3)
    axes.set_ylim(FLOOR / 3, 1e11)
    ticks = [FLOOR, 1e-6, 1e-3, 1.0, 1e3, 1e6]
    axes.set_yticks(ticks, ["≤ 1e-9", "1e-6", "0.001", "1", "1,000", "1e6"])
    axes.minorticks_off()
    axes.set_xticks([1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100], ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"])
    axes.grid(color="0.9", zorder=0)
    axes.set_title(f"{nfe} network calls")
    axes.set_xlabel("time, one thread")


def draw_compare(report: dict[str, Any], panels: list[int], path: Path) -> None:
    """docs/images/compare.png."""
    figure, axes = plt.subplots(1, len(panels), figsize=(6.2 * len(panels), 5.4), sharey=True, squeeze=False)
    for panel, nfe in zip(axes[0], panels, strict=True):
        draw_methods(panel, nfe, report["results"][str(nfe)]["rows"])
    axes[0][0].set_ylabel("F above the certified optimum, relative")
    handles = [Line2D([], [], color=c, marker="o", linestyle="", label=group) for group, c in GROUPS.items()]
    hollow = Line2D([], [], color="0.3", marker="o", linestyle="", markerfacecolor="white")
    hollow.set_label("hollow: spacing or ends not as asked")
    handles.append(hollow)
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0.0, 0.05, 1.0, 1.0))
    save(figure, path)


def draw_scaling(report: dict[str, Any], path: Path) -> None:
    """docs/images/scaling.png: median time against nfe, with a line of slope 1 through the last point."""
    figure, axes = plt.subplots(figsize=(7.5, 5.0))
    rows = report["small"] + report["large"]
    for name, look in SERIES.items():
        points = [(row["nfe"], row["time"]["median"]) for row in rows if row["series"] == name]
        if points:
            axes.plot(*zip(*points, strict=True), look.marker + "-", color=look.colour, markersize=5, label=look.label)
    nfe, seconds = max(
        (row["nfe"], row["time"]["median"]) for row in report["large"] if row["series"] == "exact, d_min 0"
    )
    axes.plot(
        [10, nfe],
        [seconds * 10 / nfe, seconds],
        "--",
        color=BLACK,
        linewidth=1,
        label="linear in nfe",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([4, 10, 20, 50, 100, 200, 500, 1000], ["4", "10", "20", "50", "100", "200", "500", "1000"])
    axes.minorticks_off()
    ticks = {1e-5: "10 us", 1e-4: "0.1 ms", 1e-3: "1 ms", 1e-2: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s"}
    low, high = axes.get_ylim()
    shown = {at: text for at, text in ticks.items() if low <= at <= high}
    axes.set_yticks(list(shown), list(shown.values()))
    axes.grid(color="0.9")
    axes.set_xlabel("network calls (nfe)")
    axes.set_ylabel("time, one thread")
    axes.legend(frameon=False)
    figure.tight_layout()
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """A PNG without a date or a program's name in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Draws both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--nfe", type=int, nargs="+", default=[5, 10], help="panels of the comparison")
    options = parser.parse_args()
    compare = json.loads((options.results / "compare.json").read_text(encoding="utf-8"))
    scaling = json.loads((options.results / "scaling.json").read_text(encoding="utf-8"))
    draw_compare(compare, options.nfe, options.images / "compare.png")
    draw_scaling(scaling, options.images / "scaling.png")


if __name__ == "__main__":
    main()
