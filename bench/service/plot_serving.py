"""Draws the picture of docs/serving.md: bench/results/{server,service}.json -> docs/images/serving.png.

python bench/service/plot_serving.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
BLUE, SKY, ORANGE, YELLOW, GREEN = "#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73"
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""
PERCENTILES = {0.0: "0", 0.9: "90", 0.99: "99", 0.999: "99.9", 0.9999: "99.99"}
TIMES = {1e-5: "10 us", 1e-4: "0.1 ms", 1e-3: "1 ms", 1e-2: "10 ms", 1e-1: "0.1 s", 1.0: "1 s"}

Report = dict[str, Any]


def draw_latencies(axes: Any, series: list[tuple[str, str, str, Report]]) -> None:
    """Latency against percentile, both stretched so that rare long ones are seen."""
    lowest = highest = 1e-3
    for label, colour, style, report in series:
        count = report.get("answered", report.get("searches"))
        points = [
            (1.0 / (1.0 - q), s) for q, s in report["latency"]["quantiles"] if q > 0.0 and (1.0 - q) * count >= 2.0
        ]
        axes.plot(*zip(*points, strict=True), style, color=colour, markersize=3, linewidth=1.4, label=label)
        lowest, highest = min(lowest, points[0][1]), max(highest, points[-1][1])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1.0 / (1.0 - q) for q in PERCENTILES], list(PERCENTILES.values()))
    shown = {at: text for at, text in TIMES.items() if lowest / 3 <= at <= 3 * highest}
    axes.set_yticks(list(shown), list(shown.values()))
    axes.minorticks_off()
    axes.set_ylim(lowest / 2, 300 * highest)  # the legend's place is above
    axes.grid(color="0.9")
    axes.set_xlabel("percentile")
    axes.set_title("latency", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def draw_memory(axes: Any, label: str, colour: str, report: Report) -> None:
    """Resident memory over time, from 0."""
    sizes = report["mib_every_10_seconds"]
    axes.plot([i / 6.0 for i in range(len(sizes))], sizes, color=colour, linewidth=1.4)
    axes.set_ylim(0.0, 1.4 * max(sizes))
    axes.grid(color="0.9")
    axes.set_ylabel("MiB")
    axes.set_title(label, fontsize=10)


def series(server: Report, service: Report) -> list[tuple[str, str, str, Report]]:
    """What the left panel shows: searches alone, and the open loops."""
    certified, exact = server["speed"]["in_process"]
    shown = [("search alone, no certificate", SKY, "o:", exact), ("search alone", BLUE, "o:", certified)]
    styles = iter([(GREEN, "s-"), (YELLOW, "s-"), (ORANGE, "D-")])
    for label, speed in (("C++ server", server["speed"]), ("Python service", service["speed"]["2 workers"])):
        open_loops = [run for run in speed["runs"] if run["rate"] > 0]
        for run in open_loops[: 2 if label == "C++ server" else 1]:
            colour, style = next(styles)
            shown.append((f"{label}, {run['rate']:.0f} a second", colour, style, run))
    return shown


def main() -> None:
    """Draws it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "bench/results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/serving.png")
    options = parser.parse_args()
    server, service = (
        json.loads((options.results / f"{name}.json").read_text(encoding="utf-8")) for name in ("server", "service")
    )
    figure = plt.figure(figsize=(9.5, 4.4))
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1.0))
    draw_latencies(figure.add_subplot(grid[:, 0]), series(server, service))
    for row, (name, colour, report) in enumerate([("C++ server", GREEN, server), ("Python service", ORANGE, service)]):
        axes = figure.add_subplot(grid[row, 1])
        rate = report["memory"]["load"]["rate"]
        draw_memory(axes, f"memory, {name}, {rate:.0f} a second", colour, report["memory"])
    axes.set_xlabel("minutes")
    figure.tight_layout()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
