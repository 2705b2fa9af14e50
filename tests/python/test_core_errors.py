"""What the core throws, and what signal handlers raise while it works, arrives as it was, from any thread."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import hso

NOISE = hso.NoiseSchedule.preset("sd21")


def in_thread(call):
    """What `call` raises in another thread."""
    raised = []

    def run():
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def impossible():
    hso.optimize(NOISE, 8, terminal="t_min", d_min=0.5)


def test_bad_arguments_arrive_with_their_message():
    with pytest.raises(ValueError, match=r"^d_min must be at most .* for nfe = 8: 8 intervals") as caught:
        impossible()
    elsewhere = in_thread(impossible)
    assert type(elsewhere) is ValueError
    assert str(elsewhere) == str(caught.value)


def test_threads_of_a_search_report_to_their_caller():
    with pytest.raises(ValueError, match=r"^d_min must be at most"):
        hso.optimize(NOISE, 8, terminal="t_min", d_min=0.5, search="bilevel", threads=2)


class EnoughError(Exception):
    pass


@pytest.mark.skipif(sys.platform == "win32", reason="timers that send signals")
@pytest.mark.parametrize("options", [{}, {"search": "bilevel", "threads": 2}, {"search": "bilevel", "local": "slsqp"}])
def test_what_a_handler_raises_arrives_as_it_was(options):
    enough = EnoughError("a message", 7)

    def handler(*_):
        raise enough

    nfe = 100 if "local" in options else 9000  # seconds
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(EnoughError) as caught:
            hso.optimize(NOISE, nfe, d_min=0.0, **options)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert caught.value is enough
    assert caught.traceback[-1].name == "handler"
    del caught
    enough.__traceback__ = None
    assert sys.getrefcount(enough) <= 3  # ours, the closure's, the call's


LITTLE_MEMORY = """
import resource
import hso

noise = hso.NoiseSchedule.preset("sd21")
expected = hso.optimize(noise, 8).t.tolist()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, limits[1]))
for options in ({"gap": None}, {"search": "bilevel", "local": "slsqp"}):
    try:
        hso.optimize(noise, 10_000 if "gap" in options else 1000, d_min=0.0, **options)
    except MemoryError as error:
        print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_AS, limits)
assert hso.optimize(noise, 8).t.tolist() == expected
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS, /proc")
def test_memory_that_runs_out_is_a_memory_error():
    process = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stdout, process.stderr) == (0, "MemoryError\n" * 2, "")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_ten_thousand_failures_leave_nothing_behind():
    def fail(count):
        for i in range(count):
            for call in (
                impossible,
                lambda i=i: hso.NoiseSchedule.from_betas([0.1, 2.0 + i]),
                lambda: hso.optimize(NOISE, 5, search="none"),
            ):
                try:
                    call()
                except ValueError:
                    pass
                else:
                    raise AssertionError("not refused")

    def memory():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    fail(500)
    objects, before = len(gc.get_objects()), memory()
    references = sys.getrefcount(NOISE), sys.getrefcount(NOISE._core)
    fail(3500)
    assert (sys.getrefcount(NOISE), sys.getrefcount(NOISE._core)) == references
    assert len(gc.get_objects()) - objects < 200
    assert memory() - before < 2**21  # 200 bytes each


@pytest.mark.skipif(sys.platform == "win32", reason="timers that send signals")
def test_many_interrupts_leave_nothing_behind():
    def handler(*_):
        raise EnoughError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        counts = []
        for _ in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.005)
                hso.optimize(NOISE, 5000, gap=None)
                time.sleep(1.0)
            except EnoughError:
                counts.append(sys.getrefcount(NOISE._core))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert len(counts) == 60
    assert counts[0] == counts[-1]
