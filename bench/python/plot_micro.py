"""Draws what one search takes from Python and from C++, from micro.json and python.json.

python bench/python/plot_micro.py    # bench/results/{micro,python}.json -> docs/images/calls.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from plot_compare import BLACK, BLUE, GREEN, ORANGE, ROOT, SKY, Look, save

SERIES = {
    ("micro", "optimize/exact_in_workspace/{nfe}"): Look("exact, C++ with a workspace", BLUE, "o"),
    ("micro", "optimize/exact/{nfe}"): Look("exact, C++", SKY, "s"),
    ("python", "optimize[exact-{nfe}]"): Look("exact, Python", GREEN, "^"),
    ("micro", "optimize/exact_certified_in_workspace/{nfe}"): Look(
        "with certificate, C++ with a workspace", ORANGE, "D"
    ),
    ("micro", "optimize/bilevel_newton/{nfe}"): Look("bilevel with Newton, C++", BLACK, "v"),
}
NFE = range(4, 21)
TICKS = {1e-5: "10 us", 1e-4: "0.1 ms", 1e-3: "1 ms", 1e-2: "10 ms"}


def draw(reports: dict[str, dict[str, Any]], path: Path) -> None:
    """Median time against nfe, its quartiles as bars."""
    rows = {(kind, row["name"]): row for kind, report in reports.items() for row in report["benchmarks"]}
    figure, axes = plt.subplots(figsize=(7.5, 5.2))
    for (kind, name), look in SERIES.items():
        found = [(nfe, rows[kind, name.format(nfe=nfe)]) for nfe in NFE if (kind, name.format(nfe=nfe)) in rows]
        nfes, medians = [nfe for nfe, _ in found], [row["median"] for _, row in found]
        axes.errorbar(
            nfes,
            medians,
            yerr=[0.5 * row["iqr"] for _, row in found],
            marker=look.marker,
            color=look.colour,
            markersize=5,
            label=look.label,
        )
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    shown = {at: text for at, text in TICKS.items() if low <= at <= high}
    axes.set_yticks(list(shown), list(shown.values()))
    axes.minorticks_off()
    axes.set_xticks([4, 5, 6, 8, 10, 12, 16, 20])
    axes.grid(color="0.9")
    axes.set_xlabel("network calls (nfe)")
    axes.set_ylabel("time of one search, one thread")
    figure.legend(loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0.0, 0.15, 1.0, 1.0))
    save(figure, path)


def main() -> None:
    """Draws it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    kinds = ("micro", "python")
    reports = {kind: json.loads((options.results / f"{kind}.json").read_text(encoding="utf-8")) for kind in kinds}
    draw(reports, options.images / "calls.png")


if __name__ == "__main__":
    main()
