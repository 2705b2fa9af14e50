#!/usr/bin/env python3
"""Compares the instructions that each case took with those in counts.json; fails where there are more.

Counts are the same from run to run (to about 0.1 %), so a small tolerance finds what a clock would not. They depend on
compiler, flags, C library, NLopt, Valgrind and the vectors that it offers: where one of these is another than in
counts.json, nothing is compared.

    bench/callgrind/run.sh            # builds, counts, compares; with --store: writes counts.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 0.01
STORED = Path(__file__).with_name("counts.json")

Counts = dict[str, Any]
"""`build`: what the counts depend on, `instructions`: of one call, by the case's name."""


def read_dumps(folder: Path, valgrind: str) -> Counts:
    """What the program printed (`printed.json`) and Callgrind's dumps (`dump.*`) say."""
    printed = json.loads((folder / "printed.json").read_text(encoding="utf-8"))
    instructions = {}
    for dump in folder.glob("dump.*"):
        text = dump.read_text(encoding="utf-8")
        case = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
        totals = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if case and totals:
            instructions[case[1]] = round(int(totals[1]) / printed["calls"][case[1]])
    if instructions.keys() != printed["calls"].keys():
        raise SystemExit(f"no count of {sorted(printed['calls'].keys() - instructions.keys())}")
    return {
        "build": {**printed["build"], "valgrind": valgrind},
        "instructions": {name: instructions[name] for name in printed["calls"]},
    }


def other_build(measured: Counts, stored: Counts) -> list[str]:
    """In what the two builds differ."""
    names = sorted(measured["build"].keys() | stored["build"].keys())
    pairs = [(name, stored["build"].get(name), measured["build"].get(name)) for name in names]
    return [f"{name} {then} there, {now} here" for name, then, now in pairs if then != now]


def compare(measured: Counts, stored: Counts, tolerance: float) -> tuple[list[str], list[str]]:
    """What is wrong, and what is only worth a word."""
    faults, remarks = [], []
    now, then = measured["instructions"], stored["instructions"]
    faults += [f"{name}: in counts.json, but not counted any more" for name in then if name not in now]
    faults += [f"{name}: not in counts.json" for name in now if name not in then]
    for name in (name for name in now if name in then):
        change = now[name] / then[name] - 1.0
        said = f"{name}: {now[name]:,} instructions a call, {change:+.1%} from {then[name]:,}"
        if change > tolerance:
            faults.append(said)
        elif change < -tolerance:
            remarks.append(said)
    return faults, remarks


def main() -> int:
    """0 if nothing is wrong, or nothing can be compared; 1 otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where printed.json and Callgrind's dumps are")
    parser.add_argument("--valgrind", required=True, help="its version")
    parser.add_argument("--counts", type=Path, default=STORED, help="the stored counts")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"relative; {TOLERANCE} if not given")
    parser.add_argument("--store", action="store_true", help="write the stored counts instead of comparing with them")
    options = parser.parse_args()
    measured = read_dumps(options.folder, options.valgrind)
    if options.store:
        options.counts.write_text(
            json.dumps({"command": "bench/callgrind/run.sh --store", **measured}, indent=1) + "\n", encoding="utf-8"
        )
        print(f"{len(measured['instructions'])} counts stored")
        return 0
    stored = json.loads(options.counts.read_text(encoding="utf-8"))
    if differences := other_build(measured, stored):
        print("instruction counts are not compared, the stored ones are of another build: " + "; ".join(differences))
        return 0
    faults, remarks = compare(measured, stored, options.tolerance)
    if faults:
        print(f"More instructions than stored (by {options.tolerance:.1%}), or other cases:", *faults, sep="\n  ")
        print("If that is meant: bench/callgrind/run.sh --store, and say why in the commit.")
    if remarks:
        print("Fewer instructions than stored; keep them with bench/callgrind/run.sh --store:", *remarks, sep="\n  ")
    if not faults:
        counted = len(measured["instructions"])
        print(f"{counted} instruction counts are at most {options.tolerance:.1%} above the stored")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
