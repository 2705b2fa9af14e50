"""How hso's searches scale with nfe, and what a call from Python costs: one table, one thread.

Answers are checked before they are timed: spacings are met, exact is never above bilevel, more nodes
are never worse. Writes a JSON with the machine, the command and every row.

    python bench/python/bench_scaling.py --out bench/results/scaling.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import hso
from bench_common import as_time, seconds_of, summary, time_calls, write_report
from reference_objectives import BETAS

ROUNDING = 1e-9
ROOM = 0.93
"""What every pair of ends leaves at least: t_max is 0.96 or more, t_min 0.03 or less."""

EXACT: dict[str, Any] = {"search": "exact", "gap": None}
CERTIFIED: dict[str, Any] = {"search": "exact", "gap": 1e-6}
NEWTON: dict[str, Any] = {"search": "bilevel", "local": "newton"}
SLSQP: dict[str, Any] = {"search": "bilevel", "local": "slsqp"}

SMALL = range(4, 21)
LARGE = (10, 50, 100, 200, 500, 1000)
LIST = (4, 5, 6, 8)


def noise_schedule() -> hso.NoiseSchedule:
    """Stable Diffusion's table."""
    return hso.NoiseSchedule.from_betas(BETAS["sd_scaled_linear"]())


def times(function: Callable[[], object]) -> dict[str, Any]:
    """The summary of many calls of what is fast, of few of what is not."""
    first = seconds_of(function)
    return time_calls(function, least=21 if first < 0.1 else 5 if first < 1.0 else 1, first=[first])


def row(series: str, noise: hso.NoiseSchedule, nfe: int, options: dict[str, Any]) -> dict[str, Any]:
    """One search, its answer checked against its own spacing, and its times."""

    def search() -> hso.Schedule:
        return hso.optimize(noise, nfe, terminal="t_min", limits="published", **options)

    found = search()
    if found.min_spacing < found.d_min - ROUNDING:
        raise SystemExit(f"{series}, nfe {nfe}: spacing {found.min_spacing!r} is below {found.d_min!r}")
    if found.lower_bound is not None and found.lower_bound > found.fitness:
        raise SystemExit(f"{series}, nfe {nfe}: lower bound {found.lower_bound!r} is above F {found.fitness!r}")
    result: dict[str, Any] = {
        "series": series,
        "nfe": nfe,
        "d_min": found.d_min,
        "fitness": found.fitness,
        "gap": found.gap,
        "status": found.status,
        "time": times(search),
    }
    print(
        f"{series:28s} nfe {nfe:4d}  {as_time(result['time']['median']):>8s}  F {found.fitness:.9f}  {found.status}",
        flush=True,
    )
    return result


def small_rows(noise: hso.NoiseSchedule, certified_up_to: int) -> list[dict[str, Any]]:
    """nfe 4 to 20 with the paper's d_min."""
    series = {"exact": EXACT, "bilevel, Newton": NEWTON, "exact, certified": CERTIFIED}
    rows = []
    for name, options in series.items():
        last = certified_up_to if options is CERTIFIED else max(SMALL)
        rows += [row(name, noise, nfe, options) for nfe in SMALL if nfe <= last]
    best = {r["nfe"]: r["fitness"] for r in rows if r["series"] == "exact"}
    for r in rows:
        if best[r["nfe"]] > r["fitness"] * (1.0 + ROUNDING):
            raise SystemExit(f"nfe {r['nfe']}: exact's F {best[r['nfe']]!r} is above {r['fitness']!r} of {r['series']}")
    return rows


def large_rows(noise: hso.NoiseSchedule, certified_up_to: int) -> list[dict[str, Any]]:
    """nfe 10 to 1000, with half of the spacing that fits everywhere and with none."""
    rows = []
    for name, share in (("d_min 0", 0.0), ("half the room", 0.5)):
        for kind, options in (("exact", EXACT), ("exact, certified", CERTIFIED)):
            found = [
                row(f"{kind}, {name}", noise, nfe, {**options, "d_min": share * ROOM / nfe})
                for nfe in LARGE
                if options is EXACT or nfe <= certified_up_to
            ]
            for fewer, more in pairwise(found):
                if share == 0.0 and more["fitness"] > fewer["fitness"] * (1.0 + ROUNDING):
                    raise SystemExit(f"{kind}: F at nfe {more['nfe']} is above that at {fewer['nfe']}")
            rows += found
    return rows


def list_call(noise: hso.NoiseSchedule) -> dict[str, Any]:
    """One call for several nfe against one call for the largest, and against one call for each."""

    def together() -> list[hso.Schedule]:
        return hso.optimize(noise, list(LIST), terminal="t_min", limits="published", **EXACT)

    def alone(nfe: int) -> hso.Schedule:
        return hso.optimize(noise, nfe, terminal="t_min", limits="published", **EXACT)

    for several, single in zip(together(), map(alone, LIST), strict=True):
        if abs(several.fitness - single.fitness) > ROUNDING * single.fitness:
            raise SystemExit(f"nfe {single.nfe}: F {several.fitness!r} in a list, {single.fitness!r} alone")
    result: dict[str, Any] = {"nfe": list(LIST), "list": times(together)}
    result["each"] = times(lambda: [alone(nfe) for nfe in LIST])
    result["largest"] = times(lambda: alone(max(LIST)))
    result["list_over_largest"] = result["list"]["median"] / result["largest"]["median"]
    return result


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99, p99.9, and p99 over p50."""
    middle, high, highest = (float(q) for q in np.percentile(seconds, [50, 99, 99.9]))
    return {"p50": middle, "p99": high, "p99.9": highest, "p99_over_p50": high / middle}


def call_cost(noise: hso.NoiseSchedule, calls: int) -> dict[str, Any]:
    """Many exact calls at nfe 10: percentiles of the whole call and of the core, and what Python adds."""
    wall, core = [], []
    for _ in range(calls):
        began = time.perf_counter()
        found = hso.optimize(noise, 10, terminal="t_min", limits="published", **EXACT)
        wall.append(time.perf_counter() - began)
        core.append(found.elapsed)
    added = np.subtract(wall, core).tolist()
    return {
        "nfe": 10,
        "calls": calls,
        "wall": percentiles(wall),
        "core": percentiles(core),
        "added_by_python": percentiles(added),
    }


def two_threads(noise: hso.NoiseSchedule, runs: int) -> dict[str, Any]:
    """Bilevel with SLSQP at nfe 20 on one thread and on two, in turns."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    answers = {}
    for _ in range(runs):
        for threads, found in seconds.items():
            began = time.perf_counter()
            answers[threads] = hso.optimize(noise, 20, terminal="t_min", limits="published", threads=threads, **SLSQP)
            found.append(time.perf_counter() - began)
    if not np.array_equal(answers[1].t, answers[2].t):
        raise SystemExit("two threads: the schedule is not bitwise that of one thread")
    one, two = summary(seconds[1]), summary(seconds[2])
    return {"nfe": 20, "one": one, "two": two, "ratio": one["median"] / two["median"]}


def main() -> None:
    """Runs everything, writes its JSON, prints a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--certified-up-to", type=int, default=1000, metavar="NFE", help="highest nfe to certify")
    parser.add_argument("--calls", type=int, default=10_000, help="calls for the percentiles")
    parser.add_argument("--thread-runs", type=int, default=5, help="runs with one thread and with two")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    noise = noise_schedule()
    results: dict[str, Any] = {
        "small": small_rows(noise, options.certified_up_to),
        "large": large_rows(noise, options.certified_up_to),
        "list_call": list_call(noise),
        "call_cost": call_cost(noise, options.calls),
        "two_threads": two_threads(noise, options.thread_runs),
    }
    several, cost, threads = results["list_call"], results["call_cost"], results["two_threads"]
    print(f"list {list(LIST)}: {several['list_over_largest']:.2f} times nfe {max(LIST)} alone")
    for name in ("wall", "core", "added_by_python"):
        print(f"{cost['calls']} calls at nfe 10, {name}:", {key: f"{v:.3g}" for key, v in cost[name].items()})
    print(f"bilevel, SLSQP, nfe 20: two threads are {threads['ratio']:.2f} times faster than one")
    about = "Stable Diffusion's table (scaled linear), terminal t_min, one thread; times in seconds"
    write_report(options.out, "bench_scaling.py", about, results)


if __name__ == "__main__":
    main()
