"""The main job on two images."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

for module in ("torch", "diffusers", "rich", "PIL"):
    pytest.importorskip(module)

DEMO = Path(__file__).parents[2] / "bench" / "quality" / "demo.py"


def test_demo_writes_its_picture_and_numbers(tmp_path):
    arguments = ["--samples", "2", "--nfe", "4", "--steps", "20", "--columns", "2", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, str(DEMO), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "demo.json").read_text())
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    rows = report["distances"]
    assert {(row["solver"], row["schedule"]) for row in rows} >= {
        ("UniPC", "default"), ("UniPC", "uniform"), ("UniPC", "DM-NonUni"), ("UniPC", "HSO, t_min"),
        ("DDIM", "HSO, zero"),
    }  # fmt: skip
    distances = np.array([row["rmse"] for row in rows])
    assert np.isfinite(distances).all() and (distances > 0.01).all() and (distances < 1.0).all()
    assert "many-step solution" in done.stdout


def test_demo_refuses_odd_steps():
    done = subprocess.run([sys.executable, str(DEMO), "--steps", "3"], capture_output=True, text=True)
    assert done.returncode == 2 and "--steps even" in done.stderr
