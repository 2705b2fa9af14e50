"""examples/server.cpp under AddressSanitizer and UBSan: answers, refusals, and clients that do not behave."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import load_test
import service_programs
from servers import PATIENCE_S, Server, ask_cpp_server, ask_lines, check, cpp_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sanitized build and the generator are for Linux")
CONNECTIONS, WAITING, LONGEST = 256, 1024, 128  # as server.cpp has them


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """That it ends with 0, and so without a leak, is checked in the end."""
    with cpp_server(service_programs.server(), 2) as server:
        yield server


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        yield connection


def serves(server: Server) -> bool:
    return ask_lines(server.port, ["7 1024 1024 4"])[0].get("status") == "converged"


def test_answers_are_the_librarys(running: Server) -> None:
    check(ask_cpp_server, running, 60)


def test_many_clients_at_once(running: Server) -> None:
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda _: check(ask_cpp_server, running, 10), range(8)))


@pytest.mark.parametrize(
    ("line", "identity", "words"),
    [
        ("", None, "ID must be an integer from 0"),
        ("x 64 64 4", None, "got 'x'"),
        ("-1 64 64 4", None, "got '-1'"),
        ("99999999999999999999 64 64 4", None, "ID must be"),
        ("1", 1, "WIDTH must be an integer from 64 to 8192, got ''"),
        ("1 63 64 4", 1, "WIDTH must be an integer from 64 to 8192, got '63'"),
        ("1 64 8193 4", 1, "HEIGHT must be an integer from 64 to 8192, got '8193'"),
        ("2 64 64 3", 2, "NFE must be an integer from 4 to 12, got '3'"),
        ("2 64 64 13", 2, "got '13'"),
        ("3 64 64 4.5", 3, "NFE must be"),
        ("3 64 64 4 5", 3, "a request is ID WIDTH HEIGHT NFE"),
        ('4 "\\\x07\x7f 64 4', 4, "got '????'"),
        ("5 " + "6" * LONGEST, 5, "the line is too long"),
    ],
)
def test_bad_lines_are_answered_and_the_next_is_served(
    running: Server, line: str, identity: int | None, words: str
) -> None:
    first, second = sorted(ask_lines(running.port, [line, "77 1024 1024 4"]), key=lambda answer: "sigmas" in answer)
    assert first["id"] == identity and words in first["error"] and set(first) == {"id", "error"}
    assert second["id"] == 77 and len(second["sigmas"]) == 5 and len(second["timesteps"]) == 4


def test_lines_that_come_in_pieces(running: Server) -> None:
    with connected(running) as connection, connection.makefile(encoding="ascii") as answers:
        for byte in b" 1  512   1024 5 \r\n2 64 64 4":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        assert json.loads(answers.readline())["id"] == 1
        connection.sendall(b"\n")
        assert json.loads(answers.readline())["id"] == 2


def test_a_line_without_end_closes_its_connection(running: Server) -> None:
    with connected(running) as connection, connection.makefile(encoding="ascii") as answers:
        with contextlib.suppress(ConnectionError):  # closed while we send
            connection.sendall(b"1" * 100_000)
        with contextlib.suppress(ConnectionError):
            assert "the line is too long" in answers.readline() and answers.readline() == ""
    assert serves(running)


def test_clients_that_go_away(running: Server) -> None:
    for _ in range(20):
        with connected(running) as connection:
            connection.sendall(b"1 1024 1024 12\n" * 20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
    assert serves(running)


def test_more_requests_than_may_wait_are_refused_at_once(running: Server) -> None:
    count = WAITING + 2000
    answers = ask_lines(running.port, [f"{i} 1024 1024 12" for i in range(count)])
    assert sorted(answer["id"] for answer in answers) == list(range(count))
    refused = [answer for answer in answers if "error" in answer]
    assert 0 < len(refused) <= count - WAITING
    assert {answer["error"] for answer in refused} == {"too many requests are waiting"}
    assert serves(running)


def test_who_reads_no_answers_is_dropped(running: Server) -> None:
    with connected(running) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        with pytest.raises(ConnectionError):
            for _ in itertools.count():
                connection.sendall(b"1 64 64 4\n" * 1000)
    assert serves(running)


def test_more_connections_than_it_takes_wait(running: Server) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(running)) for _ in range(CONNECTIONS)]
        late = stack.enter_context(connected(running))
        late.sendall(b"1 64 64 4\n")
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.recv(1)
        crowd[0].close()
        late.settimeout(PATIENCE_S)
        assert late.recv(1) == b"{"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_what_was_read_is_answered(number: signal.Signals) -> None:
    with (
        cpp_server(service_programs.server(), 1) as server,
        connected(server) as connection,
        connection.makefile(encoding="ascii") as answers,
    ):
        connection.sendall(b"".join(b"%d 1024 1024 12\n" % i for i in range(100)))
        first = answers.readline()  # all were read: they came together
        server.process.send_signal(number)
        rest = answers.readlines()
        assert server.process.wait(PATIENCE_S) == 0
        assert [json.loads(answer)["id"] for answer in (first, *rest)] == list(range(100))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["65536"], "PORT must be an integer from 0 to 65535, got '65536'"),
        (["0", "0"], "THREADS must be an integer from 1 to 256, got '0'"),
        (["0", "1", "2"], "usage"),
        (["taken"], "cannot listen on port"),
    ],
)
def test_what_it_does_not_start_with(running: Server, words: list[str], message: str) -> None:
    command = [str(service_programs.server()), *(str(running.port) if word == "taken" else word for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and done.stdout == "" and message in done.stderr


def test_a_short_load(running: Server) -> None:
    folder = Path(service_programs.generator().name)
    for rate in (30, 0):
        report: dict[str, Any] = load_test.loaded(folder, "line", running, rate, 1.5)  # raises where a request failed
        assert report["failed"] == 0 and report["answered"] > 10
