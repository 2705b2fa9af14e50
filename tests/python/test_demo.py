"""The main job on two images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

for module in ("torch", "diffusers", "rich", "PIL"):
    pytest.importorskip(module)

DEMO = Path(__file__).parents[2] / "bench" / "quality" / "demo.py"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The demo in a process of its own, whose threads leave the processor to others while they wait."""
    folder = tmp_path_factory.mktemp("demo")
    arguments = ["--samples", "2", "--nfe", "4", "--steps", "60", "--columns", "2", "--out", str(folder)]
    process = subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    assert process.returncode == 0, process.stderr
    return process, folder, json.loads((folder / "demo.json").read_text())


def test_every_schedule_is_compared(done):
    _, _, report = done
    assert [(row["solver"], row["schedule"], row["terminal"]) for row in report["distances"]] == [
        ("UniPC", "default", "zero"),
        ("UniPC", "uniform", "zero"),
        ("UniPC", "DM-NonUni", "t_min"),
        ("UniPC", "HSO paper", "t_min"),
        ("UniPC", "HSO", "zero"),
        ("DDIM", "default", "zero"),
        ("DDIM", "uniform", "zero"),
        ("DDIM", "DM-NonUni", "zero"),
        ("DDIM", "HSO paper", "zero"),
        ("DDIM", "HSO", "zero"),
    ]
    assert all(row["nfe"] == len(row["timesteps"]) == 4 for row in report["distances"])


def test_distances_are_finite_and_above_the_solutions_own_error(done):
    _, _, report = done
    distances = np.array([row["rmse"] for row in report["distances"]])
    assert np.all(np.isfinite(distances)) and np.all(distances < 1.0)
    assert np.all(distances > 2.0 * report["solution"]["rmse_to_half_the_steps"])
    assert all(0.0 < row["standard_error"] < row["rmse"] for row in report["distances"])


def test_schedules_are_strictly_decreasing_and_spaced(done):
    _, _, report = done
    for row in report["stable_diffusion_21"]:
        assert np.all(np.diff(row["sigmas"]) < 0) and len(row["sigmas"]) == len(row["timesteps"]) + 1 == 5
        assert row["min_spacing"] >= row["d_min"] - 1e-9
        assert np.isfinite(row["fitness"]) and row["fitness"] > 0


def test_the_least_distance_is_marked_whoever_has_it(done):
    process, _, report = done
    for solver in ("UniPC", "DDIM"):
        least = min(row["rmse"] for row in report["distances"] if row["solver"] == solver)
        marked = [line for line in process.stdout.splitlines() if f" {solver} " in line and "*" in line]
        assert len(marked) == 1 and f"{least:.4f}" in marked[0]


def test_picture_has_both_solvers_blocks(done):
    image = pytest.importorskip("PIL.Image")
    _, folder, _ = done
    with image.open(folder / "grid.png") as picture:
        assert picture.format == "PNG" and picture.width > 400 and picture.height > 300


@pytest.mark.parametrize("arguments", [["--steps", "3"], ["--steps", "1000"], ["--nfe", "1"], ["--samples", "0"]])
def test_bad_options_are_refused(arguments, capsys):
    from demo import parse

    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err
