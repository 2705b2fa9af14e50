"""Loads the two servers of examples/ on loopback and writes bench/results/server.json and service.json.

    python bench/service/load_test.py speed                  # throughput, latencies: wants a quiet machine, 2 minutes
    python bench/service/load_test.py memory --seconds 600   # memory over time under a moderate load on both at once

The answers are compared with the library's before anything is timed. Clients and servers share the processors: what the
client took is in the results. bench/service/run.sh builds what this needs and calls it with bench/python on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import memory
from bench_common import machine, versions
from servers import ROOT, Server, ask_cpp_server, ask_service, check, cpp_server, http_service

THREADS = 2
"""Searching threads of the C++ server, processes of the Python service."""
OPEN_S, CLOSED_S, SEARCH_S = 20, 5, 5
SERVER_RATES = (500, 2000)
SERVICE_RATES = {1: (200,), 2: (400,)}
MEMORY_RATES = {"line": 200, "http": 50}
"""Requests a second: so few that a busy machine keeps up."""
CONNECTIONS = 16
PACKAGES = ("hso", "numpy", "fastapi", "pydantic", "starlette", "uvicorn")

Report = dict[str, Any]


def load_command(build: Path, protocol: str, server: Server, rate: float, seconds: float) -> list[str]:
    """hso_load's command line."""
    return [str(build / "hso_load"), protocol, str(server.port), str(CONNECTIONS), str(rate), str(seconds)]


def loaded(build: Path, protocol: str, server: Server, rate: float, seconds: float) -> Report:
    """hso_load's report; CalledProcessError where a request failed."""
    words = load_command(build, protocol, server, rate, seconds)
    report: Report = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    show(f"{protocol}, {f'{rate} a second' if rate else 'closed loop'}", report)
    return report


def show(what: str, report: Report) -> None:
    """A line for the terminal."""
    quantiles = {q: 1e3 * seconds for q, seconds in report["latency"]["quantiles"]}
    shown = "  ".join(
        f"{name} {quantiles[q]:.3f}" for name, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1))
    )
    print(f"  {what:32s} {report['per_second']:8.0f}/s   ms: {shown}", flush=True)


def measure_speed(build: Path) -> tuple[Report, Report]:
    """Searches alone; then each server at fixed rates (open loop) and as fast as it can (closed loop)."""
    print("searches alone")
    in_process = []
    for kind in ("certified", "exact"):
        words = [str(build / "hso_in_process"), str(THREADS), str(SEARCH_S), kind]
        in_process.append(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout))
        show(kind, in_process[-1])
    print(f"C++ server, {THREADS} threads")
    with cpp_server(build / "examples/hso_server", THREADS) as server:
        checked = check(ask_cpp_server, server)
        runs = [loaded(build, "line", server, rate, OPEN_S) for rate in SERVER_RATES]
        runs.append(loaded(build, "line", server, 0, CLOSED_S))
    first = {"in_process": in_process, "threads": THREADS, "checked": checked, "runs": runs}
    second: Report = {}
    for workers, rates in SERVICE_RATES.items():
        print(f"Python service, {workers} process{'es' if workers > 1 else ''}")
        with http_service(workers) as server:
            checked = check(ask_service, server)
            runs = [loaded(build, "http", server, rate, OPEN_S) for rate in rates]
            runs.append(loaded(build, "http", server, 0, CLOSED_S))
        second[f"{workers} workers"] = {"workers": workers, "checked": checked, "runs": runs}
    return first, second


def measure_memory(build: Path, seconds: float) -> tuple[Report, Report]:
    """Both servers at once under an open loop, their memory read every second."""
    with cpp_server(build / "examples/hso_server", THREADS) as first, http_service(THREADS) as second:
        servers = {"line": first, "http": second}
        loads = {
            protocol: subprocess.Popen(
                load_command(build, protocol, server, MEMORY_RATES[protocol], seconds),
                stdout=subprocess.PIPE,
                text=True,
            )
            for protocol, server in servers.items()
        }
        began = time.monotonic()
        times: list[float] = []
        sizes: dict[str, list[int]] = {protocol: [] for protocol in servers}
        while any(process.poll() is None for process in loads.values()):
            times.append(time.monotonic() - began)
            for protocol, server in servers.items():
                sizes[protocol].append(memory.resident(server.process.pid))
            time.sleep(max(0.0, len(times) - (time.monotonic() - began)))
        found = []
        for protocol, process in loads.items():
            report = json.loads(process.communicate()[0])
            if process.returncode != 0:
                raise RuntimeError(f"{report['failed']} requests failed")
            show(f"{protocol}, {MEMORY_RATES[protocol]} a second", report)
            judged = memory.judge(times, sizes[protocol])
            print(f"  memory {judged}", flush=True)
            mib = [round(size / memory.MIB, 3) for size in sizes[protocol]]
            found.append({"load": report, "judgement": judged, "mib_every_10_seconds": mib[::10]})
    return found[0], found[1]


def store(path: Path, about: str, part: str, results: Report) -> None:
    """Writes one part of a report; what it has of the other part stays."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    others = {name: kept[name] for name in ("speed", "memory") if name in kept and name != part}
    command = "python " + " ".join([Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix(), *sys.argv[1:]])
    report = {
        "about": about,
        "machine": machine(),
        "versions": versions(PACKAGES),
        **others,
        part: {"command": command, **results},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Runs one part; fails where a request failed, an answer differs or memory is not flat."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=["speed", "memory"])
    parser.add_argument("--seconds", type=float, default=600.0, help="of the load under which memory is watched")
    parser.add_argument("--build", type=Path, default=Path("build/service"), help="where bench/service was built")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    results = (
        measure_speed(options.build) if options.part == "speed" else measure_memory(options.build, options.seconds)
    )
    about = "on loopback, clients on the same machine; seconds, unless a name says otherwise"
    for name, result in zip(("server", "service"), results, strict=True):
        store(options.out / f"{name}.json", about, options.part, {"load_average_before": busy, **result})
    if options.part == "memory" and not all(result["judgement"]["flat"] for result in results):
        raise SystemExit("memory is not flat")


if __name__ == "__main__":
    main()
