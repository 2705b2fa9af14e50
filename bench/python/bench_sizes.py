"""What the largest inputs take: seconds and memory of tables of up to 10 million entries and of up to 10,000 calls.

Each row runs in a process of its own, which says how much its peak memory grew over what it held before the call. Rows
that must be refused say with what message. A row that takes more than its bound fails the run.

    python bench/python/bench_sizes.py --out bench/results/sizes.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hso
from bench_common import as_time, write_report

MOST_S, MOST_MB = 120.0, 4096.0
"""No row may take more."""
ENTRIES = 10_000_000
TABLES = ("from_betas", "from_alphas_cumprod", "from_table")


def table(kind: str, entries: int) -> Callable[[], hso.NoiseSchedule]:
    """Makes a noise schedule of so many entries; its input exists before the call."""
    if kind == "from_table":  # of no known family, so that nothing is a closed form
        t = np.linspace(1e-3, 1.0, entries)
        alpha, sigma = np.cos(1.5 * t) * (1.0 + 0.1 * t), np.sin(1.5 * t)
        return lambda: hso.NoiseSchedule.from_table(t, alpha, sigma)
    betas = np.linspace(10.0 / entries, 20.0 / entries, entries) * 0.5
    if kind == "from_betas":
        return lambda: hso.NoiseSchedule.from_betas(betas)
    alphas_cumprod = np.cumprod(1.0 - betas)
    return lambda: hso.NoiseSchedule.from_alphas_cumprod(alphas_cumprod)


def search(nfe: int, **options: Any) -> Callable[[], hso.Schedule]:
    """A search on Stable Diffusion's table."""
    noise = hso.NoiseSchedule.preset("sd21")
    return lambda: hso.optimize(noise, nfe, **options)


def search_on(kind: str, **options: Any) -> Callable[[], hso.Schedule]:
    """A search of 10 calls on the longest table."""
    noise = table(kind, ENTRIES)()
    return lambda: hso.optimize(noise, 10, **options)


ROWS: dict[str, Callable[[], Callable[[], Any]]] = {
    **{f"{kind}, {ENTRIES:,} entries": (lambda kind=kind: table(kind, ENTRIES)) for kind in TABLES},  # type: ignore[misc]
    "optimize nfe 10 on from_betas' table": lambda: search_on("from_betas"),
    "optimize nfe 10 on from_table's table": lambda: search_on("from_table"),
    "optimize nfe 10, bilevel, on from_table's table": lambda: search_on("from_table", search="bilevel"),
    "optimize nfe 100": lambda: search(100),
    "optimize nfe 1,000": lambda: search(1000),
    "optimize nfe 10,000": lambda: search(10_000),
    "optimize nfe 10,000, no certificate": lambda: search(10_000, gap=float("inf")),
    "optimize nfe 10,000, p 4, no spacing": lambda: search(10_000, p=4.0, d_min=0.0),
    "optimize nfe 100, a gap that no arithmetic reaches": lambda: search(100, gap=1e-300),
    "optimize nfe 1,000, bilevel": lambda: search(1000, search="bilevel"),
    "optimize nfe 100, bilevel, slsqp": lambda: search(100, search="bilevel", local="slsqp"),
}
REFUSED: dict[str, Callable[[], Callable[[], Any]]] = {
    "optimize nfe 1,000,000": lambda: search(1_000_000),
    "optimize nfe 1,001, bilevel, slsqp": lambda: search(1001, search="bilevel", local="slsqp"),
    "optimize, 1,000,000 threads": lambda: search(10, search="bilevel", threads=1_000_000),
    "from_betas, 1 entry": lambda: table("from_betas", 1),
}


def held_mb(name: str) -> float:
    """MB that this process holds (VmRSS) or has held at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024.0
    raise RuntimeError(f"/proc/self/status has no {name}")


def run_row(name: str) -> dict[str, Any]:
    """In the row's own process."""
    call = (ROWS | REFUSED)[name]()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from what is held
    before, began = held_mb("VmRSS"), time.perf_counter()
    try:
        answer = call()
    except ValueError as error:
        return {"refused": str(error), "seconds": time.perf_counter() - began}
    row: dict[str, Any] = {"seconds": time.perf_counter() - began, "mb": max(0.0, held_mb("VmHWM") - before)}
    if isinstance(answer, hso.Schedule):
        if not (np.all(np.diff(answer.t) < 0) and len(answer.t) == answer.nfe + 1):
            raise RuntimeError(f"{name}: no schedule")
        row |= {"status": answer.status, "gap": answer.gap}
    return row


def measured(name: str) -> dict[str, Any]:
    """A row, from a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--row", name], capture_output=True, text=True, timeout=10 * MOST_S, check=True
    )
    row: dict[str, Any] = {"what": name, **json.loads(done.stdout)}
    if ("refused" in row) != (name in REFUSED) or row["seconds"] > MOST_S or row.get("mb", 0.0) > MOST_MB:
        raise SystemExit(f"{name}: {row}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the JSON to write")
    parser.add_argument("--row", help="this row alone, as JSON on the standard output (Linux)")
    args = parser.parse_args()
    if args.row is not None:
        print(json.dumps(run_row(args.row)))
        return
    rows = []
    for name in ROWS | REFUSED:
        rows.append(row := measured(name))
        found = row.get("refused") or f"{row['mb']:.0f} MB {row.get('status', '')}"
        print(f"{name:52} {as_time(row['seconds']):>9}  {found}", flush=True)
    if args.out:
        write_report(
            args.out, "bench_sizes.py", "seconds and peak memory above what was held, a process a row", {"rows": rows}
        )


if __name__ == "__main__":
    main()
