"""What bench/service calls flat memory."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import PIPE

import numpy as np
import pytest

from memory import KIB, MIB, judge, resident

SECONDS = list(range(600))
RANDOM = np.random.default_rng(1)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident_with(held: int) -> int:
    """Of a new process that holds so many bytes."""
    script = f"held = b'x' * {held}\nprint(len(held), flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None and int(process.stdout.readline()) == held
        found = resident(process.pid)
        process.communicate("\n")
    return found


def test_resident_is_what_a_process_holds() -> None:
    assert 60 * MIB < resident_with(64 * MIB) - resident_with(1) < 70 * MIB
    assert resident(2**30) == 0


def test_resident_counts_children() -> None:
    before = resident(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\ninput()"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdout is not None and child.stdout.readline()
        assert resident(os.getpid()) > before + 2 * MIB
        child.communicate(b"\n")


@pytest.mark.parametrize("size", [4 * MIB, 200 * MIB])
def test_noise_and_a_slow_start_are_flat(size: int) -> None:
    sizes = [size + int(RANDOM.normal(0.0, 20 * KIB)) - max(0, 60 - second) * size // 100 for second in SECONDS]
    judged = judge(SECONDS, sizes)
    assert judged["flat"] and judged["from_second"] == 60 and abs(judged["growth_kib"]) < 20


@pytest.mark.parametrize(("size", "leak"), [(4 * MIB, 30 * KIB), (200 * MIB, 240 * KIB)])
def test_a_leak_is_not(size: int, leak: int) -> None:
    judged = judge(SECONDS, [size + leak * second // 60 for second in SECONDS])
    assert not judged["flat"] and judged["slope_kib_per_minute"] == pytest.approx(leak / KIB, rel=0.01)
    assert judged["spread_kib"] < judged["spread_allowed_kib"]


def test_a_moment_of_much_memory_is_not() -> None:
    judged = judge(SECONDS, [4 * MIB + (2 * MIB if second == 300 else 0) for second in SECONDS])
    assert not judged["flat"] and judged["growth_kib"] < judged["growth_allowed_kib"]


def test_less_memory_is_no_leak() -> None:
    assert judge(SECONDS, [4 * MIB - 700 * second for second in SECONDS])["flat"]
