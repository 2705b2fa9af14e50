"""Models on disk: `hso calibrate`, and sources that are folders, configurations and profiles."""

import json
import signal
import subprocess
import sys

import pytest

pytest.importorskip("typer")
pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import diffusers
import numpy as np

import hso
import tiny_stable_diffusion
from command_line import done, in_process, run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny_stable_diffusion.save(folder / "sd", folder / "scratch")
    return folder / "sd"


@pytest.fixture(scope="module")
def profile(model):
    path = model.parent / "sd.json"
    prompts = model.parent / "prompts.txt"
    prompts.write_text("a cat\n\na dog\n")
    words = ["--prompts-file", prompts, "--guidance", "3", "--solver", "ddim", "--budget", "320", "--seed", "4"]
    process = in_process("calibrate", model, *words, "-o", path, "--json")
    assert process.returncode == 0, process.stderr
    assert process.stderr.startswith(f"saved {path}: ") and process.stderr.count("\n") == 1
    return path, json.loads(process.stdout)


def test_calibrate_is_the_librarys(model, profile):
    path, printed = profile
    pipe = diffusers.DiffusionPipeline.from_pretrained(model)
    pipe.set_progress_bar_config(disable=True)
    call = {"prompt": ["a cat", "a dog"], "guidance_scale": 3.0}
    wanted = hso.calibrate(pipe, solver="ddim", budget=320, seed=4, call=call)
    found = hso.Profile.load(path)
    assert found.optimize(5) == wanted.optimize(5)
    assert printed["fingerprint"] == found.fingerprint and printed["evaluations"] == found.evaluations
    assert {int(nfe): error for nfe, error in printed["curve"].items()} == pytest.approx(found.curve())


def test_optimize_from_a_profile(profile, capsys):
    path, _ = profile
    found = hso.Profile.load(path)
    document = json.loads(done(capsys, "optimize", path, "-n", "4,6", "--json"))
    for each, error, schedule in zip(
        document["schedules"], document["expected_errors"], found.optimize([4, 6]), strict=True
    ):
        assert hso.Schedule.from_json(json.dumps(each)) == schedule and error == found.error(schedule)
    assert f"expected error {found.error(found.optimize(5)):.4g}" in done(capsys, "optimize", path)


def test_compare_on_a_profile(profile, capsys):
    path, _ = profile
    rows = json.loads(done(capsys, "compare", path, "-m", "calibrated,exact", "--json"))["comparisons"][0]["rows"]
    found = hso.Profile.load(path)
    assert rows[0]["error"] == found.error(found.optimize(5)) < rows[1]["error"]


def test_what_a_profile_decides_is_refused(profile, capsys):
    path, _ = profile
    for words in (["--shift", "3"], ["--search", "exact"], ["--limits", "published"], ["--terminal", "skip"]):
        code, out, err = run(capsys, "optimize", path, *words)
        assert (code, out, err.count("\n")) == (2, "", 1) and words[0][2:] in err


@pytest.mark.parametrize("place", ["", "scheduler", "scheduler/scheduler_config.json", "model_index.json"])
def test_folders_and_configurations(place, model, capsys):
    noise = hso.diffusers.noise_schedule(str(model / place))
    document = json.loads(done(capsys, "optimize", model / place, "--json"))["schedules"][0]
    assert hso.Schedule.from_json(json.dumps(document)) == hso.optimize(noise, 5)


def test_a_sized_configuration(tmp_path, capsys):
    config = hso.presets.get("flux-dev").scheduler_config
    (tmp_path / "scheduler_config.json").write_text(json.dumps(config))
    words = ["--width", "768", "--height", "512", "--json"]
    sigmas = json.loads(done(capsys, "optimize", tmp_path, *words))["schedules"][0]["sigmas"]
    wanted = hso.optimize(hso.NoiseSchedule.preset("flux-dev", width=768, height=512), 5).sigmas
    assert np.allclose(sigmas, wanted)
    code, _, err = run(capsys, "optimize", tmp_path)
    assert (code, err.count("\n")) == (2, 1) and "width" in err


def test_a_pipeline_that_cannot_be_loaded(tmp_path, capsys):
    (tmp_path / "model_index.json").write_text('{"_class_name": "NoPipeline", "_diffusers_version": "0.30.0"}')
    code, out, err = run(capsys, "calibrate", tmp_path, "-o", tmp_path / "x.json")
    assert (code, out, err.count("\n")) == (1, "", 1) and "cannot be loaded" in err


def test_a_budget_that_is_too_small(model, capsys):
    code, out, err = run(capsys, "calibrate", model, "--prompt", "a", "--budget", "10", "-o", model.parent / "x.json")
    assert (code, out, err.count("\n")) == (2, "", 1) and "budget" in err


TELLS_WHEN_IT_MEASURES = """
import contextlib, sys
import hso.cli.calibrate
from hso.cli import main

@contextlib.contextmanager
def counting(what):
    yield lambda done, total: print("measuring", flush=True)

hso.cli.calibrate.counting = counting
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupt_of_a_calibration_leaves_no_file(model):
    path = model.parent / "never.json"
    words = ["calibrate", str(model), "--prompt", "a cat", "--budget", "200000", "-o", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", TELLS_WHEN_IT_MEASURES, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "measuring\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "hso: interrupted\n")
    assert not path.exists()
