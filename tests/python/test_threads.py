"""Many Python threads at once: the same schedules as one after the other; and how much faster."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hso
from bench_threads import CASES, throughput

NOISES = [
    hso.NoiseSchedule.preset("sd21"),
    hso.NoiseSchedule.flow(shift=3.0),
    hso.NoiseSchedule.edm(),
    hso.NoiseSchedule.vp_cosine(),
]
OPTIONS = [
    {},
    {"terminal": "t_min", "gap": None},
    {"search": "bilevel"},
    {"search": "bilevel", "local": "slsqp", "threads": 2},
    {"search": "paper", "d_min": 0.0},
    {"objective": "dm_nonuni", "d_min": 0.0},
]


def request(i):
    return NOISES[i % 4], 4 + i % 3, OPTIONS[i % len(OPTIONS)]


def answer(i):
    """The bits of a schedule's nodes, and a message where there is none."""
    noise, nfe, options = request(i)
    try:
        schedule = hso.optimize(noise, nfe, **options)
    except ValueError as error:
        return str(error)
    return schedule.t.tobytes(), schedule.fitness, noise.lam(schedule.t[:-1]).tobytes()


def test_shared_noise_schedules_give_the_serial_answers():
    order = [*range(24), *range(23, -1, -1)]
    expected = [answer(i) for i in order]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answer, order)) == expected


def test_failures_do_not_meet():
    """Every thread gets its own error."""

    def message(i):
        with pytest.raises(ValueError) as caught:
            hso.optimize(NOISES[0], 5, d_min=1.0 + i)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        for i, text in enumerate(pool.map(message, range(200))):
            assert text.endswith(f"got {1 + i}")


def test_other_threads_run_python_during_a_search():
    """The GIL is released: another thread goes on counting."""
    counted, over = 0, threading.Event()

    def count():
        nonlocal counted
        while not over.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = counted
        hso.optimize(NOISES[0], 5000, gap=None)
        assert counted - before > 1000
    finally:
        over.set()
        thread.join()


def test_a_schedules_nodes_may_be_read_by_all():
    schedule = hso.optimize(NOISES[0], 8)
    with ThreadPoolExecutor(8) as pool:
        sums = list(pool.map(lambda _: float(np.sum(schedule.timesteps)), range(500)))
    assert len(set(sums)) == 1


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
@pytest.mark.parametrize("name", ["exact, nfe 100", "bilevel, nfe 10"])
def test_two_threads_do_almost_twice_as_much(name):
    runs = [throughput(CASES[name], seconds=1.0) for _ in range(5)]
    loaded = min(run["processor_share"] for run in runs) < 0.9
    best = max(run["gain"] for run in runs)
    print(f"{name}: {best:.2f} times")
    if loaded and best < 1.8:
        pytest.skip("other processes use the processors")
    assert best >= 1.8


def test_the_module_says_that_it_needs_no_gil():
    if not hasattr(sys, "_is_gil_enabled"):
        pytest.skip("of Python 3.13 on")
    import sysconfig

    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("not a free-threaded Python")
    assert not sys._is_gil_enabled()
