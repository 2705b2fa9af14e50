"""What the benchmarks share: timing, the machine's description, the report's file."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("hso", "numpy", "scipy", "pygmo", "nlopt", "torch", "diffusers")


def hold_blas_to_one_thread() -> None:
    """Starts the script again with one BLAS thread, unless that is so: BLAS reads its settings when NumPy loads it.

    With two threads SciPy's SLSQP on 20 variables takes several times as long: they wait for each other.
    """
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if any(os.environ.get(name) != value for name, value in one.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **one})


def seconds_of(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """How many runs there were, their median and their extremes."""
    return {"runs": len(seconds), "median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}


def quartiles(seconds: Sequence[float]) -> dict[str, Any]:
    """How many runs there were, their median and the distance between their quartiles, to five digits."""
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else 3 * [seconds[0]]
    return {"runs": len(seconds), "median": float(f"{middle:.5g}"), "iqr": float(f"{high - low:.3g}")}


def time_calls(
    function: Callable[[], object],
    *,
    least: int = 21,
    most: int = 1001,
    enough_s: float = 0.5,
    first: Sequence[float] = (),
) -> dict[str, Any]:
    """The `summary` of at least `least` calls, and of up to `most` while they have not taken `enough_s` seconds.

    `first` are runs that were timed before.
    """
    seconds = list(first)
    while len(seconds) < least or (len(seconds) < most and sum(seconds) < enough_s):
        seconds.append(seconds_of(function))
    return summary(seconds)


def as_time(seconds: float) -> str:
    """Three digits and a unit."""
    scale, unit = next(((s, u) for s, u in ((1.0, "s"), (1e-3, "ms")) if seconds >= 0.9995 * s), (1e-6, "us"))
    value = seconds / scale
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def cpu_name() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def machine() -> dict[str, Any]:
    """What a report says of the machine: nothing that names a host."""
    return {"cpu": cpu_name(), "system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count()}


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str | None]:
    """Versions of Python and of the packages, None for one that is not there."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def write_report(path: Path, script: str, about: str, results: dict[str, Any]) -> None:
    """Writes the results with the command, the machine and the versions: nothing that names a host or a date."""
    report = {
        "command": " ".join(["python", f"bench/python/{script}", *sys.argv[1:]]),
        "machine": machine(),
        "versions": versions(),
        "about": about,
        **results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
