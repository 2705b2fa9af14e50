"""Runs the Python suite (test_benchmarks.py) and reduces what pytest-benchmark wrote to medians and quartiles.

python bench/python/bench_python.py --out bench/results/python.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_common import as_time, hold_blas_to_one_thread, quartiles, write_report

ROOT = Path(__file__).resolve().parents[2]


def run_suite(out: Path, max_time: float) -> dict[str, Any]:
    """pytest-benchmark's own report; SystemExit where an answer was wrong."""
    command = [sys.executable, "-m", "pytest", "-q", "bench/python/test_benchmarks.py", f"--benchmark-json={out}"]
    timing = ["--benchmark-min-rounds=7", f"--benchmark-max-time={max_time}", "--benchmark-disable-gc"]
    quiet = ["--benchmark-quiet", "-p", "no:cacheprovider", "-p", "no:xdist"]
    if subprocess.run([*command, *timing, *quiet], cwd=ROOT, check=False).returncode != 0:
        raise SystemExit("the suite failed: nothing is written")
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return report


def rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """One for each benchmark, by the test's name without its prefix."""
    return [
        {"name": each["name"].removeprefix("test_"), **quartiles(each["stats"]["data"]), **each["extra_info"]}
        for each in report["benchmarks"]
    ]


def main() -> None:
    """Runs, reduces, writes, prints a line for each row."""
    hold_blas_to_one_thread()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--max-time", type=float, default=0.25, help="seconds for each benchmark, about")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = rows(run_suite(Path(folder) / "report.json", options.max_time))
    for row in found:
        added = f", of which Python adds {as_time(row['added_by_python'])}" if "added_by_python" in row else ""
        print(f"{row['name']:45s} {as_time(row['median']):>8s}{added}")
    write_report(
        options.out, "bench_python.py", "times in seconds, medians and quartiles; one thread", {"benchmarks": found}
    )


if __name__ == "__main__":
    main()
