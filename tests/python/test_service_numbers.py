"""The numbers of docs/serving.md are those of bench/results; `python bench/service/document_serving.py` writes them."""

from __future__ import annotations

import re

import pytest

from document_numbers import ROOT, Results, differences
from document_serving import PAGE, PROCESSES, milliseconds, rewritten

TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
RESULTS = Results()


def test_page() -> None:
    changes = differences(TEXT, rewritten(TEXT, RESULTS))
    assert not changes, "python bench/service/document_serving.py rewrites:\n" + "\n".join(changes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"2 threads \| [\d,]+ \|", "2 threads | 7 |"),
        (r"as fast as it can \| [\d,]+ \|", "as fast as it can | 7 |"),
        (r"\| [\d.]+ MiB", "| 7.7 MiB"),
        (r"at most \d+ % of one", "at most 99 % of one"),
    ],
)
def test_a_wrong_number_is_found_and_put_right(old: str, new: str) -> None:
    right = rewritten(TEXT, RESULTS)
    wrong = re.sub(old, new, right, count=1)
    assert wrong != right and rewritten(wrong, RESULTS) == right


def test_three_digits() -> None:
    seconds = (1.2345e-5, 1.2345e-4, 0.0012345, 0.012345, 0.12345)
    assert [milliseconds(s) for s in seconds] == ["0.0123 ms", "0.123 ms", "1.23 ms", "12.3 ms", "123 ms"]


def test_what_the_results_were_made_of() -> None:
    server, service = RESULTS["server.json"], RESULTS["service.json"]
    parts = [server["speed"], *(service["speed"][key] for key in PROCESSES.values())]
    assert all(part["checked"]["requests"] == 300 for part in parts)
    assert all(part["checked"]["largest_relative_difference"] <= 1e-12 for part in parts)
    loads = [run for part in parts for run in part["runs"]] + [report["memory"]["load"] for report in (server, service)]
    assert all(load["failed"] == 0 and load["answered"] > 0 for load in loads)
    for report in (server, service):
        assert report["memory"]["judgement"]["flat"] and report["memory"]["load"]["seconds"] >= 600
        assert len(report["memory"]["mib_every_10_seconds"]) >= 60


def test_what_the_page_says_of_them() -> None:
    server, service = RESULTS["server.json"]["speed"], RESULTS["service.json"]["speed"]
    certified, exact = server["in_process"]
    assert 1e-4 < dict(map(tuple, certified["latency"]["quantiles"]))[0.5] < 1e-3  # tenths of a millisecond
    assert exact["per_second"] > 5 * certified["per_second"]  # most of the time is the certificate's
    most = server["runs"][-1]["per_second"]
    assert most > 0.5 * certified["per_second"]  # the search is what limits
    for key in PROCESSES.values():
        part = service[key]
        assert part["runs"][-1]["per_second"] / part["workers"] < 0.5 * most / server["threads"]
