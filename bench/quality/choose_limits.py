"""Why hso's default ends, spacing and exponent are what they are: each varied alone, on every model.

    python bench/quality/choose_limits.py --out bench/results/limits.json

The noises are not those of the lab's report, so that what is chosen here is judged there on others. A row holds
the RMSE to the many-step solution for one value of one setting; the table printed at the end, and the results'
"summary", the geometric mean over models and solvers of the RMSE divided by the default's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import hso
import whole_file
from hso._optimize import Terminal
from lab import versions
from plan import FULL
from run import solvers_for
from store import Store
from subject import Subject

SEED = 500
"""Of the noises, apart from the report's, which count from 0."""
NFE = (4, 5, 8, 10, 20)
DEFAULT = {"last": 1.5, "spacing": 0.75, "first": 1.0, "p": None, "terminal": "zero"}
"""last: the last node's VE sigma times nfe / shift. spacing: share of d_min(nfe). first: the first node's t. p: None
is the family's."""
VALUES: dict[str, tuple[Any, ...]] = {
    "last": (0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
    "spacing": (0.0, 0.25, 0.5, 0.75, 1.0),
    "first": (1.0, 0.98, 0.96),
    "p": (0.0, 1.0, 1.5, 2.0),
    "terminal": ("zero", "skip", "t_min"),
}

Row = dict[str, Any]


def variants() -> Iterator[tuple[str, Any]]:
    """Each setting with each of its values."""
    for setting, values in VALUES.items():
        for value in values:
            yield setting, value


def schedule(noise: hso.NoiseSchedule, nfe: int, changes: dict[str, Any]) -> hso.Schedule:
    """The optimum with the default settings but for `changes`. ValueError where nothing fits."""
    chosen = DEFAULT | changes
    terminal: Terminal = chosen["terminal"]
    first = float(np.clip(noise.shifted(chosen["first"]), *noise.t_range))
    ends: dict[str, Any] = {"t_max": (first, first)}
    if terminal == "zero":
        last = float(noise.t(np.clip(np.log(nfe / (chosen["last"] * noise.shift)), *noise.lambda_range)))
        ends["t_min"] = (last, last)
    if chosen["spacing"] != DEFAULT["spacing"]:
        ends["d_min"] = chosen["spacing"] * hso.d_min(nfe)
    return hso.optimize(noise, nfe, terminal=terminal, p=chosen["p"], gap=None, **ends)


def rows_of(subject: Subject, solver: str, nfe: int) -> Iterator[Row]:
    """One row for every variant that fits and that the scheduler takes."""
    for setting, value in variants():
        try:
            made = schedule(subject.model.noise, nfe, {setting: value})
            subject.check(solver, made)
        except ValueError:
            continue
        rmse = float(np.mean(subject.measure(solver, made)["rmse"]))
        cell = {"model": subject.name, "solver": solver, "nfe": nfe, "n": subject.count}
        yield cell | {"setting": setting, "value": value, "rmse": rmse}


def summary(rows: list[Row]) -> list[Row]:
    """For each setting, value and nfe the geometric mean of the ratio to the default over models and solvers."""
    default = {_cell(row): row["rmse"] for row in rows if row["setting"] == "last" and row["value"] == DEFAULT["last"]}
    found = []
    for setting, value in variants():
        mine = [row for row in rows if (row["setting"], row["value"]) == (setting, value)]
        for nfe in sorted({row["nfe"] for row in mine}):
            ratios = [row["rmse"] / default[_cell(row)] for row in mine if row["nfe"] == nfe]
            mean = float(np.exp(np.mean(np.log(ratios))))
            found.append(
                {"setting": setting, "value": value, "nfe": nfe, "cells": len(ratios)}
                | {"ratio": mean, "least": min(ratios), "most": max(ratios)}
            )
    return found


def _cell(row: Row) -> tuple[Any, ...]:
    return row["model"], row["solver"], row["nfe"]


def show(console: Console, found: list[Row]) -> None:
    """The summary as a table."""
    nfes = sorted({row["nfe"] for row in found})
    table = Table("setting", "value", *(f"nfe {nfe}" for nfe in nfes), title="RMSE over the default's, geometric mean")
    for setting, value in variants():
        cells = {row["nfe"]: row for row in found if (row["setting"], row["value"]) == (setting, value)}
        table.add_row(setting, str(value), *(f"{cells[nfe]['ratio']:.3f}" if nfe in cells else "" for nfe in nfes))
    console.print(table)


def main() -> None:
    """Measures, writes and shows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", choices=FULL.models, default=list(FULL.models))
    parser.add_argument("--samples", type=int, default=16, help="images a schedule")
    parser.add_argument("--store", type=Path, default=Path("out/lab"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(stderr=True)
    rows: list[Row] = []
    for model in options.models:
        subject = Subject(model, SEED, options.samples, Store(options.store))
        solvers = [solver for solver in solvers_for(model) if solver in ("DDIM", "Euler", "DPM++ 2M", "UniPC-2")]
        cells = [(solver, nfe) for solver in solvers for nfe in NFE]
        for solver, nfe in track(cells, description=model, console=console):
            rows += rows_of(subject, solver, nfe)
    found = summary(rows)
    document = {"run": versions() | {"seed": SEED, "n": options.samples}, "summary": found, "rows": rows}
    whole_file.write(options.out, (json.dumps(document, indent=1) + "\n").encode())
    show(console, found)


if __name__ == "__main__":
    main()
