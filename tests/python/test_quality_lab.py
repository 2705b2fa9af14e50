"""The lab itself: what it runs, what it keeps, and that a second look gives the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("torch", "diffusers", "accelerate", "rich", "scipy", "safetensors"):
    pytest.importorskip(module)

import torch  # noqa: E402

import hso  # noqa: E402
import lab  # noqa: E402
import models  # noqa: E402
import run  # noqa: E402
from catalogue import catalogue  # noqa: E402
from hso import schedules  # noqa: E402
from measures import distances  # noqa: E402
from store import Store, content_key  # noqa: E402

LAB = Path(__file__).parents[2] / "bench" / "quality" / "lab.py"
TINY = ["--models", "mixture", "--nfe", "4", "--seeds", "2", "--samples", "6"]
TINY += ["--premise", "5", "--premise-samples", "6", "--oracle", "8"]


@pytest.fixture(scope="module")
def mixture() -> Any:
    return models.load("mixture")


@pytest.mark.parametrize(
    ("solver", "least", "most"),
    [("DDIM", 0.85, 1.2), ("DPM++ 2M", 1.6, 2.6), ("UniPC-2", 1.9, 3.6), ("UniPC-3", 2.0, 5.0)],
)
def test_errors_fall_with_the_solvers_order(mixture: Any, solver: str, least: float, most: float) -> None:
    """On the exact model, where nothing but the solver errs; nodes uniform in lambda, stopped at t_min = 0.03.

    UniPC's first and last steps are of lower order, which its order 3 comes down to in the limit.
    """
    noise = run.draw_noise(mixture, 6, 3)

    def at(steps: int, name: str = solver) -> Any:
        schedule = schedules.uniform_lambda(mixture.noise, steps, terminal="t_min", t_min=0.03)
        return run.sample("mixture", mixture, name, schedule, noise)

    exact = at(500, "UniPC-3")
    # The median: a start on the border between two garments goes to either, with an error of its own kind.
    errors = [float(np.median(distances(at(steps), exact))) for steps in (60, 120)]
    assert least < np.log2(errors[0] / errors[1]) < most


def test_two_many_step_solutions_agree(mixture: Any) -> None:
    noise = run.draw_noise(mixture, 6, 0)
    ours = run.solution("mixture", mixture, noise)
    schedule = schedules.uniform_lambda(mixture.noise, 200)
    other = run.sample("mixture", mixture, "UniPC-2", schedule, noise)
    assert distances(ours, other).max() < 1e-3


@pytest.mark.parametrize(
    "noise", [hso.NoiseSchedule.preset("sd15"), hso.NoiseSchedule.flow(shift=1.0)], ids=["sd", "flow"]
)
@pytest.mark.parametrize("solver", ["DDIM", "UniPC-2"])
@pytest.mark.parametrize("nfe", [3, 8, 20])
def test_the_catalogue_holds_what_it_says(noise: Any, solver: str, nfe: int) -> None:
    made = catalogue(noise, nfe, solver)
    assert {"HSO exact", "HSO paper", "HSO bilevel", "Karras", "tan law", "uniform t, HSO's ends"} <= {
        k[0] for k in made
    }
    assert (("DM-NonUni", "t_min") in made) == (solver == "UniPC-2" and nfe <= 10)
    for (name, terminal), make in made.items():
        if name == "DM-NonUni" and nfe == 8:
            continue  # seconds
        schedule = make()
        assert (schedule.nfe, schedule.terminal) == (nfe, terminal), name
    ours, uniform = made[("HSO exact", "skip")](), made[("uniform t, HSO's ends", "skip")]()
    assert (uniform.t[0], uniform.psi.t_min) == pytest.approx((ours.t[0], ours.psi.t_min), rel=1e-9)


def test_keys_follow_the_content() -> None:
    key = content_key(a=1, b=np.arange(3.0))
    assert key == content_key(b=np.arange(3.0), a=1)
    others = [content_key(a=2, b=np.arange(3.0)), content_key(a=1, b=np.array([0.0, 1.0, np.nextafter(2.0, 3.0)]))]
    assert len({key, *others, content_key(a=1, b=np.arange(3))}) == 4


def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put("one", {"x": np.arange(3.0), "seconds": 0.5})
    monkeypatch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"cannot take another result .*No space left.* what is finished is kept"):
        store.put("two", {"x": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]
    assert store.get("one")["seconds"] == 0.5 and not store.has("two")


def document(tmp_path: Path, name: str, *arguments: str) -> dict[str, Any]:
    out = tmp_path / f"{name}.json"
    lab.main(["quick", *TINY, "--store", str(tmp_path / name), "--out", str(out), *arguments])
    found = json.loads(out.read_text())
    for row in found["rows"]:
        row.pop("seconds_per_image")
    del found["run"]
    return dict(found)


@pytest.mark.slow
def test_a_rerun_and_two_processes_give_the_same_numbers(tmp_path: Path) -> None:
    once = document(tmp_path, "once")
    assert document(tmp_path, "again") == once
    out = tmp_path / "two.json"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", str(LAB)]
    subprocess.run(
        [*command, "quick", *TINY, "--store", str(tmp_path / "two"), "--out", str(out)],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    both = json.loads(out.read_text())
    assert [{k: v for k, v in row.items() if k != "seconds_per_image"} for row in both["rows"]] == once["rows"]
    assert all(both[part] == once[part] for part in ("tests", "premise", "ablation", "oracle", "floors"))


@pytest.mark.slow
def test_a_run_has_every_part(tmp_path: Path) -> None:
    found = document(tmp_path, "run")
    assert all(found[part] for part in ("rows", "floors", "tests", "premise", "ablation", "oracle"))
    names = {(row["schedule"], row["terminal"]) for row in found["rows"]}
    assert {("HSO exact", "zero"), ("HSO exact", "t_min"), ("uniform t, trailing", "zero")} <= names
    row = found["rows"][0]
    assert row["rmse"]["mean"] > 0.0 and row["rmse"]["std"] > 0.0 and row["n"] == 6 and row["seeds"] == 2
    assert all(0.0 <= test["p"] <= test["p_holm"] <= 1.0 for test in found["tests"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "1"], "--seeds must be at least 2, got 1"),
        (["--nfe", "1"], "--nfe must be at least 2, got 1"),
        (["--models", "sdxl"], "invalid choice: 'sdxl'"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        lab.parse(["quick", "--out", "x.json", *arguments])
    assert message in capsys.readouterr().err


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.load, "__kwdefaults__", {**models.load.__kwdefaults__, "folder": tmp_path})
    with pytest.raises(
        SystemExit, match=r"error: .*mixture\.npz not found: make it with python bench/quality/fit_mixture"
    ):
        lab.main(["quick", *TINY, "--store", str(tmp_path / "s"), "--out", str(tmp_path / "x.json")])


def test_solvers_of_a_model() -> None:
    assert run.solvers_for("flow")[0] == "Euler" and run.solvers_for("sd")[0] == "DDIM"
    with pytest.raises(ValueError, match=r"solver must be one of Euler, .* for model 'flow', got 'DDIM'"):
        run.scheduler_for("flow", "DDIM")
    noise = run.draw_noise(models.load("mixture"), 2, 0)
    assert noise.dtype == torch.float64
