"""Child processes, however they come to be, find the same schedules; and what may be sent to them."""

import multiprocessing
import os
import pickle
import sys
import threading

import numpy as np
import pytest

import hso
from process_requests import REQUESTS, found, improved, same, serve

ALL_METHODS = multiprocessing.get_all_start_methods()
# Python 3.12 warns: a forked child may only be trusted with what takes no locks of its parent's other threads.
FORK_WARNING = "ignore:.*multi-threaded, use of fork.*:DeprecationWarning"


@pytest.mark.filterwarnings(FORK_WARNING)
@pytest.mark.parametrize("method", ALL_METHODS)
def test_pools_find_the_same(method):
    noise = hso.NoiseSchedule.from_betas(np.linspace(1e-4, 0.02, 1000))
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert all(same(a, b) for a, b in zip(pool.map(found, REQUESTS), map(found, REQUESTS), strict=True))
        assert same(pool.apply(improved, (noise,)), improved(noise))


def in_fork(work):
    """What `work` returns, a bool, in a forked child."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif("fork" not in ALL_METHODS, reason="os.fork")
@pytest.mark.filterwarnings(FORK_WARNING)
def test_a_fork_while_other_threads_search():
    expected = [found(request) for request in REQUESTS]
    over = threading.Event()

    def search():
        while not over.is_set():
            hso.optimize(hso.NoiseSchedule.preset("sd21"), 100, gap=None)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert in_fork(lambda: all(same(found(r), e) for r, e in zip(REQUESTS, expected, strict=True)))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert same(found(REQUESTS[0]), expected[0])


@pytest.mark.skipif("fork" not in ALL_METHODS, reason="os.fork")
@pytest.mark.filterwarnings(FORK_WARNING)
def test_a_child_that_another_thread_forked_can_be_interrupted():
    """There the forking thread is the main one."""
    code = []

    def fork():
        def work():
            import signal

            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                hso.optimize(hso.NoiseSchedule.preset("sd21"), 10_000)
            except KeyboardInterrupt:
                return True
            return False

        code.append(in_fork(work))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert code == [True]


def test_data_loader_workers_find_the_same():
    data = pytest.importorskip("torch.utils.data")

    class Schedules(data.Dataset):
        noise = hso.NoiseSchedule.flow(shift=3.0)

        def __len__(self):
            return 8

        def __getitem__(self, i):
            return hso.optimize(self.noise, 4 + i).sigmas[:4].copy()

    method = "fork" if "fork" in ALL_METHODS else "spawn"
    loader = data.DataLoader(Schedules(), batch_size=None, num_workers=2, multiprocessing_context=method)
    for i, sigmas in enumerate(loader):
        assert np.array_equal(sigmas, Schedules()[i])


def test_what_can_be_pickled():
    noise = hso.NoiseSchedule.flow(shift=3.0)
    schedule = hso.optimize(noise, 6)
    proxy = hso.ErrorProxy([-5.0, 0.0, 5.0], [2.0, 1.0, 0.5])
    assert pickle.loads(pickle.dumps(noise)) == noise
    assert same(pickle.loads(pickle.dumps(schedule)), schedule)
    again = pickle.loads(pickle.dumps(proxy))
    assert hso.mep(noise, [-1.0, 1.0], proxy=again) == hso.mep(noise, [-1.0, 1.0], proxy=proxy)


def test_the_core_itself_says_that_it_cannot():
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(hso.NoiseSchedule.flow()._core)


@pytest.mark.skipif(sys.platform == "win32", reason="takes long to start")
def test_queues_carry_schedules():
    context = multiprocessing.get_context("spawn")
    requests, answers = context.Queue(), context.Queue()
    worker = context.Process(target=serve, args=(requests, answers))
    worker.start()
    try:
        for nfe in (4, 9):
            requests.put((hso.NoiseSchedule.preset("sd21"), nfe))
            assert same(answers.get(timeout=60), hso.optimize(hso.NoiseSchedule.preset("sd21"), nfe))
    finally:
        requests.put(None)
        worker.join()
