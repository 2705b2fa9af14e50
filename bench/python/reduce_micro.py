"""Reduces Google Benchmark's JSON to what bench/results keeps: medians, quartiles, the machine, the command.

hso_bench --benchmark_repetitions=5 --benchmark_out=raw.json --benchmark_out_format=json
python bench/python/reduce_micro.py raw.json --out bench/results/micro.json
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench_common import machine, quartiles

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def reduced(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each benchmark; SystemExit where an answer was wrong."""
    wrong = [row["name"] for row in raw["benchmarks"] if row.get("error_occurred")]
    if wrong:
        raise SystemExit(f"wrong answers: {', '.join(wrong)}")
    seconds: dict[str, list[float]] = defaultdict(list)
    for row in raw["benchmarks"]:
        if row["run_type"] == "iteration":
            seconds[row["run_name"]].append(row["real_time"] * SECONDS[row["time_unit"]])
    return [{"name": name, **quartiles(values)} for name, values in seconds.items()]


def main() -> None:
    """Reads, reduces, writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("raw", type=Path, help="what Google Benchmark wrote")
    parser.add_argument("--command", default="bench/run.sh", help="what the file shall say it was made with")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    report = {
        "command": options.command,
        "machine": machine(),
        "about": "bench/cpp: wall time of one call, one thread unless the name says otherwise; times in seconds",
        "benchmarks": reduced(json.loads(options.raw.read_text(encoding="utf-8"))),
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
