"""The examples run, and print what the library computes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hso

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(code: str, *arguments: str) -> str:
    """Standard output of a process of its own, in which nothing but NumPy is imported unless asked for."""
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=os.environ)
    assert process.returncode == 0, process.stderr
    return process.stdout


ADAPTIVITY = f"""
import runpy, sys
runpy.run_path({str(EXAMPLES / "adaptivity.py")!r}, run_name="__main__")
print(sorted({{"matplotlib", "torch", "diffusers", "scipy"}} & set(sys.modules)))
"""


SIDES = {"sd21": (512, 768), "pixart-alpha": (512, 1024), "sd3": (512, 1024), "flux-dev": (512, 1024)}


def test_adaptivity_needs_numpy_alone_and_prints_the_optima() -> None:
    *lines, imported = run(ADAPTIVITY, "--nfe", "4").splitlines()
    assert imported == "[]" and len(lines) == 1 + 3 * 8
    blocks = {" ".join(lines[i].split()[:2]): [line[60:] for line in lines[i : i + 3]] for i in range(1, 25, 3)}
    assert list(blocks) == [f"{name} {side}x{side}" for name, sides in SIDES.items() for side in sides]
    for name, sides in SIDES.items():
        small, large = (blocks[f"{name} {side}x{side}"] for side in sides)
        assert (small != large) == (name == "flux-dev")
    schedule = hso.optimize(hso.NoiseSchedule.preset("flux-dev", width=512, height=512), 4)
    for line, (name, values) in zip(
        blocks["flux-dev 512x512"],
        {"timesteps": schedule.timesteps, "sigma": schedule.sigmas, "lambda": schedule.lambdas[:-1]}.items(),
        strict=True,
    ):
        label, *printed = line.split()
        assert label == name
        np.testing.assert_allclose(np.array(printed, float), values, atol=0.051 if name == "timesteps" else 0.00051)


def test_adaptivity_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "schedules.png"
    run(ADAPTIVITY, "--nfe", "3", "--plot", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_shift_moves_the_ends_alone() -> None:
    """What the example says: with ranges of one's own both sizes have one schedule, with the defaults two."""
    small, large = (hso.NoiseSchedule.preset("flux-dev", width=side, height=side) for side in (512, 1024))
    ends = {"t_min": (0.02, 0.05), "t_max": (0.95, 0.99)}
    np.testing.assert_array_equal(hso.optimize(small, 5, **ends).t, hso.optimize(large, 5, **ends).t)
    mine, other = hso.optimize(small, 5), hso.optimize(large, 5)
    assert mine.t[0] == other.t[0] and np.all(mine.t[1:-1] < other.t[1:-1])
    for noise, schedule in ((small, mine), (large, other)):
        assert np.exp(-schedule.lambdas[-2]) == pytest.approx(1.5 * noise.shift / 5)
