"""Times hso's searches against the same searches in plain SciPy, side by side in one run.

Answers are checked first: a search that misses its reference is not timed. Writes a JSON with
the machine, the command and every run, and prints a table of medians and ratios.

    python bench/python/bench_search.py --out bench/results/search.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy

import hso
from reference_objectives import VpTable
from scipy_reference import SearchResult, constrained_search, published_search

Search = Literal["bilevel", "paper"]


def stable_diffusion_betas() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Stable Diffusion's 1000 betas, linear in sqrt(beta)."""
    return np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2


def median_time(function: Callable[[], object], runs: int) -> dict[str, Any]:
    """Seconds of `runs` calls and their median."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "median": statistics.median(seconds)}


def check(name: str, ours: hso.Schedule, theirs: SearchResult) -> None:
    """Raises unless our schedule is as good as SciPy's, to the noise that gamma = 1e9 makes of rounding."""
    if not ours.fitness <= theirs.fitness * (1.0 + 1e-3):
        raise SystemExit(f"{name}: fitness {ours.fitness} is above SciPy's {theirs.fitness}")


def cpu_name() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def compare(nfe: int, runs: int, slow_runs: int, trust_constr: bool) -> dict[str, Any]:
    """One nfe in the UniPC setting: three SciPy searches, each beside hso's counterpart."""
    betas = stable_diffusion_betas()
    noise, table = hso.NoiseSchedule.from_betas(betas), VpTable.from_betas(betas)

    def ours(search: Search) -> hso.Schedule:
        return hso.optimize(noise, nfe=nfe, terminal="t_min", search=search)

    pairs: dict[str, tuple[Search, Callable[[], SearchResult]]] = {
        "published, SLSQP": ("paper", lambda: published_search(table, nfe, lower="slsqp")),
        "spacing as constraints, SLSQP": ("bilevel", lambda: constrained_search(table, nfe)),
    }
    if trust_constr:
        pairs["published, trust-constr"] = ("paper", lambda: published_search(table, nfe))
    rows: dict[str, Any] = {}
    for name, (search, reference) in pairs.items():
        schedule, found = ours(search), reference()
        check(f"nfe {nfe}, {name}", schedule, found)
        scipy_runs = {"seconds": [found.seconds], "median": found.seconds}
        if slow_runs > 1:
            scipy_runs = median_time(reference, slow_runs)
        hso_runs = median_time(lambda search=search: ours(search), runs)  # type: ignore[misc]
        rows[name] = {
            "search": search,
            "hso": hso_runs | {"fitness": schedule.fitness, "min_spacing": schedule.min_spacing},
            "scipy": scipy_runs | {"fitness": found.fitness, "min_spacing": float(np.min(-np.diff(found.t)))},
            "ratio": scipy_runs["median"] / hso_runs["median"],
        }
        row = rows[name]
        print(
            f"nfe {nfe:2d}  {name:30s} SciPy {row['scipy']['median']:8.3f} s"
            f"  F {row['scipy']['fitness']:14.6f}   hso {1e3 * row['hso']['median']:8.3f} ms"
            f"  F {row['hso']['fitness']:14.6f}   ratio {row['ratio']:8.0f}",
            flush=True,
        )
    return rows


def main() -> None:
    """Runs the comparison and writes its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 5, 6, 8, 10])
    parser.add_argument("--runs", type=int, default=21, help="timed runs of hso")
    parser.add_argument("--slow-runs", type=int, default=3, help="timed runs of SciPy")
    parser.add_argument("--trust-constr-up-to", type=int, default=5, help="highest nfe for trust-constr")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = {
        nfe: compare(nfe, options.runs, options.slow_runs, nfe <= options.trust_constr_up_to) for nfe in options.nfe
    }
    report = {
        "command": "python " + " ".join(["bench/python/bench_search.py", *sys.argv[1:]]),
        "machine": {"cpu": cpu_name(), "system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count()},
        "versions": {
            "hso": hso.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "table": "Stable Diffusion (scaled linear), terminal t_min, one thread",
        "results": results,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
