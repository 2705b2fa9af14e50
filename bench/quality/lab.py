"""The quality lab: does a schedule with a low MEP make better samples?

    python bench/quality/lab.py quick --out bench/results/quality_quick.json
    accelerate launch bench/quality/lab.py full --models sd --out bench/results/quality_sd.json

Every measurement is kept under out/lab by its content: a run that is cut short goes on where it was,
and two processes give the numbers of one. Writes one JSON; report.py makes the page of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import track

import collect
import studies
from classifier import load_classifier
from plan import FULL, QUICK, Plan, Task, tasks
from run import SOLVERS
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
            device = "cpu" if model == "mixture" else str(self.accelerator.device)
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


def run(plan: Plan, store: Store, accelerator: Any, console: Console) -> dict[str, Any] | None:
    """The results document, on the first process; None on the others."""
    lab = Lab(plan, store, accelerator, console)
    document: dict[str, Any] = {"run": plan.as_json() | versions(), **{part: [] for part in collect.PARTS}}
    for model in plan.models:
        subject = lab.subject(model, 0, plan.samples)
        found, left_out = tasks(plan, model, subject.model.noise, subject.check)
        lab.measure(model, found)
        document["left_out"] += left_out
        measured = collect.rows(lab, model, found)
        document["rows"] += measured
        document["floors"] += collect.floors(lab, model)
        document["tests"] += collect.tests(lab, model, found)
        for part, study in studies.STUDIES.items():
            document[part] += study(lab, model)
    return document if accelerator.is_main_process else None


def versions() -> dict[str, Any]:
    """The command, the machine and what it ran with."""
    packages = ("hso", "torch", "diffusers", "numpy", "scipy")
    return {
        "command": " ".join(["python", "bench/quality/lab.py", *sys.argv[1:]]),
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
    parser.add_argument("--premise", type=int, help="random schedules")
    parser.add_argument("--premise-samples", type=int)
    parser.add_argument("--oracle", type=int, help="evaluations of the direct optimization")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each process")
    parser.add_argument("--store", type=Path, default=Path("out/lab"))
    parser.add_argument("--out", type=Path, required=True)
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
    if min(plan.nfe) < 2:
        parser.error(f"--nfe must be at least 2, got {min(plan.nfe)}")
    return plan, options


def main(argv: list[str] | None = None) -> None:
    """Runs the plan and writes its document."""
    plan, options = parse(argv)
    torch.set_num_threads(options.threads)
    console = Console(stderr=True)
    try:
        document = run(plan, Store(options.store), Accelerator(cpu=not torch.cuda.is_available()), console)
    except (FileNotFoundError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    if document is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        draft = options.out.with_suffix(".partial")
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        draft.replace(options.out)
        console.print(f"Wrote {options.out}: {len(document['rows'])} rows")


if __name__ == "__main__":
    main()
