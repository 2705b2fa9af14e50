"""The lab itself: what it runs, what it keeps, and that a second look gives the same numbers."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

for module in ("torch", "diffusers", "accelerate", "matplotlib", "PIL", "rich", "scipy", "safetensors"):
    pytest.importorskip(module)

import torch  # noqa: E402
from PIL import Image  # noqa: E402

import hso  # noqa: E402
import lab  # noqa: E402
import lab_grids  # noqa: E402
import models  # noqa: E402
import run  # noqa: E402
import subject  # noqa: E402
from catalogue import catalogue  # noqa: E402
from hso import schedules  # noqa: E402
from measures import distances  # noqa: E402
from plan import QUICK, tasks  # noqa: E402
from store import Store, content_key  # noqa: E402
from whole_file import StorageError  # noqa: E402

LAB = Path(__file__).parents[2] / "bench" / "quality" / "lab.py"
TINY = ["--models", "mixture", "--nfe", "4", "--seeds", "2", "--samples", "6"]
TINY += ["--premise", "5", "--interior", "4", "--premise-samples", "6", "--oracle", "8", "--oracle-samples", "6"]


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


@pytest.mark.parametrize(("solver", "least", "most"), [("Euler", 0.85, 1.2), ("DPM++ 2M", 1.6, 2.6)])
def test_edm_is_the_mixture_at_other_noise_levels(solver: str, least: float, most: float) -> None:
    """Its schedulers are given EDM's F: they converge with their orders, to the solution of another spacing."""
    model: Any = run.load("edm")
    assert model.noise.family == "ve" and run.kept_as("edm") == "mixture"
    noise = run.draw_noise(model, 4, 3)
    exact = run.solution("edm", model, noise)
    errors = [
        distances(run.sample("edm", model, solver, schedules.uniform_lambda(model.noise, steps), noise), exact)
        for steps in (60, 120)
    ]
    assert least < np.log2(np.median(errors[0]) / np.median(errors[1])) < most
    if solver == "DPM++ 2M":
        assert errors[1].max() < 1e-3


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
    behind = catalogue(noise, nfe, solver, decoder=True)[("HSO exact to 1/nfe", "t_min")]()
    assert behind.sigmas[-1] == pytest.approx(1.0 / nfe if noise.family == "vp" else 1.0 / (nfe + 1))
    ours, uniform = made[("HSO exact", "skip")](), made[("uniform t, HSO's ends", "skip")]()
    assert (uniform.t[0], uniform.psi.t_min) == pytest.approx((ours.t[0], ours.psi.t_min), rel=1e-9)


def test_results_are_written_to_seven_digits_a_row_a_line() -> None:
    document = {"run": {"seconds": 0.1}, "rows": [{"a": [1.0 / 3.0, 1], "b": None}, {"a": "x"}], "left_out": []}
    text = lab.compact(lab.rounded(document))
    assert json.loads(text) == document | {"rows": [{"a": [0.3333333, 1], "b": None}, {"a": "x"}]}
    assert max(len(line) for line in text.splitlines()) < 60


def test_keys_follow_the_content() -> None:
    key = content_key(a=1, b=np.arange(3.0))
    assert key == content_key(b=np.arange(3.0), a=1)
    others = [content_key(a=2, b=np.arange(3.0)), content_key(a=1, b=np.array([0.0, 1.0, np.nextafter(2.0, 3.0)]))]
    assert len({key, *others, content_key(a=1, b=np.arange(3))}) == 4


def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put("one", {"x": np.arange(3.0), "seconds": 0.5})
    fill_disk(monkeypatch, "two")
    with pytest.raises(StorageError, match=r"two\.npz cannot be written: No space left.*\. What was finished is kept"):
        store.put("two", {"x": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]
    kept = store.get("one")
    assert kept is not None and kept["seconds"] == 0.5 and store.get("two") is None


def fill_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No room for files with `name` in theirs."""
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        if name in self.name:
            write(self, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)


def test_damaged_results_are_measured_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = {"x": np.arange(300.0), "seconds": 0.5}
    store.put("one", made)
    path = tmp_path / "one.npz"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damages = [whole[:length] for length in (0, 1, 4, 100, len(whole) // 2, len(whole) - 1)] + [bytes(len(whole))]
    # The members, each with its check sum; the directory behind them has none.
    for place in rng.integers(0, whole.index(b"PK\x01\x02"), 200):
        damages.append(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
    for damage in damages:
        path.write_bytes(damage)
        kept = store.kept("one", lambda: made)
        assert kept["seconds"] == 0.5 and np.array_equal(kept["x"], made["x"])
    calls: list[int] = []
    store.kept("one", lambda: calls.append(1) or made)
    assert not calls


class Recorded(Store):
    """Keeps nothing but the keys that it is asked for."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def kept(self, key: str, make: Any) -> Any:
        self.keys.append(key)
        return {"images": np.zeros((2, 28, 28))}


def test_keys_follow_the_recipe_of_the_many_step_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    def keys(name: str) -> list[str]:
        store = Recorded()
        one = subject.Subject(name, 0, 2, store, against=np.zeros((2, 2)))
        assert len(one.solution) == 2
        one.measure("UniPC-2", schedules.uniform_t(one.model.noise, 5))
        return store.keys

    ours = keys("flow")
    monkeypatch.setattr(run, "MANY_STEPS_OF_FLOW", run.MANY_STEPS_OF_FLOW._replace(spacing="Karras"))
    assert not set(ours) & set(keys("flow"))
    # Of tables: as they were before there were recipes, whatever becomes of flow's.
    identity = {name: subject.fingerprint(folder) for name, folder in (("model", "sd"), ("classifier", "classifier"))}
    assert keys("sd")[0] == content_key(kind="solution", steps=100, seed=0, count=2, **identity)


def test_two_many_step_solutions_of_the_flow_model_agree() -> None:
    flow = models.load("flow")
    noise = run.draw_noise(flow, 2, 0)
    ours = run.solution("flow", flow, noise)
    t = np.cos(np.linspace(0.0, np.pi / 2, 300, endpoint=False)) ** 2
    other = hso.Schedule.from_nodes(flow.noise, np.clip(t, *flow.noise.t_range), terminal="zero")
    assert distances(ours, run.sample("flow", flow, "UniPC-3", other, noise)).max() < 2e-3


class Painter:
    """Stands for a subject: its solution is white, the images of every schedule gray."""

    solution = np.ones((16, 28, 28), np.float32)

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, int]] = []

    def first_images(self, solver: str, schedule: Any, count: int) -> Any:
        self.asked.append((solver, schedule, count))
        return np.zeros((count, 28, 28), np.float32)


def test_grids_have_the_schedules_that_ran() -> None:
    noise = hso.NoiseSchedule.flow(shift=1.0)
    found, _ = tasks(dataclasses.replace(QUICK, nfe=(3, 5, 8)), "flow", noise, lambda *_: None)
    found = [task for task in found if task[3:5] != ("Karras", "zero")]
    painter = Painter()
    stand_in: Any = SimpleNamespace(plan=dataclasses.replace(QUICK, nfe=(3, 5, 8)), subject=lambda *_: painter)
    made = lab_grids.grids(stand_in, "flow", found)
    assert list(made) == ["flow: UniPC-2, 5 network calls", "flow: UniPC-2, 8 network calls"]
    asked = [(solver, schedule.nfe, schedule.terminal, count) for solver, schedule, count in painter.asked]
    assert asked == [("UniPC-2", nfe, "zero", 12) for nfe in (5, 8) for _ in range(3)]
    assert [schedule.search for _, schedule, _ in painter.asked[1:3]] == ["paper", "exact"]
    picture = np.asarray(Image.open(BytesIO(made["flow: UniPC-2, 5 network calls"])).convert("L"))
    # Four rows of twelve tiles: the first white as the ground, three gray.
    assert np.mean(picture == 128) == pytest.approx(3 * 12 * 56 * 56 / picture.size, rel=0.02)
    # Neither of the usual numbers of calls, nor UniPC.
    stand_in.plan = dataclasses.replace(QUICK, nfe=(4,), solvers=("DDIM",))
    few, _ = tasks(stand_in.plan, "flow", noise, lambda *_: None)
    assert list(lab_grids.grids(stand_in, "flow", few)) == ["flow: Euler, 4 network calls"]


def document(tmp_path: Path, name: str, *arguments: str) -> dict[str, Any]:
    out = tmp_path / f"{name}.json"
    lab.main(["quick", *TINY, "--store", str(tmp_path / name), "--out", str(out), *arguments])
    return numbers(out)


def numbers(out: Path) -> dict[str, Any]:
    """A run's document and its page's pictures, but for times and settings."""
    found = json.loads(out.read_text())
    for row in found["rows"]:
        row.pop("seconds_per_image")
    del found["run"]
    found["pictures"] = re.findall(r'<img alt="[^"]*" src="[^"]*">', out.with_suffix(".html").read_text())
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
    assert numbers(out) == once


@pytest.mark.slow
def test_a_run_has_every_part(tmp_path: Path) -> None:
    found = document(tmp_path, "run")
    assert all(found[part] for part in ("rows", "floors", "tests", "premise", "ablation", "oracle"))
    names = {(row["schedule"], row["terminal"]) for row in found["rows"]}
    assert {("HSO exact", "zero"), ("HSO exact", "t_min"), ("uniform t, trailing", "zero")} <= names
    row = found["rows"][0]
    assert row["rmse"]["mean"] > 0.0 and row["rmse"]["std"] > 0.0 and row["n"] == 6 and row["seeds"] == 2
    assert all(0.0 <= test["p"] <= test["p_holm"] <= 1.0 for test in found["tests"])


@pytest.mark.slow
def test_quick_has_every_cell_and_a_page(tmp_path: Path) -> None:
    out = tmp_path / "quick.json"
    lab.main(["quick", "--store", str(tmp_path / "store"), "--out", str(out)])
    found = json.loads(out.read_text())
    assert found["run"]["name"] == "quick: mixture, sd" and 0.0 < found["run"]["seconds"] < 3600.0
    for model in QUICK.models:
        of = {part: [row for row in found[part] if row["model"] == model] for part in found if part != "run"}
        left_out = {(row["solver"], row["nfe"], row["schedule"], row["terminal"]) for row in of["left_out"]}
        measured = {(row["solver"], row["nfe"], row["schedule"], row["terminal"]) for row in of["rows"]}
        noise = models.load(model).noise
        for solver in QUICK.solvers:
            for nfe in QUICK.nfe:
                cells = {(solver, nfe, *key) for key in catalogue(noise, nfe, solver)}
                assert cells <= measured | left_out and not measured & left_out
                # Every terminal of HSO's exact search that ran against every rival that ran.
                names = [cell[2] for cell in measured & cells]
                ours = names.count("HSO exact")
                tests = [test for test in of["tests"] if (test["solver"], test["nfe"]) == (solver, nfe)]
                assert ours >= 2 and len(tests) == ours * (len(names) - ours)
        assert all(row["seeds"] == 2 and row["rmse"]["std"] >= 0.0 for row in of["rows"])
        assert all(0.0 <= test["p"] <= test["p_holm"] <= 1.0 for test in of["tests"])
        assert {row["measure"] for row in of["floors"]} == {"fid_test", "kid_test"} and len(of["floors"]) == 6
        premise = {(row["solver"], row["proxy"], row["measure"]) for row in of["premise"]}
        assert {(solver, proxy, "rmse") for solver in QUICK.solvers for proxy in ("mep", "spf")} <= premise
        assert all(row["schedules"] == len(row["points"]) >= 24 for row in of["premise"])
        assert of["ablation"]
    page = out.with_suffix(".html").read_text()
    for model in QUICK.models:
        assert f"<h2>Model {model}</h2>" in page
        for nfe in (5, 8):
            assert f'<img alt="{model}: UniPC-2, {nfe} network calls" src="data:image/png;base64,' in page
    assert "quick: mixture, sd" in page and f"{found['run']['seconds']:.4g}" in page


def results() -> lab.Results:
    """A document of one row."""
    row = {"model": "sd", "solver": "DDIM", "nfe": 4, "schedule": "HSO exact", "terminal": "zero", "seeds": 2, "n": 4}
    row |= {"timesteps": [999.0], "sigmas": [14.0, 0.0], "rmse": {"mean": 0.5, "std": 0.1}}
    return lab.Results({"run": {"name": "quick: sd", "seconds": 12.5}, "rows": [row]}, {})


def test_the_page_lies_beside_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "run", lambda *_: results())
    lab.main(["quick", "--store", str(tmp_path / "s"), "--out", str(tmp_path / "deep" / "x.json")])
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["x.html", "x.json"]
    page = (tmp_path / "deep" / "x.html").read_text()
    assert "Quality of schedules: quick: sd" in page and "<td>seconds</td>" in page and "12.5" in page


@pytest.mark.parametrize("file", ["x.json", "x.html"])
def test_results_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setattr(lab, "run", lambda *_: results())
    arguments = ["quick", "--store", str(tmp_path / "s"), "--out", str(tmp_path / "x.json")]
    with monkeypatch.context() as patch:
        fill_disk(patch, file)
        with pytest.raises(SystemExit, match=rf"error: .*{file} cannot be written: No space left.* finished is kept"):
            lab.main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == (["x.json"] if file == "x.html" else [])
    lab.main(arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.html", "x.json"]


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "run", lambda *_: pytest.fail("measured first"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"error: .*file"):
        lab.main(["quick", "--store", str(tmp_path / "s"), "--out", str(tmp_path / "file" / "x.json")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "1"], "--seeds must be at least 2, got 1"),
        (["--nfe", "1"], "--nfe must be at least 2, got 1"),
        (["--models", "sdxl"], "invalid choice: 'sdxl'"),
        (["--out", "x.html"], "--out must end in .json, got x.html"),
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
