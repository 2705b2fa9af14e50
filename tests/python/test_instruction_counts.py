"""bench/callgrind/compare_counts.py on made-up dumps: more instructions fail, another build is not compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "bench/callgrind"
BUILD = {"compiler": "GNU 12.2.0", "dispatch": "avx2"}


def write_dumps(folder: Path, instructions: dict[str, int], build: dict[str, str] = BUILD) -> None:
    """What the program and Callgrind leave, ten calls a case."""
    folder.mkdir(exist_ok=True)
    printed = {"build": build, "calls": dict.fromkeys(instructions, 10)}
    (folder / "printed.json").write_text(json.dumps(printed), encoding="utf-8")
    (folder / "dump").write_text("desc: Trigger: Program termination\ntotals: 7\n", encoding="utf-8")
    for i, (name, count) in enumerate(instructions.items(), 1):
        text = f"desc: Trigger: Client Request: {name}\n\nfn=(1) main\n1 5\n\ntotals: {10 * count}\n"
        (folder / f"dump.{i}").write_text(text, encoding="utf-8")


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, FOLDER / "compare_counts.py", folder / "dumps", "--counts", folder / "counts.json"]
    return subprocess.run(
        [*command, "--valgrind", "3.19.0", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with stored counts."""
    write_dumps(tmp_path / "dumps", {"mep/10": 1000, "exact/4": 50_000})
    assert compare(tmp_path, "--store").returncode == 0
    return tmp_path


def test_the_same_counts_pass(stored: Path) -> None:
    found = compare(stored)
    assert (found.returncode, found.stdout) == (0, "2 instruction counts are at most 1.0% above the stored\n")


@pytest.mark.parametrize(("count", "fails"), [(1009, False), (1011, True), (991, False)])
def test_more_than_the_tolerance_fails(stored: Path, count: int, fails: bool) -> None:
    write_dumps(stored / "dumps", {"mep/10": count, "exact/4": 50_000})
    found = compare(stored)
    assert found.returncode == fails
    assert (f"mep/10: {count:,} instructions a call" in found.stdout) == fails
    assert "exact/4" not in found.stdout and "keep them" not in found.stdout


def test_fewer_ask_to_be_stored(stored: Path) -> None:
    write_dumps(stored / "dumps", {"mep/10": 900, "exact/4": 50_000})
    found = compare(stored)
    assert found.returncode == 0
    assert "keep them with bench/callgrind/run.sh --store" in found.stdout and "-10.0% from 1,000" in found.stdout


def test_a_case_that_goes_or_comes_fails(stored: Path) -> None:
    write_dumps(stored / "dumps", {"mep/10": 1000, "exact/5": 50_000})
    found = compare(stored)
    assert found.returncode == 1
    assert "exact/4: in counts.json, but not counted any more" in found.stdout
    assert "exact/5: not in counts.json" in found.stdout


def test_another_build_is_not_compared(stored: Path) -> None:
    write_dumps(stored / "dumps", {"mep/10": 2000, "exact/4": 50_000}, {**BUILD, "compiler": "GNU 13.2.0"})
    found = compare(stored)
    assert found.returncode == 0
    assert "not compared" in found.stdout and "compiler GNU 12.2.0 there, GNU 13.2.0 here" in found.stdout


def test_a_dump_that_is_missing_is_an_error(stored: Path) -> None:
    (stored / "dumps" / "dump.2").unlink()
    found = compare(stored)
    assert found.returncode == 1 and "no count of ['exact/4']" in found.stderr


def test_the_stored_counts_are_of_this_kind() -> None:
    stored: dict[str, Any] = json.loads((FOLDER / "counts.json").read_text(encoding="utf-8"))
    assert set(stored["build"]) == {"compiler", "flags", "glibc", "nlopt", "dispatch", "valgrind"}
    assert all(count > 100 for count in stored["instructions"].values())
