"""The tables of README and docs/benchmarks.md are those of bench/results; a failure prints what should be there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README, BENCHMARKS = ROOT / "README.md", ROOT / "docs/benchmarks.md"
MISSED, OTHER = " *", " †"
README_ROWS = {
    "the scheduler's default": ("default", "zero"),
    "uniform t": ("uniform", "zero"),
    "DM-NonUni, stops at t_min": ("DM-NonUni", "t_min"),
    "HSO as published, stops at t_min": ("HSO paper", "t_min"),
    "HSO": ("HSO", "zero"),
}

Table = dict[str, list[str]]


def results(name: str) -> Any:
    return json.loads((ROOT / "bench/results" / name).read_text(encoding="utf-8"))


def tables(page: Path, heading: str) -> list[Table]:
    """The tables below a heading: cells by the name of their row, bold or not."""
    section = re.split(r"^#+ ", page.read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    found: list[Table] = []
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        rows = [[cell.strip() for cell in line[1:-1].replace("**", "").split("|")] for line in block.splitlines()]
        found.append({name: cells for name, *cells in rows[2:]})
    return found


def shown(table: Table) -> str:
    return "\n".join(f"| {name} | " + " | ".join(cells) + " |" for name, cells in table.items())


def duration(row: dict[str, Any]) -> str:
    """The median, three digits with a unit."""
    if "time" not in row:
        return "-"
    seconds = row["time"]["median"]
    scale, unit = next((s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= 0.9995 * s)
    value = seconds / scale
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"


def fitness(row: dict[str, Any]) -> str:
    """F, marked where the spacing is missed and where the ends are others."""
    if "fitness" not in row:
        return "-"
    value = f"{row['fitness']:.6f}" if row["fitness"] < 100.0 else f"{row['fitness']:,.0f}"
    return value + (MISSED if not row["spacing_met"] else "") + (OTHER if not row["ends_in_range"] else "")


@pytest.mark.parametrize(("heading", "cell"), [("Search: time and optimum", duration), ("What they find", fitness)])
def test_searches(heading: str, cell: Callable[[dict[str, Any]], str]) -> None:
    (table,) = tables(BENCHMARKS, heading)
    columns = [column["rows"] for column in results("compare.json")["results"].values()]
    assert set(table) == set(columns[0])
    expected = {name: [cell(rows[name]) for rows in columns] for name in table}
    assert shown(table) == shown(expected), shown(expected)


def test_searches_in_short() -> None:
    """README's sentence: the ranges over 4 to 10 calls."""
    text = " ".join(README.read_text(encoding="utf-8").split())
    stated = re.search(r"takes ([\d.]+) to (\d+) s in SciPy, HSO's certified optimum ([\d.]+) to ([\d.]+) ms", text)
    assert stated is not None
    columns = [column["rows"] for nfe, column in results("compare.json")["results"].items() if int(nfe) <= 10]
    published = [rows["SciPy, as published (trust-constr)"]["time"]["median"] for rows in columns]
    certified = [1e3 * rows["hso exact, certified"]["time"]["median"] for rows in columns]
    expected = (f"{min(published):.1f}", f"{max(published):.0f}", f"{min(certified):.1f}", f"{max(certified):.1f}")
    assert stated.groups() == expected


def images(solver: str, schedule: str, terminal: str) -> list[str]:
    rows = [
        row
        for row in results("demo.json")["distances"]
        if (row["solver"], row["schedule"], row["terminal"]) == (solver, schedule, terminal)
    ]
    return [f"{row['rmse']:.4f} ({row['standard_error']:.4f})" for row in sorted(rows, key=lambda row: row["nfe"])]


def test_images() -> None:
    for solver, table in zip(("UniPC", "DDIM"), tables(BENCHMARKS, "Images"), strict=True):
        expected = {name: images(solver, *name.split(", ")) for name in table}
        assert len(table) == 5 and shown(table) == shown(expected), shown(expected)


def test_images_in_short() -> None:
    (table,) = tables(README, "What it brings")
    expected = {name: images("UniPC", *row) for name, row in README_ROWS.items()}
    assert shown(table) == shown(expected), shown(expected)


def test_cells_in_short() -> None:
    """README's count against uniform t is that of the long table."""
    (table,) = tables(BENCHMARKS, "Six small models")
    better, alike, worse = table["uniform t, trailing, zero"][0].split(" / ")
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert f"better than uniform t in {better} cells, not told apart in {alike}, worse in {worse}" in text
