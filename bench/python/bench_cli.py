"""What `hso` takes from start to end of its process: imports, search and output included.

The answer is checked before it is timed. Writes a JSON with the machine, the command and every row. Run it with the
Python of an environment into which hso is installed (not editable: that adds an import hook to every start).

    python bench/python/bench_cli.py --out bench/results/cli.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import hso
from bench_common import as_time, seconds_of, summary, write_report

BAR_S = 0.150
"""Seconds that `hso optimize` may take for a preset."""
COMMAND = ("optimize", "sd21", "--nfe", "5")
ROWS: dict[str, list[str]] = {
    "python": ["-c", "pass"],
    "numpy": ["-c", "import numpy"],
    "typer": ["-c", "import typer"],
    "hso --version": ["--version"],
    "hso --help": ["--help"],
    "hso presets": ["presets"],
    "hso optimize sd21 --nfe 5": [*COMMAND],
    "hso optimize sd21 --nfe 5 --json": [*COMMAND, "--json"],
    "hso optimize sd21 --nfe 4,5,6,8": ["optimize", "sd21", "--nfe", "4,5,6,8"],
    "hso optimize flux-dev --width 768 --height 512": ["optimize", "flux-dev", "--width", "768", "--height", "512"],
    "hso explain sd21 --nfe 5": ["explain", "sd21", "--nfe", "5"],
    "hso export sd21 comfyui --nfe 5": ["export", "sd21", "comfyui", "--nfe", "5"],
    "hso compare sd21 --nfe 5": ["compare", "sd21", "--nfe", "5"],
}


def words(name: str) -> list[str]:
    """The process's command line; `hso` is the script beside this Python."""
    script = Path(sys.executable).with_name("hso")
    return [str(script) if name.startswith("hso") else sys.executable, *ROWS[name]]


def environment(name: str) -> dict[str, str]:
    """The user's, without what would spare the command its own choice of BLAS threads; NumPy alone gets that choice."""
    rest = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    return {**rest, "OPENBLAS_NUM_THREADS": "1"} if name == "numpy" else rest


def check() -> None:
    """The command prints the library's schedule."""
    process = subprocess.run(
        [*words("hso optimize sd21 --nfe 5"), "--json"], capture_output=True, text=True, check=True
    )
    found = json.loads(process.stdout)["schedules"][0]["sigmas"]
    wanted = hso.optimize(hso.NoiseSchedule.preset("sd21"), 5).sigmas
    if not np.array_equal(found, wanted):
        raise SystemExit(f"hso optimize gives {found}, the library {wanted}")


def row(name: str, runs: int) -> dict[str, Any]:
    """Wall time of whole processes."""
    line, surroundings = words(name), environment(name)

    def once() -> None:
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings)

    once()  # compiles and reads what later runs find in the cache
    return {"what": name, **summary([seconds_of(once) for _ in range(runs)])}


def main() -> None:
    """Runs everything, writes its JSON, prints a line for each row; fails where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=101)
    options = parser.parse_args()
    check()
    rows = [row(name, options.runs) for name in ROWS]
    for each in rows:
        print(f"{each['what']:48s} {as_time(each['median']):>9s}  least {as_time(each['least']):>9s}")
    versions = {name: importlib.metadata.version(name) for name in ("typer", "rich")}
    about = "wall time of whole processes, one after the other; times in seconds"
    write_report(options.out, "bench_cli.py", about, {"bar": BAR_S, "cli_versions": versions, "rows": rows})
    median = next(each["median"] for each in rows if each["what"] == "hso optimize sd21 --nfe 5")
    if median >= BAR_S:
        raise SystemExit(f"hso optimize takes {as_time(median)}, more than {as_time(BAR_S)}")


if __name__ == "__main__":
    main()
