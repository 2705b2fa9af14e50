"""How good calibrated schedules are, against others from the same model and against direct searches.

    python bench/quality/calibration_study.py mixture sd --parts quality correlation

Writes bench/results/calibration_<model>.json; parts that are not asked for stay as they are in it. The noises of
calibrations are never those of tests. `calibration_summary.py` makes the tables of docs/quality.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import calibration_correlation
import calibration_gain
import calibration_quality
import calibration_refinement
import calibration_transfer
import whole_file
from calibration_counts import COUNTS, QUICK, Counts
from calibration_source import Source
from lab import compact, rounded, versions
from store import Store

Row = dict[str, Any]

PARTS: dict[str, Callable[[Source, Counts], list[Row]]] = {
    "quality": calibration_quality.rows,
    "correlation": calibration_correlation.rows,
    "mismatch": calibration_transfer.mismatch_rows,
    "transfer": calibration_transfer.transfer_rows,
    "gain": calibration_gain.rows,
    "refinement": calibration_refinement.rows,
}


def study(model: str, counts: Counts, parts: list[str], store: Store, out: Path) -> None:
    """Makes the parts of a model's results one by one and writes them as they come."""
    source = Source.of(model, store)
    for part in parts:
        began = time.perf_counter()
        found = PARTS[part](source, counts)
        document = json.loads(out.read_bytes()) if out.is_file() else {}
        about = document.get("run", {}) | versions() | {"counts": dataclasses.asdict(counts)}
        seconds = about.get("seconds", {}) | {part: time.perf_counter() - began}
        parts_found = {name: document.get(name, []) for name in PARTS} | {part: found}
        document = {"run": about | {"seconds": seconds}, **parts_found}
        whole_file.write(out, compact(rounded(document)).encode())


def main(argv: list[str] | None = None) -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="+", choices=COUNTS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="tiny counts, to see that it runs")
    parser.add_argument("--store", type=Path, default=Path("out/lab"))
    parser.add_argument("--folder", type=Path, default=Path("bench/results"), help="of the results")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    for model in options.models:
        counts = (QUICK if options.quick else COUNTS)[model]
        study(model, counts, options.parts, Store(options.store), options.folder / f"calibration_{model}.json")


if __name__ == "__main__":
    main()
