"""The two servers of examples/ as processes on loopback, and direct answers to compare theirs with."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hso

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
TOLERANCE = 1e-12
"""Relative difference of a node from a direct answer: two compilations of the library may differ in the last bit."""


@dataclass(frozen=True)
class Server:
    """A process that listens on 127.0.0.1."""

    process: subprocess.Popen[str]
    port: int


@contextlib.contextmanager
def cpp_server(program: Path, threads: int) -> Iterator[Server]:
    """examples/server.cpp, with so many threads that search. Raises RuntimeError if SIGTERM does not end it with 0."""
    process = subprocess.Popen([str(program), "0", str(threads)], stdout=subprocess.PIPE, text=True)
    with _ended(process, 0):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on 127.0.0.1:"):
            raise RuntimeError(f"{program} printed {line!r}")
        yield Server(process, int(line.rsplit(":", 1)[1]))


@contextlib.contextmanager
def http_service(workers: int) -> Iterator[Server]:
    """examples/service under uvicorn, with so many processes."""
    port = _free_port()
    words = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples/service"), "schedule_service:app"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    words += ["--http", "prompt_http:PromptProtocol"]
    words += ["--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(words, text=True)
    with _ended(process, 0 if workers > 1 else -15):  # uvicorn raises the signal again once it has shut down
        deadline = time.monotonic() + PATIENCE_S
        while not _healthy(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"uvicorn did not start: {' '.join(words)}")
            time.sleep(0.1)
        yield Server(process, port)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str], status: int) -> Iterator[None]:
    """Sends SIGTERM in the end and waits."""
    try:
        yield
        process.terminate()
        if process.wait(PATIENCE_S) != status:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}, expected {status}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    try:
        return ask_http(port, "GET", "/health")[0] == 200
    except OSError:
        return False


def ask_lines(port: int, lines: list[str]) -> list[dict[str, Any]]:
    """What the line protocol answers to lines that are sent at once, in the order of their arrival."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall("".join(line + "\n" for line in lines).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile(encoding="ascii") as answers:
            return [json.loads(answer) for answer in answers]


def ask_http(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


Request = tuple[int, int, int]
"""Width, height, network calls."""


def requests(count: int) -> list[Request]:
    """Requests like those of requests.hpp."""
    draw = random.Random(1)
    sides = range(256, 2049, 16)
    return [(draw.choice(sides), draw.choice(sides), draw.randint(4, 12)) for _ in range(count)]


def ask_cpp_server(server: Server, asked: list[Request]) -> list[dict[str, Any]]:
    """The answers in the order of the requests."""
    answers = ask_lines(server.port, [" ".join(map(str, (i, *request))) for i, request in enumerate(asked)])
    return sorted(answers, key=lambda answer: int(answer["id"]))


def ask_service(server: Server, asked: list[Request]) -> list[dict[str, Any]]:
    """The same."""
    bodies = [{"preset": "flux-dev", "width": width, "height": height, "nfe": nfe} for width, height, nfe in asked]
    return [ask_http(server.port, "POST", "/schedule", body)[1] for body in bodies]


def check(
    ask: Callable[[Server, list[Request]], list[dict[str, Any]]], server: Server, count: int = 300
) -> dict[str, Any]:
    """Compares answers with `hso.optimize`'s; AssertionError where they differ by more than `TOLERANCE`."""
    asked = requests(count)
    largest = 0.0
    for (width, height, nfe), answer in zip(asked, ask(server, asked), strict=True):
        shift = hso.NoiseSchedule.preset("flux-dev", width=width, height=height).shift
        np.testing.assert_allclose(answer["shift"], shift, rtol=TOLERANCE)
        # the optimum is flat: a last bit of the shift moves its nodes by 1e-9
        schedule = hso.optimize(hso.NoiseSchedule.flow(shift=answer["shift"]), nfe)
        for name, expected in (("sigmas", schedule.sigmas), ("timesteps", schedule.timesteps)):
            np.testing.assert_allclose(
                answer[name], expected, rtol=TOLERANCE, atol=0.0, err_msg=f"{width} {height} {nfe}"
            )
            scale = np.where(expected == 0.0, 1.0, expected)
            largest = max(largest, float(np.max(np.abs(answer[name] - expected) / scale)))
    return {"requests": count, "largest_relative_difference": largest}
