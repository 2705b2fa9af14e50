"""Writes the numbers of bench/results into the documents: tables of searches and images, and the sentences about them.

A table's row is found by its name below the table's heading, a number in a sentence by the words around it; both stay
as they are. Words that no longer fit are not found: the text has to be changed here and there.

    python bench/python/document_numbers.py            # rewrites what is out of date
    python bench/python/document_numbers.py --check    # says what is, and fails
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COUNTS = ROOT / "bench/callgrind/counts.json"
MISSED, OTHER = " *", " †"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Row = dict[str, Any]
Table = dict[str, list[str]]
Numbers = dict[str, str]


class Results:
    """The files of bench/results, read when they are asked for."""

    def __init__(self, root: Path = ROOT) -> None:
        self.folder = root / "bench/results"
        self._files: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._files:
            text = (self.folder / name).read_text(encoding="utf-8")
            self._files[name] = json.loads(text) if name.endswith(".json") else text
        return self._files[name]

    def searches(self, nfe: int) -> dict[str, Row]:
        """compare.json's rows."""
        rows: dict[str, Row] = self["compare.json"]["results"][str(nfe)]["rows"]
        return rows

    def nfes(self) -> list[int]:
        """compare.json's columns."""
        return [int(nfe) for nfe in self["compare.json"]["results"]]

    def micro(self, name: str) -> float:
        """Median seconds of a microbenchmark."""
        for row in self["micro.json"]["benchmarks"]:
            if row["name"] == name:
                return float(row["median"])
        raise KeyError(f"micro.json has no {name}")

    def python(self, name: str) -> float:
        """Median seconds of a benchmark of the Python suite."""
        for row in self["python.json"]["benchmarks"]:
            if row["name"] == name:
                return float(row["median"])
        raise KeyError(f"python.json has no {name}")

    def scaling(self, series: str, nfe: int) -> float:
        """Median seconds of a row of scaling.json."""
        rows = self["scaling.json"]["small"] + self["scaling.json"]["large"]
        return next(float(row["time"]["median"]) for row in rows if (row["series"], row["nfe"]) == (series, nfe))

    def heap(self, search: str, nfe: int) -> int:
        """Bytes that a search took at its peak, NLopt's share included."""
        found = re.search(
            rf"^{re.escape(search)} nfe {nfe}: peak (\d+) .* grown by (-?\d+)", self["memory.txt"], re.MULTILINE
        )
        if found is None:
            raise KeyError(f"memory.txt has no {search}, nfe {nfe}")
        return int(found[1]) + (int(found[2]) if "slsqp" in search else 0)

    def images(self, solver: str, schedule: str, terminal: str) -> list[str]:
        """The RMSE of demo.json, by nfe."""
        rows = [
            row
            for row in self["demo.json"]["distances"]
            if (row["solver"], row["schedule"], row["terminal"]) == (solver, schedule, terminal)
        ]
        return [f"{row['rmse']:.4f} ({row['standard_error']:.4f})" for row in sorted(rows, key=lambda row: row["nfe"])]


def digits(value: float, count: int) -> str:
    """So many digits, thousands apart: 291,584 -> 292,000, 0.0831 -> 0.083."""
    places = count - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}"


def duration(row: Row) -> str:
    """The median, three digits with a unit."""
    if "time" not in row:
        return "-"
    seconds = row["time"]["median"]
    scale, unit = next((s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= 0.9995 * s)
    value = seconds / scale
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"


def fitness(row: Row) -> str:
    """F, marked where the spacing is missed and where the ends are others."""
    if "fitness" not in row:
        return "-"
    value = f"{row['fitness']:.6f}" if row["fitness"] < 100.0 else f"{row['fitness']:,.0f}"
    return value + (MISSED if not row["spacing_met"] else "") + (OTHER if not row["ends_in_range"] else "")


@dataclass(frozen=True)
class TableOf:
    """A table below a heading, the `number`-th there; `cells` gives all rows by their names."""

    page: str
    heading: str
    cells: Callable[[Results], Table]
    number: int = 0

    def rewritten(self, text: str, results: Results) -> str:
        """The page with this table's cells; SystemExit if its rows are not those that there are."""
        start = text.index(f"# {self.heading}\n")
        end = re.compile(r"^#+ ", re.MULTILINE).search(text, start + len(self.heading) + 2)
        section = text[start : end.start() if end else len(text)]
        block = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[self.number]
        head, rule, *lines = block.splitlines()
        names = [line.split("|")[1].strip() for line in lines]
        expected = self.cells(results)
        bare = [name.strip("*") for name in names]
        if sorted(bare) != sorted(expected):
            raise SystemExit(
                f"{self.page}, {self.heading}: the rows are {sorted(bare)} and should be {sorted(expected)}"
            )
        bold = self._bold(lines)
        rows = []
        for i, name in enumerate(names):
            cells = [f"**{cell}**" if bold and (i, j) in bold else cell for j, cell in enumerate(expected[bare[i]])]
            rows.append(f"| {name} | " + " | ".join(cells) + " |")
        return text.replace(block, "\n".join([head, rule, *rows]) + "\n", 1)

    @staticmethod
    def _bold(lines: list[str]) -> set[tuple[int, int]]:
        """The least of each column where the table has any bold cell: (row, column)."""
        cells = [[cell.strip() for cell in line.split("|")[2:-1]] for line in lines]
        if not any("**" in cell for row in cells for cell in row):
            return set()
        plain = [[float(re.sub(r"[*]|\(.*", "", cell)) for cell in row] for row in cells]
        return {(min(range(len(plain)), key=lambda i: plain[i][j]), j) for j in range(len(plain[0]))}


NUMBER = r"-?[\d,]*\.?\d+|" + "|".join(WORDS)


@dataclass(frozen=True)
class Sentence:
    """Words with {names} where numbers stand, and those numbers."""

    page: str
    words: str
    numbers: Callable[[Results], Numbers]

    def pattern(self) -> re.Pattern[str]:
        """The words over line ends."""
        parts = re.split(r"\{(\w+)\}", " ".join(self.words.split()))
        literal = [re.escape(part).replace(r"\ ", r"\s+") for part in parts[::2]]
        names = [f"(?P<{name}>{NUMBER})" for name in parts[1::2]]
        return re.compile("".join(a + b for a, b in zip(literal, [*names, ""], strict=True)))

    def rewritten(self, text: str, results: Results) -> str:
        """The page with this sentence's numbers; SystemExit if the words are not there exactly once."""
        found = list(self.pattern().finditer(text))
        if len(found) != 1:
            raise SystemExit(f"{self.page} has {len(found)} times: {self.words}")
        numbers = self.numbers(results)
        for name in sorted(numbers, key=found[0].start, reverse=True):
            start, end = found[0].span(name)
            text = text[:start] + numbers[name] + text[end:]
        return text


def search_table(cell: Callable[[Row], str]) -> Callable[[Results], Table]:
    """A row for each method of compare.json, a column for each nfe."""

    def cells(results: Results) -> Table:
        names = results.searches(results.nfes()[0])
        return {name: [cell(results.searches(nfe)[name]) for nfe in results.nfes()] for name in names}

    return cells


def image_table(solver: str, rows: dict[str, tuple[str, str]]) -> Callable[[Results], Table]:
    """demo.json's rows under the names that the table has for them."""
    return lambda results: {name: results.images(solver, *row) for name, row in rows.items()}


def _named(*rows: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return {f"{schedule}, {terminal}": (schedule, terminal) for schedule, terminal in rows}


PUBLISHED, NLOPT = "SciPy, as published (trust-constr)", "NLopt SLSQP on all nodes, no upper level"
EXACT, CERTIFIED = "hso exact", "hso exact, certified"


def threads_table(results: Results) -> Table:
    """Calls a second of one Python thread and of two."""
    rows = results["threads.json"]["rows"]
    return {row["what"]: [f"{row['one']:,.0f}", f"{row['two']:,.0f}", f"{row['gain']:.2f}"] for row in rows}


def _seconds(results: Results, name: str, most_nfe: int = 1000) -> list[float]:
    rows = [results.searches(nfe)[name] for nfe in results.nfes() if nfe <= most_nfe]
    return [row["time"]["median"] for row in rows if "time" in row]


def _over_exact(results: Results) -> Numbers:
    at5, at10 = results.searches(5), results.searches(10)
    return {
        "at5": digits(at5[PUBLISHED]["over_exact"], 3),
        "at10": digits(at10[PUBLISHED]["over_exact"], 3),
        "lower": f"{100.0 * (1.0 - at5[EXACT]['fitness'] / at5[PUBLISHED]['fitness']):.0f}",
        "orders": WORDS[math.floor(math.log10(at10[PUBLISHED]["fitness"] / at10[EXACT]["fitness"]))],
    }


def _nlopt(results: Results) -> Numbers:
    ratios = [results.searches(nfe)[NLOPT]["over_exact"] for nfe in results.nfes()]
    return {"least": f"{min(ratios):.0f}", "most": f"{max(ratios):.0f}"}


def _calls(results: Results) -> Numbers:
    cost = results["scaling.json"]["call_cost"]
    return {
        "added": f"{1e6 * cost['added_by_python']['p50']:.0f}",
        "calls": f"{cost['calls']:,}",
        "p99": f"{cost['core']['p99_over_p50']:.1f}",
        "list": f"{results['scaling.json']['list_call']['list_over_largest']:.1f}",
    }


def _large(results: Results) -> Numbers:
    at = {nfe: 1e3 * results.scaling("exact, d_min 0", nfe) for nfe in (100, 1000)}
    return {"hundred": digits(at[100], 2), "thousand": digits(at[1000], 2)}


def _mep(results: Results) -> Numbers:
    single, batch = results.micro("mep_gradient/10"), results.micro("mep_gradient_batch/vp_p2/64") / (64 * 10)
    return {"single": f"{1e9 * single:.0f}", "batch": f"{1e9 * batch:.1f}"}


def _heap(results: Results) -> Numbers:
    bilevel = [results.heap(f"bilevel ({local})", nfe) for local in ("newton", "slsqp") for nfe in (5, 10, 20, 50)]
    return {
        "ten": f"{results.heap('exact (newton)', 10) / 1e6:.2f}",
        "fifty": f"{results.heap('exact (newton)', 50) / 1e6:.1f}",
        "bilevel": f"{math.ceil(max(bilevel) / 1e5) / 10:.1f}",
    }


def _in_short(results: Results) -> Numbers:
    published, certified = _seconds(results, PUBLISHED, 10), _seconds(results, CERTIFIED, 10)
    return {
        "least": f"{min(published):.1f}",
        "most": f"{max(published):.0f}",
        "fast": f"{1e3 * min(certified):.1f}",
        "slow": f"{1e3 * max(certified):.1f}",
    }


def _interfaces(results: Results) -> Numbers:
    seconds = {
        "python": results.python("optimize[exact-8]"),
        "cpp": results.micro("optimize/exact/8"),
        "kept": results.micro("optimize/exact_in_workspace/8"),
    }
    return {name: f"{1e6 * value:.0f}" for name, value in seconds.items()}


def _python(results: Results) -> Numbers:
    names = {"betas": "noise[from_betas-1000]", "many": "noise[from_betas-10000]"}
    exports = [row["name"] for row in results["python.json"]["benchmarks"] if row["name"].startswith("export[")]
    seconds = {name: results.python(row) for name, row in names.items()}
    seconds |= {name: results.python(name) for name in ("save", "load", "explain")}
    seconds["export"] = max(results.python(name) for name in exports)
    return {name: f"{1e6 * value:.0f}" for name, value in seconds.items()}


def _request(results: Results) -> Numbers:
    certified, exact = (results.micro(f"optimize_kind/flow_request{kind}/6") for kind in ("_certified", ""))
    return {"certified": f"{1e3 * certified:.1f}", "exact": f"{1e6 * exact:.0f}"}


def _certified(results: Results) -> Numbers:
    few = [results.searches(nfe)[CERTIFIED]["time"]["median"] for nfe in (5, 10)]
    return {
        "few": f"{1e3 * max(few):.1f}",
        "twenty": f"{1e3 * results.searches(20)[CERTIFIED]['time']['median']:.0f}",
        "hundred": f"{results.scaling('exact, certified, d_min 0', 100):.2f}",
        "many": f"{results.scaling('exact, certified, d_min 0', 200):.1f}",
    }


def _handover(results: Results) -> Numbers:
    rows = results["handover.json"]["rows"]
    first = [1e3 * row["first"]["median"] for row in rows]
    return {
        "least": f"{min(first):.1f}",
        "most": f"{max(first):.1f}",
        "set": f"{max(1e3 * row['set_timesteps']['median'] for row in rows):.1f}",
    }


def _calibration(results: Results) -> Numbers:
    rows = [
        row for row in results["calibration.json"]["rows"] if row.get("budget") == 8192 and "optimize" in row["what"]
    ]
    chains = next(row for row in results["calibration.json"]["rows"] if "through 1000 points" in row["what"])
    times = [1e3 * row["median"] for row in rows]
    return {"least": f"{min(times):.1f}", "most": f"{max(times):.1f}", "chains": f"{1e3 * chains['median']:.1f}"}


README, BENCHMARKS = "README.md", "docs/benchmarks.md"

TABLES = (
    TableOf(BENCHMARKS, "Search: time and optimum", search_table(duration)),
    TableOf(BENCHMARKS, "What they find", search_table(fitness)),
    TableOf(
        BENCHMARKS,
        "Images",
        image_table(
            "UniPC",
            _named(
                ("default", "zero"),
                ("uniform", "zero"),
                ("DM-NonUni", "t_min"),
                ("HSO paper", "t_min"),
                ("HSO", "zero"),
            ),
        ),
    ),
    TableOf(
        BENCHMARKS,
        "Images",
        image_table(
            "DDIM",
            _named(
                ("default", "zero"), ("uniform", "zero"), ("DM-NonUni", "zero"), ("HSO paper", "zero"), ("HSO", "zero")
            ),
        ),
        number=1,
    ),
    TableOf(
        README,
        "What it brings",
        image_table(
            "UniPC",
            {
                "the scheduler's default": ("default", "zero"),
                "uniform t": ("uniform", "zero"),
                "DM-NonUni, stops at t_min": ("DM-NonUni", "t_min"),
                "HSO as published, stops at t_min": ("HSO paper", "t_min"),
                "HSO": ("HSO", "zero"),
            },
        ),
    ),
    TableOf("docs/threads.md", "Threads", threads_table),
)

SENTENCES = (
    Sentence(
        BENCHMARKS,
        "At nfe 5 `exact` is {at5} times as fast as the published algorithm in SciPy and at nfe 10 {at10} times, at an "
        "F that is lower by {lower} % and by {orders} orders of magnitude.",
        _over_exact,
    ),
    Sentence(BENCHMARKS, "finds the same optimum for p = 2, {least} to {most} times slower.", _nlopt),
    Sentence(
        BENCHMARKS,
        "The Python layer adds {added} us to a call; of {calls} calls at nfe 10 the core's p99 is {p99} times its "
        "median. A list of nfe 4, 5, 6, 8 takes {list} times as long as nfe 8 alone.",
        _calls,
    ),
    Sentence(
        BENCHMARKS,
        "Two threads make `bilevel` with SLSQP at nfe 20 {ratio} times faster.",
        lambda results: {"ratio": f"{results['scaling.json']['two_threads']['ratio']:.1f}"},
    ),
    Sentence(BENCHMARKS, "`exact` is linear in nfe ({hundred} ms at 100, {thousand} ms at 1000;", _large),
    Sentence(
        BENCHMARKS,
        "MEP with its gradient takes {single} ns for one schedule of 10 intervals, and {batch} ns per interval in "
        "a batch of 64",
        _mep,
    ),
    Sentence(
        BENCHMARKS,
        "A certified search takes {ten} MB of heap at nfe 10 and {fifty} MB at nfe 50, a bi-level one less than "
        "{bilevel} MB",
        _heap,
    ),
    Sentence(
        BENCHMARKS,
        "An exact search of 8 calls takes {python} us from Python, {cpp} us from C++ and {kept} us in C++ with "
        "a workspace",
        _interfaces,
    ),
    Sentence(
        BENCHMARKS,
        "1000 betas become a noise schedule in {betas} us, 10,000 in {many} us. A schedule is written in {save} us, "
        "read and checked in {load} us, explained in {explain} us, exported in {export} us at most.",
        _python,
    ),
    Sentence(
        BENCHMARKS,
        "`bench/callgrind/run.sh` counts them for {count} kernels, searches and noise schedules",
        lambda results: {"count": str(len(json.loads(COUNTS.read_text(encoding="utf-8"))["instructions"]))},
    ),
    Sentence(
        README,
        "The published algorithm takes {least} to {most} s in SciPy, HSO's certified optimum {fast} to {slow} ms "
        "for 4 to 10 calls",
        _in_short,
    ),
    Sentence(README, "This search takes {certified} ms with the certificate and some {exact} us without.", _request),
    Sentence(
        "docs/exact.md",
        "in {few} ms (nfe 5, 10), {twenty} ms (20), {hundred} s (100) and {many} s (200, d_min = 0)",
        _certified,
    ),
    Sentence(
        "docs/calibration.md",
        "{least} to {most} ms for a schedule of 4 to 20 calls, {chains} ms for the cheapest chains of 1 to 20 edges "
        "through 1000 points",
        _calibration,
    ),
    Sentence("docs/diffusers.md", "Applying takes {least} to {most} ms, `set_timesteps` at most {set} ms", _handover),
)

PAGES = sorted({item.page for item in (*TABLES, *SENTENCES)})


def rewritten(page: str, text: str, results: Results) -> str:
    """The page's text with the numbers of bench/results."""
    for item in (*TABLES, *SENTENCES):
        if item.page == page:
            text = item.rewritten(text, results)
    return text


def differences(before: str, after: str) -> list[str]:
    """The lines that change."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [f"- {old}\n+ {new}" for old, new in pairs if old != new]


def main() -> int:
    """Rewrites the pages or, with --check, returns 1 where they are out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if anything is out of date")
    options = parser.parse_args()
    results, changed = Results(), 0
    for page in PAGES:
        path = ROOT / page
        before = path.read_text(encoding="utf-8")
        after = rewritten(page, before, results)
        for line in differences(before, after):
            print(f"{page}\n{line}")
        changed += before != after
        if not options.check:
            path.write_text(after, encoding="utf-8")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
