"""Compares hso's searches with the same problem in SciPy, pygmo and NLopt, side by side in one run.

Answers are checked before anything of hso is timed: every F is recomputed from the nodes by the NumPy
reference, hso's searches must be as good as every other one that keeps the spacing, the exact one to
1e-9, and its lower bound must lie below them all. Writes a JSON with the machine, the command and every
row, and prints the tables of the README. A package that does not import is a row that says so.

    python bench/python/bench_compare.py --out bench/results/compare.json
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hso
import pygmo_reference
from bench_common import as_time, hold_blas_to_one_thread, seconds_of, time_calls, write_report
from reference_objectives import BETAS, Array, VpTable, d_min, mep, spacing_penalty
from scipy_reference import BOUNDS, GAMMA, SearchResult, constrained_search, dm_nonuni_schedule, published_search

ROUNDING = 1e-9
"""What a spacing or an end may miss its limit by."""

HSO: dict[str, dict[str, Any]] = {
    "hso exact": {"search": "exact", "gap": None},
    "hso exact, certified": {"search": "exact", "gap": 1e-6},
    "hso bilevel, Newton": {"search": "bilevel", "local": "newton"},
    "hso bilevel, SLSQP": {"search": "bilevel", "local": "slsqp"},
    "hso paper, SLSQP": {"search": "paper", "local": "slsqp"},
}
EXACT, CERTIFIED, PAPER = "hso exact", "hso exact, certified", "hso paper, SLSQP"
PUBLISHED, PUBLISHED_SLSQP = "SciPy, as published (trust-constr)", "SciPy, published search, SLSQP"
PYGMO, NLOPT = "pygmo DE, NLopt SLSQP, spacing as constraints", "NLopt SLSQP on all nodes, no upper level"
DM_NONUNI, DM_NONUNI_HSO = "DM-NonUni, SciPy trust-constr", "DM-NonUni, hso"

DM_NONUNI_CHECKED_UP_TO = 7
"""Above it DM-NonUni's bound has no minimum without a spacing, and the two do not stop at the same place."""


@dataclass(frozen=True)
class Limits:
    """How often to run what is slow, and up to which nfe to run the slowest."""

    runs: int
    slow_runs: int
    slow_up_to: int


class Setting:
    """One nfe on Stable Diffusion's table, UniPC setting; the rows hold what was found and how long it took."""

    def __init__(self, nfe: int) -> None:
        self.nfe = nfe
        betas = BETAS["sd_scaled_linear"]()
        self.noise, self.table = hso.NoiseSchedule.from_betas(betas), VpTable.from_betas(betas)
        self.rows: dict[str, dict[str, Any]] = {}

    def feasible(self) -> dict[str, float]:
        """F of the rows whose spacing and ends are as asked."""
        return {name: row["fitness"] for name, row in self.rows.items() if row.get("feasible")}

    def add(self, name: str, kind: str, t: Array, evaluations: int, extra: dict[str, Any]) -> None:
        """A row with F of the nodes `t`, computed in the same way for everyone."""
        objective, penalty = mep(self.table.lam(t)), GAMMA * spacing_penalty(t, d_min(self.nfe))
        spacing = float(np.min(-np.diff(t)))
        met = spacing >= d_min(self.nfe) - ROUNDING
        ends = ((t[-1], BOUNDS[1]), (t[0], BOUNDS[2]))
        inside = all(low - ROUNDING <= end <= high + ROUNDING for end, (low, high) in ends)
        self.rows[name] = {
            "kind": kind,
            "fitness": objective + penalty,
            "mep": objective,
            "min_spacing": spacing,
            "spacing_met": met,
            "ends_in_range": inside,
            "feasible": met and inside,
            "t_max": float(t[0]),
            "t_min": float(t[-1]),
            "evaluations": evaluations,
            **extra,
        }


def add_references(setting: Setting, limits: Limits) -> None:
    """The searches that hso is compared with, answer and time of each."""
    nfe, table = setting.nfe, setting.table
    missing = pygmo_reference.unavailable()
    slow = f"nfe above --slow-up-to {limits.slow_up_to}" if nfe > limits.slow_up_to else None
    several, once = limits.slow_runs, 1
    references: list[tuple[str, str, str | None, int, Callable[[], SearchResult]]] = [
        (PUBLISHED, "a", slow, once, lambda: published_search(table, nfe)),
        (PUBLISHED_SLSQP, "b", None, several, lambda: published_search(table, nfe, lower="slsqp")),
        ("SciPy DE, SLSQP, spacing as constraints", "b", None, several, lambda: constrained_search(table, nfe)),
        (PYGMO, "c", missing, several, lambda: pygmo_reference.pygmo_search(table, nfe)),
        (NLOPT, "c", missing, limits.runs, lambda: pygmo_reference.nlopt_search(table, nfe)),
        (DM_NONUNI, "d", None, several, lambda: dm_nonuni_schedule(table, nfe)),
    ]
    for name, kind, skipped, runs, search in references:
        if skipped:
            setting.rows[name] = {"kind": kind, "skipped": skipped}
            continue
        found = search()
        # one that takes long is not run again
        least = 1 if found.seconds > 5.0 else runs
        times = time_calls(search, least=least, most=runs, first=[found.seconds])
        extra = {"time": times, "searches": found.searches, "generations": found.generations}
        if name == DM_NONUNI:
            extra["dm_nonuni"] = found.objective
        setting.add(name, kind, found.t, found.evaluations, extra)


def add_hso(setting: Setting) -> dict[str, Callable[[], hso.Schedule]]:
    """The answers of hso; returns the searches, not timed yet."""
    searches: dict[str, Callable[[], hso.Schedule]] = {}
    for name, options in HSO.items():
        searches[name] = lambda options=options: hso.optimize(  # type: ignore[misc]
            setting.noise, setting.nfe, terminal="t_min", limits="published", **options
        )
        found = searches[name]()
        extra = {"options": options, "status": found.status, "lower_bound": found.lower_bound, "gap": found.gap}
        setting.add(name, "hso", found.t, found.evaluations, extra)
    searches[DM_NONUNI_HSO] = lambda: hso.schedules.dm_nonuni(setting.noise, setting.nfe)
    found = searches[DM_NONUNI_HSO]()
    extra = {"options": {}, "status": found.status, "dm_nonuni": found.mep}
    setting.add(DM_NONUNI_HSO, "hso", found.t, found.evaluations, extra)
    return searches


def wrong(setting: Setting) -> Iterable[str]:
    """What is wrong with the answers, nothing if hso's are as good as they must be."""
    rows, feasible = setting.rows, setting.feasible()
    ours = [name for name in HSO if name != PAPER]
    for name in ours:
        if name not in feasible:
            yield f"{name} misses the spacing or the ends' ranges: {rows[name]}"
    for name, fitness in feasible.items():
        for mine in ours:
            limit = ROUNDING if mine in (EXACT, CERTIFIED) else 1e-3
            if rows[mine]["fitness"] > fitness * (1.0 + limit):
                yield f"{mine}: F {rows[mine]['fitness']!r} is above {fitness!r} of {name}"
        bound = rows[CERTIFIED]["lower_bound"]
        if bound is None or bound > fitness:
            yield f"{CERTIFIED}: lower bound {bound!r} is above F {fitness!r} of {name}"
    # gamma = 1e9 makes 1e-4 of F out of a node's rounding of 1e-7, so this one is held to 1e-3 too
    same = [PUBLISHED_SLSQP, *([PUBLISHED] if PUBLISHED in feasible else [])]
    for name in same:
        if rows[PAPER]["fitness"] > rows[name]["fitness"] * (1.0 + 1e-3):
            yield f"{PAPER}: F {rows[PAPER]['fitness']!r} is above {rows[name]['fitness']!r} of {name}"
    if setting.nfe <= DM_NONUNI_CHECKED_UP_TO:
        mine, theirs = rows[DM_NONUNI_HSO]["dm_nonuni"], rows[DM_NONUNI]["dm_nonuni"]
        if mine > theirs * (1.0 + 1e-3):
            yield f"{DM_NONUNI_HSO}: {mine!r} is above SciPy's {theirs!r}"


def compare(nfe: int, limits: Limits) -> dict[str, Any]:
    """All rows of one nfe; SystemExit where an answer is wrong."""
    setting = Setting(nfe)
    add_references(setting, limits)
    searches = add_hso(setting)
    faults = list(wrong(setting))
    if faults:
        raise SystemExit("\n".join(f"nfe {nfe}: {fault}" for fault in faults))
    for name, search in searches.items():
        seconds_of(search)
        setting.rows[name]["time"] = time_calls(search, least=limits.runs)
    for row in setting.rows.values():
        if "time" in row:
            row["over_exact"] = row["time"]["median"] / setting.rows[EXACT]["time"]["median"]
    return {"d_min": d_min(nfe), "rows": setting.rows}


def _time_cell(row: dict[str, Any]) -> str:
    return as_time(row["time"]["median"]) if "time" in row else "-"


def _fitness_cell(row: dict[str, Any]) -> str:
    """F, with a star where the spacing is missed and a dagger where the ends are not in their ranges."""
    if "skipped" in row:
        return "-"
    number = f"{row['fitness']:.6f}" if row["fitness"] < 1e3 else f"{row['fitness']:,.0f}"
    return number + ("" if row["spacing_met"] else " *") + ("" if row["ends_in_range"] else " †")


def _ratio_cell(row: dict[str, Any]) -> str:
    if "over_exact" not in row:
        return "-"
    digits = max(0, 1 - math.floor(math.log10(row["over_exact"])))
    return f"{row['over_exact']:,.{digits}f}"


def markdown(results: dict[int, dict[str, Any]]) -> str:
    """Three tables, one row per method and one column per nfe: time, F, time over that of exact."""
    head = f"| | {' | '.join(f'nfe {nfe}' for nfe in results)} |\n|---|{'---|' * len(results)}"
    names = list(next(iter(results.values()))["rows"])
    names.sort(key=lambda name: name not in HSO)  # ours first, otherwise as they ran
    parts = []
    for title, cell in (
        ("Time, one thread", _time_cell),
        ("F (* below d_min, † ends outside their ranges)", _fitness_cell),
        ("Time over that of `hso exact`", _ratio_cell),
    ):
        lines = [f"| {name} | {' | '.join(cell(r['rows'][name]) for r in results.values())} |" for name in names]
        parts.append("\n".join([f"{title}:\n", head, *lines]))
    return "\n\n".join(parts)


def main() -> None:
    """Runs the comparison, writes its JSON, prints its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 5, 6, 8, 10, 20])
    parser.add_argument("--runs", type=int, default=21, help="least timed runs of what takes milliseconds")
    parser.add_argument("--slow-runs", type=int, default=3, help="timed runs of searches up to 5 s; else one")
    parser.add_argument("--slow-up-to", type=int, default=10, metavar="NFE", help="highest nfe for trust-constr")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    hold_blas_to_one_thread()
    limits = Limits(options.runs, options.slow_runs, options.slow_up_to)
    results: dict[int, dict[str, Any]] = {}
    for nfe in options.nfe:
        results[nfe] = compare(nfe, limits)
        print(f"nfe {nfe}: answers right, {len(results[nfe]['rows'])} rows", flush=True)
    about = "Stable Diffusion's table (scaled linear), terminal t_min, one thread (BLAS too); times in seconds"
    write_report(options.out, "bench_compare.py", about, {"results": results})
    print(markdown(results))


if __name__ == "__main__":
    main()
