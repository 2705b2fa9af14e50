"""How much more two Python threads optimize than one: the searches run without the GIL, what surrounds them does not.

python bench/python/bench_threads.py --out bench/results/threads.json [--seconds 1] [--rounds 9]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hso
from bench_common import as_time, hold_blas_to_one_thread, write_report

NOISE = hso.NoiseSchedule.preset("sd21")
CASES: dict[str, Callable[[], Any]] = {
    "exact, nfe 10": lambda: hso.optimize(NOISE, 10, gap=None),
    "exact, nfe 20": lambda: hso.optimize(NOISE, 20, gap=None),
    "exact, nfe 100": lambda: hso.optimize(NOISE, 100, gap=None),
    "exact, nfe 4 to 12 in one call": lambda: hso.optimize(NOISE, range(4, 13), gap=None),
    "certified, nfe 5": lambda: hso.optimize(NOISE, 5),
    "certified, nfe 10": lambda: hso.optimize(NOISE, 10),
    "certified, nfe 20": lambda: hso.optimize(NOISE, 20),
    "bilevel, nfe 10": lambda: hso.optimize(NOISE, 10, search="bilevel"),
    "bilevel with slsqp, nfe 6": lambda: hso.optimize(NOISE, 6, search="bilevel", local="slsqp"),
}


def calls_per_second(call: Callable[[], Any], threads: int, seconds: float) -> tuple[float, float]:
    """Calls a second of so many threads together, and the processors' time that a second had."""
    counts = [0] * threads
    start = threading.Barrier(threads + 1)
    over = False

    def work(thread: int) -> None:
        start.wait()
        count = 0
        while not over:
            call()
            count += 1
        counts[thread] = count

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    began, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    over = True
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - began
    return sum(counts) / elapsed, (time.process_time() - used) / elapsed


def throughput(call: Callable[[], Any], *, seconds: float) -> dict[str, float]:
    """Calls a second of one thread and of two, their quotient, and the least share of the processors they had."""
    call()
    one, share_of_one = calls_per_second(call, 1, seconds)
    two, share_of_two = calls_per_second(call, 2, seconds)
    return {"one": one, "two": two, "gain": two / one, "processor_share": min(share_of_one, share_of_two / 2)}


def row(name: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over rounds in which one thread and two take turns."""
    runs = [throughput(CASES[name], seconds=seconds) for _ in range(rounds)]
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {"what": name, **{key: float(f"{value:.4g}") for key, value in middle.items()}}


def main() -> None:
    """Runs everything, writes its JSON, prints a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    expected = hso.optimize(NOISE, 10).t.tolist()
    rows = [row(name, options.rounds, options.seconds) for name in CASES]
    if hso.optimize(NOISE, 10).t.tolist() != expected:
        raise SystemExit("the answer changed")
    for each in rows:
        print(
            f"{each['what']:32s} {as_time(1 / each['one']):>9s} a call, two threads {each['gain']:.2f} times as many"
            f" (share of the processors {each['processor_share']:.0%})"
        )
    about = "calls a second of one Python thread and of two; processor_share: of the processors' time"
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    write_report(options.out, "bench_threads.py", about, {"gil": gil, "rows": rows})


if __name__ == "__main__":
    hold_blas_to_one_thread()
    main()
