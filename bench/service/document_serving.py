"""Writes the numbers of bench/results/{server,service}.json into docs/serving.md.

python bench/service/document_serving.py    # with bench/python on PYTHONPATH, as bench/service/run.sh has it
"""

from __future__ import annotations

from typing import Any

from document_numbers import ROOT, Numbers, Results, Sentence, Table, TableOf, digits

PAGE = "docs/serving.md"
QUANTILES = (0.5, 0.99, 0.999, 1.0)
PROCESSES = {"1 process": "1 workers", "2 processes": "2 workers"}
"""The table's words for service.json's keys."""

Report = dict[str, Any]


def milliseconds(seconds: float) -> str:
    """Three digits."""
    return f"{digits(1e3 * seconds, 3)} ms"


def latencies(report: Report) -> list[str]:
    """Requests a second, and the latencies that the table has."""
    quantiles = dict(report["latency"]["quantiles"])
    return [f"{report['per_second']:,.0f}", *(milliseconds(quantiles[q]) for q in QUANTILES)]


def speed(results: Results) -> Table:
    """Searches alone and both servers."""
    server, service = results["server.json"]["speed"], results["service.json"]["speed"]
    certified, exact = server["in_process"]
    table = {
        "search alone, 2 threads": latencies(certified),
        "search alone, 2 threads, no certificate": latencies(exact),
    }
    groups = {"C++ server, 2 threads": server["runs"]}
    groups |= {f"Python service, {name}": service[key]["runs"] for name, key in PROCESSES.items()}
    for name, runs in groups.items():
        for run in runs:
            how = f"{run['rate']:.0f} a second" if run["rate"] else "as fast as it can"
            table[f"{name}, {how}"] = latencies(run)
    return table


def memory(results: Results) -> Table:
    """Both servers' memory over time."""
    rows = {"C++ server, 2 threads": "server.json", "Python service, 2 processes": "service.json"}
    table = {}
    for row, file in rows.items():
        part = results[file]["memory"]
        judged = part["judgement"]
        cells = [f"{part['load']['rate']:.0f}", f"{part['load']['answered']:,}", f"{judged['mean_mib']:.1f} MiB"]
        table[row] = [*cells, *(f"{round(judged[name]) or 0} KiB" for name in ("spread_kib", "growth_kib"))]
    return table


def minutes(results: Results) -> Numbers:
    """Of the load under which memory was read."""
    seconds = results["server.json"]["memory"]["load"]["seconds"]
    return {"minutes": f"{seconds / 60.0:g}"}


def client(results: Results) -> Numbers:
    """The most of a processor that the generator took."""
    service = results["service.json"]["speed"]
    runs = [
        *results["server.json"]["speed"]["runs"],
        *(run for key in PROCESSES.values() for run in service[key]["runs"]),
    ]
    return {"percent": f"{100.0 * max(run['client_processors'] for run in runs):.0f}"}


PARTS = (
    TableOf(PAGE, "Measured", speed),
    TableOf(PAGE, "Measured", memory, number=1),
    Sentence(PAGE, "read every second for {minutes} minutes", minutes),
    Sentence(PAGE, "the clients took at most {percent} % of one", client),
)


def rewritten(text: str, results: Results) -> str:
    """The page's text with the numbers of bench/results."""
    for part in PARTS:
        text = part.rewritten(text, results)
    return text


def main() -> None:
    """Rewrites the page."""
    page = ROOT / PAGE
    page.write_text(rewritten(page.read_text(encoding="utf-8"), Results()), encoding="utf-8")


if __name__ == "__main__":
    main()
