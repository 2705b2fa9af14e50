"""examples/service: its answers are the library's, what it refuses and how, and a real uvicorn with many clients."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hso

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx2")

from fastapi.testclient import TestClient

import load_test
import service_programs
from servers import Server, ask_http, ask_service, check, http_service

SERVICE = Path(__file__).parents[2] / "examples/service"


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    """The module, imported as uvicorn does."""
    sys.path.insert(0, str(SERVICE))
    try:
        import schedule_service

        yield schedule_service
    finally:
        sys.path.remove(str(SERVICE))
        sys.modules.pop("schedule_service", None)


@pytest.fixture
def client(service: Any) -> Iterator[TestClient]:
    with TestClient(service.app) as client:
        yield client


@pytest.fixture(scope="module", params=[1, 2], ids=["1 worker", "2 workers"])
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    with http_service(request.param) as server:
        yield server


ASKED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # request, what the noise schedule takes, what optimize takes
    ({"nfe": 6}, {}, {}),
    ({"nfe": 4, "width": 1024, "height": 768}, {"width": 1024, "height": 768}, {}),
    ({"nfe": 5, "shift": 2}, {"shift": 2.0}, {}),
    ({"nfe": 8, "preset": "sd21", "terminal": "skip"}, {}, {"terminal": "skip"}),
    ({"nfe": 8, "preset": "edm", "terminal": "t_min"}, {}, {"terminal": "t_min"}),
    ({"nfe": 1, "preset": "sd3"}, {}, {}),
    (
        {"nfe": 6, "preset": "ltx", "width": 704, "height": 480, "num_frames": 25},
        {"width": 704, "height": 480, "num_frames": 25},
        {},
    ),
    ({"nfe": 6, "certificate": False}, {}, {"gap": None}),
    ({"nfe": 20, "certificate": False}, {}, {"gap": None}),
]


@pytest.mark.parametrize(("body", "noise_words", "search_words"), ASKED, ids=[str(body) for body, _, _ in ASKED])
def test_answers_are_the_librarys(
    client: TestClient, body: dict[str, Any], noise_words: dict[str, Any], search_words: dict[str, Any]
) -> None:
    response = client.post("/schedule", json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    noise = hso.NoiseSchedule.preset(body.get("preset", "flux-dev"), **noise_words)
    schedule = hso.optimize(noise, body["nfe"], **search_words)
    np.testing.assert_array_equal(answer.pop("sigmas"), schedule.sigmas)
    np.testing.assert_array_equal(answer.pop("timesteps"), schedule.timesteps)
    assert answer == {
        "family": noise.family,
        "shift": noise.shift,
        "fitness": schedule.fitness,
        "gap": schedule.gap,
        "status": schedule.status,
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"nfe": 6, "preset": "flux-de"}, "'flux-de'"),
        ({"nfe": 6, "preset": "sd21", "width": 512}, "width=512 must be left out: preset 'sd21'"),
        ({"nfe": 6, "preset": "sd21", "shift": 3.0}, "shift must be left out for preset 'sd21'"),
        ({"nfe": 6, "num_frames": 9}, "num_frames must be left out for an image model, got 9"),
    ],
)
def test_what_hso_refuses_is_answered_in_its_words(client: TestClient, body: dict[str, Any], words: str) -> None:
    response = client.post("/schedule", json=body)
    assert response.status_code == 422 and words in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "nfe"),
        ({"nfe": 0}, "nfe"),
        ({"nfe": 101}, "nfe"),
        ({"nfe": 10**30}, "nfe"),
        ({"nfe": "6"}, "nfe"),
        ({"nfe": 6.5}, "nfe"),
        ({"nfe": True}, "nfe"),
        ({"nfe": None}, "nfe"),
        ({"nfe": 6, "width": 15}, "width"),
        ({"nfe": 6, "height": 8193}, "height"),
        ({"nfe": 6, "num_frames": 0}, "num_frames"),
        ({"nfe": 6, "shift": 0}, "shift"),
        ({"nfe": 6, "terminal": "one"}, "terminal"),
        ({"nfe": 6, "certificate": "no"}, "certificate"),
        ({"nfe": 6, "preset": "x" * 65}, "preset"),
        ({"nfe": 6, "preset": None}, "preset"),
        ({"nfe": 6, "gap": 1e-9}, "gap"),
    ],
)
def test_fields_beyond_their_limits_are_named(client: TestClient, body: dict[str, Any], field: str) -> None:
    response = client.post("/schedule", json=body)
    assert response.status_code == 422 and [fault["loc"] for fault in response.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize(
    "text", ['{"nfe": 6', "[]", "6", "", '{"nfe": 6, "shift": NaN}', '{"nfe": 6, "shift": 1e999}', "\xff"]
)
def test_what_is_no_request_is_refused(client: TestClient, text: str) -> None:
    response = client.post("/schedule", content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422), response.text


def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "hso": hso.__version__}


def test_long_searches_leave_the_event_loop(client: TestClient, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[int, threading.Thread] = {}
    find = service.find

    def recorded(request: Any) -> Any:
        threads[request.nfe] = threading.current_thread()
        return find(request)

    monkeypatch.setattr(service, "find", recorded)
    for nfe in (4, service.SHORT, service.SHORT + 1):
        assert client.post("/schedule", json={"nfe": nfe}).status_code == 200
    assert threads[4] is threads[service.SHORT] is not threads[service.SHORT + 1]


def test_readme_names_every_field(service: Any) -> None:
    table = re.findall(r"^\| (`.*?) \|", (SERVICE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`(\w+)`", cell)} == set(
        service.ScheduleRequest.model_fields
    )


def test_uvicorn_answers_many_clients_at_once(running: Server) -> None:
    with ThreadPoolExecutor(4) as clients:
        checked = list(clients.map(lambda _: check(ask_service, running, 15), range(4)))
    assert [each["requests"] for each in checked] == [15] * 4


def test_uvicorn_refuses_and_goes_on(running: Server) -> None:
    status, answer = ask_http(running.port, "POST", "/schedule", {"nfe": 6, "preset": "none"})
    assert status == 422 and "'none'" in answer["detail"]
    assert ask_http(running.port, "POST", "/schedule", {"nfe": 6})[0] == 200


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the generator is for Linux")
def test_a_short_load(running: Server) -> None:
    folder = Path(service_programs.generator().name)
    for rate in (40, 0):
        report = load_test.loaded(folder, "http", running, rate, 1.5)  # raises where a request failed
        assert report["failed"] == 0 and report["answered"] > 10
