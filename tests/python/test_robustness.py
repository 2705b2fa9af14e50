"""What docs/robustness.md promises: nothing from a file is run, sizes are bounded, the numbers are those measured."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hso

ROOT = Path(__file__).parents[2]
SOURCES = [*sorted((ROOT / "python/hso").rglob("*.py")), *sorted((ROOT / "integrations").rglob("*.py"))]
RUNS_CODE = {"eval", "exec", "compile", "__import__"}
MODULES = {
    *("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "code", "codeop", "runpy"),
    *("subprocess", "ctypes", "socket", "ssl", "http", "urllib", "requests", "ftplib", "smtplib"),
}
"""That run what they read, start programs or reach a network."""
ATTRIBUTES = {"system", "popen", "spawnv", "execv", "execve", "fork", "import_module"}
"""Of os and importlib."""
IMPORTERS = {
    "python/hso/__init__.py",  # names of this package, from a table in the file
    "python/hso/cli/_group.py",  # its commands
    "python/hso/cli/calibrate.py",  # torch's and diffusers' logging
    "python/hso/diffusers/_libraries.py",  # the optional libraries
    "integrations/comfyui/hso_schedule/package.py",  # hso
}
"""Files that import by name, and whose names."""


def offences(path: Path, tree: ast.AST) -> Iterator[str]:
    """What a file must not do: one line each."""
    name = path.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = {alias.name.split(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found = {(node.module or "").split(".")[0]} & MODULES if not node.level else set()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = {node.func.id} & (RUNS_CODE | ATTRIBUTES)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found = {node.func.attr} & ATTRIBUTES
            if node.func.attr == "load" and ast.unparse(node.func.value) in {"torch", "np", "numpy"}:
                found = {f"{ast.unparse(node.func.value)}.load"}
        else:
            continue
        yield from (f"{name}:{node.lineno} {what}" for what in sorted(found))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_runs_what_it_reads_or_reaches_out(path):
    found = list(offences(path, ast.parse(path.read_text(encoding="utf-8"))))
    if path.relative_to(ROOT).as_posix() in IMPORTERS:
        found = [line for line in found if not line.endswith(" import_module")]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "eval('1')",
            "exec(x)",
            "__import__('os')",
            "import pickle",
            "from pickle import loads",
            "import torch.x, yaml",
        ),
        *("os.system('ls')", "importlib.import_module(x)", "from importlib import import_module\nimport_module(x)"),
        *("torch.load(x)", "np.load(x)", "import urllib.request", "from subprocess import run"),
    ],
)
def test_the_search_for_them_finds_them(text):
    assert list(offences(Path("x.py"), ast.parse(text)))


def test_a_schedule_file_with_code_in_it_is_data(tmp_path):
    path = tmp_path / "schedule.json"
    hso.optimize(hso.NoiseSchedule.preset("sd21"), 4).save(path)
    written = tmp_path / "written"
    for code in ("__import__('os').mkdir", "!!python/object/apply:os.mkdir"):
        document = json.loads(path.read_text(encoding="utf-8"))
        document["family"] = f"{code}({str(written)!r})"
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(ValueError, match=r"family|conventions"):
            hso.Schedule.load(bad)
    pickled = tmp_path / "pickled.json"
    pickled.write_bytes(b"cos\nmkdir\n(S'" + str(written).encode() + b"'\ntR.")
    with pytest.raises(ValueError, match="is no schedule file"):
        hso.Schedule.load(pickled)
    assert not written.exists()


def test_what_is_too_large_is_refused_before_any_work():
    noise = hso.NoiseSchedule.preset("sd21")
    for nfe, options, limit in [
        (10_001, {}, "nfe must be in 1..10000"),
        (10**6, {}, "nfe must be in 1..10000"),
        (10**30, {}, "nfe must be in 1..10000"),
        (1001, {"search": "bilevel", "local": "slsqp"}, "nfe must be at most 1000"),
        (1001, {"objective": "dm_nonuni"}, "nfe must be at most 1000"),
        (4, {"search": "bilevel", "threads": 1025}, "threads must be in 0..1024"),
    ]:
        with pytest.raises(ValueError, match=limit):
            hso.optimize(noise, nfe, **options)


@pytest.mark.slow
def test_ten_million_entries_are_a_noise_schedule_like_any_other():
    entries = 10_000_000
    noise = hso.NoiseSchedule.from_betas(np.linspace(5.0, 10.0, entries) / entries)
    schedule = hso.optimize(noise, 10)
    coarse = hso.NoiseSchedule.from_betas(np.linspace(5.0, 10.0, 10_000) / 10_000)
    assert schedule.status == "converged"
    assert schedule.fitness == pytest.approx(hso.optimize(coarse, 10).fitness, rel=1e-2)


def table_of_the_page(heading: str) -> dict[str, list[str]]:
    """The table below a heading of docs/robustness.md: cells by the name of their row."""
    text = (ROOT / "docs/robustness.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in re.findall(r"^\|.*$", section, re.MULTILINE)]
    return {name: cells for name, *cells in lines[2:]}


def test_the_table_of_sizes_is_what_was_measured():
    as_time = importlib.import_module("bench_common").as_time
    measured = json.loads((ROOT / "bench/results/sizes.json").read_text(encoding="utf-8"))["rows"]
    wanted = {
        row["what"]: [as_time(row["seconds"]), f"{row['mb']:.0f} MB"] if "mb" in row else ["-", "refused"]
        for row in measured
    }
    shown = "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in wanted.items())
    assert table_of_the_page("Sizes") == wanted, f"the table should be\n{shown}"


def test_the_table_of_fuzzing_is_what_was_run():
    targets = json.loads((ROOT / "bench/results/fuzz.json").read_text(encoding="utf-8"))["targets"]
    wanted = {
        target["name"]: [
            target["what"],
            f"{target['executions']:,}",
            f"{target['cpu_seconds'] / 60:.0f} min",
            str(target["crashes"]),
        ]
        for target in targets
    }
    shown = "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in wanted.items())
    assert table_of_the_page("Fuzzing") == wanted, f"the table should be\n{shown}"
    assert {target["name"] for target in targets} == {path.name for path in (ROOT / "tests/fuzz/corpus").iterdir()}
