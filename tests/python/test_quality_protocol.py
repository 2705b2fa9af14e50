"""The paper's protocol on a tiny Stable Diffusion of random weights, features by a stand-in for Inception."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytest.importorskip("rich")
pytest.importorskip("scipy")
pytest.importorskip("torchmetrics")
pytest.importorskip("transformers")

import scipy.linalg
import torch

import hso
import protocol
import protocol_inputs
import protocol_model
import protocol_paper
import protocol_store
import protocol_table
import report_document
import tiny_stable_diffusion
from protocol_fid import Inception, frechet_distance
from protocol_schedules import SCHEDULES

SCRIPT = Path(protocol.__file__)
PROMPTS = ["a red cat", "two dogs, 1 ball", "a red cat", "", "the sea", "a hill"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    tiny_stable_diffusion.save(folder / "model", folder / "words")
    (folder / "prompts.txt").write_text("\n".join(PROMPTS) + "\n", encoding="utf-8")
    rng = np.random.default_rng(3)
    (folder / "real" / "more").mkdir(parents=True)
    for index in range(7):
        place = folder / "real" / ("more" if index % 2 else "") / f"{index}.png"
        Image.fromarray(rng.integers(0, 256, (12, 9 + index, 3), dtype=np.uint8)).save(place)
    return folder


def arguments(inputs, out, *more):
    return [
        *("--model", str(inputs / "model"), "--prompts", str(inputs / "prompts.txt"), "--real", str(inputs / "real")),
        *("--solvers", "UniPC", "DDIM", "--nfe", "4", "--schedules", "hso", "hso-paper", "uniform", "default"),
        *("--batch", "2", "--features", "stand_in_features:make", "--out", str(out), *more),
    ]


def contents(folder):
    """Every finished image and feature file by its name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.suffix in (".png", ".npy")}


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("done")
    assert protocol.main(arguments(inputs, out)) == 0
    return out


def test_every_cell_is_sampled_and_measured(done):
    results = json.loads((done / "results.json").read_text())
    assert [(row["solver"], row["schedule"], row["terminal"]) for row in results["rows"]] == [
        ("UniPC", "hso", "zero"),
        ("UniPC", "hso-paper", "t_min"),
        ("UniPC", "uniform", "zero"),
        ("UniPC", "default", "zero"),
        ("DDIM", "hso", "zero"),
        ("DDIM", "hso-paper", "zero"),
        ("DDIM", "uniform", "zero"),
        ("DDIM", "default", "zero"),
    ]
    assert all(row["n"] == 5 and len(row["timesteps"]) == 4 for row in results["rows"])
    # schedules that are the same share their images
    folders = {row["images"] for row in results["rows"]}
    assert {p.name for p in (done / "images").iterdir()} == folders
    assert all(len(list((done / "images" / folder).glob("*.png"))) == 5 for folder in folders)
    assert results["run"]["guidance_scale"] == 7.5 and results["run"]["real_images"] == 7
    # what report.py reads
    assert report_document.parse(results).models == [results["run"]["model"]]


def test_fids_are_those_of_the_files(done, inputs):
    from stand_in_features import Moments

    def moments(pixels):
        values = np.concatenate([Moments()(torch.tensor(p).permute(2, 0, 1)[None]).numpy() for p in pixels])
        return values.mean(0), np.cov(values, rowvar=False)

    real = [protocol_store.read_image(path, (8, 8)) for path in sorted((inputs / "real").rglob("*.png"))]
    mean, covariance = moments(real)
    results = json.loads((done / "results.json").read_text())
    for row in results["rows"]:
        files = (done / "images" / row["images"]).glob("*.png")
        other, spread = moments([np.asarray(Image.open(file)) for file in files])
        product = np.linalg.eigvals(covariance @ spread)
        expected = np.sum((mean - other) ** 2) + np.trace(covariance + spread) - 2 * np.sqrt(product + 0j).real.sum()
        # the features are kept in float32, and both covariances are singular
        assert row["fid_test"]["mean"] == pytest.approx(expected, abs=2e-4)


def test_frechet_distance_of_gaussians_in_closed_form():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 5)), 0.3 + rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5))
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match=r"sampled features must be \(n, d\) with n >= 2"):
        frechet_distance(a, b[:1])
    with pytest.raises(ValueError, match="real features must be finite"):
        frechet_distance(np.full((3, 5), np.nan), b)


def test_images_are_what_the_pipeline_gives_for_each_prompt_alone(done, inputs):
    model = protocol_model.Model.load(str(inputs / "model"), torch.device("cpu"), torch.float32)
    (row,) = [r for r in json.loads((done / "results.json").read_text())["rows"] if r["schedule"] == "uniform"][1:]
    planned = protocol_inputs.jobs([p for p in PROMPTS if p], images_per_prompt=1, seed=0)
    model.prepare("DDIM", 4, hso.schedules.uniform_t(model.noise_schedule, 4))
    for job in planned:
        image = np.asarray(Image.open(done / "images" / row["images"] / f"{job.key}.png")).astype(int)
        # alone the rounding differs from that in a batch
        assert np.max(np.abs(model.sample([job], 4, 7.5)[0].astype(int) - image)) <= 1
    assert len({(done / "images" / row["images"] / f"{job.key}.png").read_bytes() for job in planned}) == 5


def test_resumed_run_ends_with_the_same_files(done, inputs, tmp_path, monkeypatch):
    calls = []
    sample = protocol_model.Model.sample

    def until_interrupted(self, *given):
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return sample(self, *given)

    monkeypatch.setattr(protocol_model.Model, "sample", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        protocol.main(arguments(inputs, tmp_path))
    assert len(json.loads((tmp_path / "results.json").read_text())["rows"]) == 1
    kept = contents(tmp_path)
    assert kept.items() <= contents(done).items() and any(name.endswith(".png") for name in kept)
    assert protocol.main(arguments(inputs, tmp_path)) == 0
    assert contents(tmp_path) == contents(done)
    assert (tmp_path / "table.md").read_text() == (done / "table.md").read_text()
    before = len(calls)
    assert protocol.main(arguments(inputs, tmp_path)) == 0
    assert len(calls) == before


def test_full_disk_keeps_what_was_finished(done, inputs, tmp_path, monkeypatch, capsys):
    write = Path.write_bytes

    def full(self, content):
        if self.name.startswith(".") and ".png" in self.name and len(list(tmp_path.rglob("*.png"))) >= 7:
            write(self, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert protocol.main(arguments(inputs, tmp_path)) == 1
    message = capsys.readouterr().err
    assert "No space left on device. What was finished is kept" in message and str(tmp_path) in message
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
    assert contents(tmp_path).items() <= contents(done).items()
    assert protocol.main(arguments(inputs, tmp_path)) == 0
    assert contents(tmp_path) == contents(done)


@pytest.mark.slow
def test_two_processes_make_the_same_files(done, inputs, tmp_path):
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    tests = str(Path(__file__).parent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": tests, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([*launcher, str(SCRIPT), *arguments(inputs, tmp_path)], check=True, env=environment, timeout=120)
    ours, theirs = contents(tmp_path), contents(done)
    assert ours.keys() == theirs.keys()
    assert ours == theirs
    rows = [json.loads((folder / "results.json").read_text())["rows"] for folder in (tmp_path, done)]
    assert rows[0] == rows[1]


def test_discarded_images_leave_the_results(done, inputs, tmp_path):
    assert protocol.main(arguments(inputs, tmp_path, "--discard-images")) == 0
    assert not list(tmp_path.rglob("*.png"))
    assert (tmp_path / "table.md").read_text() == (done / "table.md").read_text()


def test_other_weights_are_another_model(inputs, tmp_path):
    def fingerprint(folder):
        return protocol_model.Model.load(str(folder), torch.device("cpu"), torch.float32).fingerprint

    tiny_stable_diffusion.save(tmp_path / "same", tmp_path / "words")
    tiny_stable_diffusion.save(tmp_path / "other", tmp_path / "words2", seed=1)
    assert fingerprint(tmp_path / "same") == fingerprint(inputs / "model") != fingerprint(tmp_path / "other")


def test_table_has_the_papers_numbers_beside_the_measured(done):
    lines = (done / "table.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    rows = {tuple(row[:3]): row[3:] for row in cells[2:]}
    measured = {
        (row["solver"], str(row["nfe"]), row["schedule"]): row["fid_test"]["mean"]
        for row in json.loads((done / "results.json").read_text())["rows"]
    }
    for cell, fid in measured.items():
        assert rows[cell][1].strip("*") == f"{fid:.2f}"
    assert rows["UniPC", "4", "hso-paper"][2:] == [
        "15.71 (Table 2), 15.70 (Table 7)",
        "23.26 (Table 2)",
        "17.20 (Table 2)",
    ]
    assert rows["DDIM", "5", "hso-paper"][1:] == ["", "17.17 (Table 2)", "23.15 (Table 2)", "16.02 (Table 2)"]
    assert rows["UniPC", "8", "hso-paper"][2] == "8.79 (Table 3)"
    assert rows["UniPC", "5", "default"][3] == "24.06 (Table 4)"
    assert sum(row[1].startswith("**") for row in rows.values()) >= 2


def test_printed_schedules_exist_and_every_schedule_can_be_made():
    assert {entry.schedule for entry in protocol_paper.PUBLISHED} <= SCHEDULES.keys()
    noise = hso.NoiseSchedule.preset("sd21")
    for solver in protocol.PAPER_TERMINAL:
        for name, build in SCHEDULES.items():
            schedule = build(noise, solver, 4)
            assert schedule is None if name == "default" else schedule.steps == 4


def test_repeated_prompts_get_images_of_their_own():
    planned = protocol_inputs.jobs(["a", "b", "a"], images_per_prompt=2, seed=0)
    assert [(job.prompt, job.number) for job in planned] == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2), ("a", 3)]
    assert len({job.key for job in planned}) == len({job.noise_seed for job in planned}) == 6
    other = protocol_inputs.jobs(["b"], images_per_prompt=2, seed=0)
    assert [job.key for job in other] == [job.key for job in planned[2:4]]
    assert protocol_inputs.jobs(["b"], images_per_prompt=1, seed=1)[0].noise_seed != other[0].noise_seed


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("--prompts", lambda path: None, "prompts file .* cannot be read: No such file"),
        ("--prompts", lambda path: path.write_text(" \n\n"), "must have at least one line that is not blank"),
        ("--prompts", lambda path: path.write_bytes(b"caf\xe9\n"), "must be UTF-8 text"),
        ("--prompts", lambda path: path.write_text("one\n"), "FID needs at least 2 images, got 1"),
        ("--real", lambda path: None, "folder of real images .* does not exist"),
        ("--real", lambda path: path.mkdir(), "must have at least 2 images .*, got 0"),
        ("--model", lambda path: None, "is neither a folder nor a name of the form owner/model"),
        ("--model", lambda path: path.mkdir(), "cannot be loaded as a Stable Diffusion pipeline"),
    ],
)
def test_what_is_in_the_way_is_said(inputs, tmp_path, capsys, name, make, message):
    make(tmp_path / "given")
    assert protocol.main(arguments(inputs, tmp_path / "out", name, str(tmp_path / "given"))) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not (tmp_path / "out").exists()


def test_broken_real_image_is_named(inputs, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    assert protocol.main(arguments(inputs, tmp_path / "out", "--real", str(tmp_path))) == 1
    assert "a.png cannot be read as an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--nfe", "1"], "--nfe must be from 2 to 100, got 1"),
        (["--batch", "0"], "--batch must be at least 1, got 0"),
        (["--schedules", "best"], "invalid choice: 'best'"),
        (["--guidance-scale", "nan"], "--guidance-scale must be from 0 to 100, got nan"),
    ],
)
def test_wrong_options(inputs, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit):
        protocol.parse(arguments(inputs, tmp_path, *more))
    assert message in capsys.readouterr().err


def test_features_that_cannot_be_made(inputs, tmp_path):
    for wrong in ("nowhere", "json:nothing", "no_such_module:make"):
        options = protocol.parse(arguments(inputs, tmp_path, "--features", wrong))
        with pytest.raises(ValueError, match="--features must be inception or MODULE:FACTORY"):
            protocol.make_extractor(options, torch.device("cpu"))
    with pytest.raises(ValueError, match=r"Inception's weights .* do not exist"):
        Inception(torch.device("cpu"), tmp_path / "missing.pth")


def test_real_images_are_cut_around_the_middle(tmp_path):
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.all(protocol_store.read_image(tmp_path / "a.png", (2, 2)) == 200)
    assert np.array_equal(protocol_store.read_image(tmp_path / "a.png"), pixels)


def test_half_a_table_before_anything_is_measured():
    run = {"model": "m", "images": 2, "prompts": 2, "seed": 0, "guidance_scale": 7.5, "real_images": 2, "features": "f"}
    text = protocol_table.markdown(run, [{"solver": "UniPC", "nfe": 4, "schedule": "hso-paper", "terminal": "t_min"}])
    assert "| UniPC | 4 | hso-paper | t_min |  | 15.71 (Table 2), 15.70 (Table 7) |" in text and "**" not in text
