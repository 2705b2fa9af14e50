"""The quality lab: does a schedule with a low MEP make better samples?

    python bench/quality/lab.py quick --out bench/results/quality_quick.json
    accelerate launch bench/quality/lab.py full --models sd --out bench/results/quality_sd.json

Every measurement is kept under out/lab by its content: a run that is cut short goes on where it was,
and two processes give the numbers of one. Writes the results, and beside them the page that shows them
with what the schedules make of the same noise: report.py's page, with sample grids.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import track

import collect
import lab_grids
import report
import report_document
import studies
import whole_file
from classifier import load_classifier
from plan import FULL, QUICK, Plan, Task, tasks
from run import SOLVERS, kept_as
from store import Store
from subject import Features, Subject, test_features

RUNS = {"quick": QUICK, "full": FULL}


class Lab:
    """The subjects of a plan, and this process's share of the work."""

    def __init__(self, plan: Plan, store: Store, accelerator: Any, console: Console) -> None:
        self.plan, self.store, self.accelerator, self.console = plan, store, accelerator, console
        self._against: Features | None = None
        self._subjects: dict[tuple[str, int, int], Subject] = {}

    def subject(self, model: str, seed: int, count: int) -> Subject:
        """A model with a bank of noise; all share the test set's features."""
        if self._against is None:
            self._against = test_features(load_classifier())
        key = (model, seed, count)
        if key not in self._subjects:
            device = "cpu" if kept_as(model) == "mixture" else str(self.accelerator.device)
            self._subjects[key] = Subject(model, seed, count, self.store, device=device, against=self._against)
        return self._subjects[key]

    def share(self, work: list[Any], what: str) -> Any:
        """This process's part of the work, with a progress bar on the first process."""
        mine = work[self.accelerator.process_index :: self.accelerator.num_processes]
        first = self.accelerator.is_main_process
        return track(mine, description=what, console=self.console, disable=not first)

    def measure(self, model: str, found: list[Task]) -> None:
        """Measures every task on every seed; afterwards all of them are in the store, whoever measured them."""
        for seed in range(self.plan.seeds):
            subject = self.subject(model, seed, self.plan.samples)
            if self.accelerator.is_main_process:
                _ = subject.solution
            self.accelerator.wait_for_everyone()
            for _, solver, _, _, _, schedule in self.share(found, f"{model}, seed {seed}"):
                subject.measure(solver, schedule)
        self.accelerator.wait_for_everyone()


class Results(NamedTuple):
    """A run's document, and sample grids: PNG files' bytes by title."""

    document: dict[str, Any]
    grids: dict[str, bytes]


def run(name: str, plan: Plan, store: Store, accelerator: Any, console: Console) -> Results | None:
    """The results of a plan under the run's name, on the first process; None on the others.

    "seconds" is the wall time of this run; what was in the store took none of it.
    """
    began = time.perf_counter()
    lab = Lab(plan, store, accelerator, console)
    about: dict[str, Any] = {"name": name, "seconds": 0.0} | plan.as_json() | versions()
    document: dict[str, Any] = {"run": about, **{part: [] for part in collect.PARTS}}
    grids: dict[str, bytes] = {}
    for model in plan.models:
        subject = lab.subject(model, 0, plan.samples)
        found, left_out = tasks(plan, model, subject.model.noise, subject.check)
        lab.measure(model, found)
        document["left_out"] += left_out
        document["rows"] += collect.rows(lab, model, found)
        document["floors"] += collect.floors(lab, model)
        document["tests"] += collect.tests(lab, model, found)
        for part, study in studies.STUDIES.items():
            document[part] += study(lab, model)
        if accelerator.is_main_process:
            grids |= lab_grids.grids(lab, model, found)
    about["seconds"] = round(time.perf_counter() - began, 1)
    return Results(document, grids) if accelerator.is_main_process else None


def write(results: Results, out: Path) -> None:
    """The document, and the page beside it. Raises StorageError where there is no room or no way."""
    document = rounded(results.document)
    whole_file.write(out, compact(document).encode())
    page = report.render(report_document.parse(document), results.grids)
    whole_file.write(out.with_suffix(".html"), page.encode())


def rounded(value: Any) -> Any:
    """Numbers to 7 digits: float32 has no more, and the files of a full run half the size."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def compact(document: dict[str, Any]) -> str:
    """JSON with a line for each row."""
    parts = []
    for name, value in document.items():
        rows = ",\n".join(json.dumps(row) for row in value) if isinstance(value, list) else None
        parts.append(f"{json.dumps(name)}: " + (json.dumps(value) if rows is None else f"[\n{rows}\n]"))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def versions() -> dict[str, Any]:
    """The command, the machine and what it ran with."""
    packages = ("hso", "torch", "diffusers", "numpy", "scipy")
    return {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def parse(argv: list[str] | None) -> tuple[Plan, argparse.Namespace]:
    """The plan of the named run, with what the command line changes in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", choices=sorted(RUNS))
    parser.add_argument("--models", nargs="+", choices=FULL.models)
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS)
    parser.add_argument("--nfe", nargs="+", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--samples", type=int, help="images a seed")
    parser.add_argument("--premise", type=int, help="random schedules with the paper's limits")
    parser.add_argument("--interior", type=int, help="random schedules between hso's own ends")
    parser.add_argument("--premise-samples", type=int)
    parser.add_argument("--oracle", type=int, help="evaluations of the direct optimization")
    parser.add_argument("--oracle-samples", type=int)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each process")
    parser.add_argument("--store", type=Path, default=Path("out/lab"))
    parser.add_argument("--out", type=Path, required=True, help="the results, .json; the page, .html, goes beside them")
    options = parser.parse_args(argv)
    changes: dict[str, Any] = {
        field.name: tuple(value) if isinstance(value, list) else value
        for field in dataclasses.fields(Plan)
        if (value := getattr(options, field.name, None)) is not None
    }
    plan = dataclasses.replace(RUNS[options.run], **changes)
    for name, least in (("seeds", 2), ("samples", 4)):
        if getattr(plan, name) < least:
            parser.error(f"--{name} must be at least {least}, got {getattr(plan, name)}")
    for name in ("premise", "interior"):
        if getattr(plan, name) == 1 or getattr(plan, name) < 0:
            parser.error(f"--{name} must be 0 or at least 2, for a correlation, got {getattr(plan, name)}")
    if options.out.suffix != ".json":
        parser.error(f"--out must end in .json, got {options.out}")
    if min(plan.nfe) < 2:
        parser.error(f"--nfe must be at least 2, got {min(plan.nfe)}")
    return plan, options


def main(argv: list[str] | None = None) -> None:
    """Runs the plan and writes its document."""
    plan, options = parse(argv)
    torch.set_num_threads(options.threads)
    console = Console(stderr=True)
    name = f"{options.run}: {', '.join(plan.models)}"
    try:
        # Before the hours that are lost on a folder that cannot be made.
        options.out.parent.mkdir(parents=True, exist_ok=True)
        results = run(name, plan, Store(options.store), Accelerator(cpu=not torch.cuda.is_available()), console)
        if results is not None:
            write(results, options.out)
    except OSError as error:
        raise SystemExit(f"error: {error}") from error
    if results is not None:
        page = options.out.with_suffix(".html")
        console.print(f"Wrote {options.out}, {len(results.document['rows'])} rows, and {page}")


if __name__ == "__main__":
    main()
