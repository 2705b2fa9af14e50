"""What users get wrong: one line on stderr that says what to do, nothing on stdout, the documented exit code."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("typer")

from command_line import run

BAD = [
    ("optimize sd22", 2, "there is no preset, file or folder 'sd22', did you mean 'sd21'"),
    ("optimize zzzz", 2, "hso presets lists"),
    ("optimize no/such/folder", 2, "there is no file or folder"),
    ("optimize missing.json", 2, "there is no file or folder"),
    ("optimize", 2, "SOURCE"),
    ("optimize sd21 more", 2, "unexpected extra argument"),
    ("optimize sd21 --frobnicate", 2, "--frobnicate"),
    ("optimize sd21 --nfe", 2, "--nfe"),
    ("optimize sd21 --nfe 0", 2, "nfe must be in 1..10000, got 0"),
    ("optimize sd21 --nfe 20000", 2, "nfe must be in 1..10000"),
    ("optimize sd21 --nfe five", 2, "--nfe must be a number of network calls"),
    ("optimize sd21 --nfe 4,,5", 2, "--nfe must be"),
    ("optimize sd21 --nfe -3", 2, "--nfe must be"),
    ("optimize sd21 --nfe 4.5", 2, "--nfe must be"),
    ("optimize sd21 --nfe 8-4", 2, "a range must go up"),
    ("optimize sd21 --nfe 1-999999999", 2, "at most 100"),
    ("optimize sd21 --d-min 0.5", 2, "d_min"),
    ("optimize sd21 --d-min nan", 2, "d_min"),
    ("optimize sd21 --p nan", 2, "p must"),
    ("optimize sd21 --p -1", 2, "p must"),
    ("optimize sd21 --p two", 2, "--p"),
    ("optimize sd21 --gap nan", 2, "gap must"),
    ("optimize sd21 --gap small", 2, "--gap must be a number"),
    ("optimize sd21 --gamma inf", 2, "gamma"),
    ("optimize sd21 --seed -1", 2, "seed must be in 0.."),
    ("optimize sd21 --threads -1", 2, "threads must be in"),
    ("optimize sd21 --t-min 0.5,0.1", 2, "t_min"),
    ("optimize sd21 --t-min 1,2,3", 2, "--t-min must be a number or LOW,HIGH"),
    ("optimize sd21 --t-max 7", 2, "t_max"),
    ("optimize sd21 --terminal one", 2, "--terminal"),
    ("optimize sd21 --search grid", 2, "--search"),
    ("optimize sd21 --solver unipcc", 2, "--solver"),
    ("optimize sd21 --objective jump", 2, "objective must be"),
    ("optimize sd21 --shift 3", 2, "shift must be left out"),
    ("optimize sd3 --shift -3", 2, "shift"),
    ("optimize flux-dev --width 0 --height 512", 2, "width must be in"),
    ("optimize sd21 --export csv", 2, "format must be one of"),
    ("optimize sd21 --nfe 4,5 --export comfyui", 2, "one number"),
    ("optimize sd21 --json --export comfyui", 2, "exclude each other"),
    ("optimize sd21 --nfe 4,5 -o x.json", 2, "{nfe}"),
    ("optimize sd21 -o no/such/folder/x.json", 1, "No such file or directory"),
    ("optimize not.json", 2, "is no JSON file"),
    ("optimize list.json", 2, "must hold a JSON object"),
    ("optimize binary.json", 2, "is no JSON file"),
    ("optimize five.json", 2, "is a schedule file"),
    ("optimize profile.json", 2, "is damaged"),
    ("explain five.json --nfe 4", 2, "--nfe must be left out with a schedule file"),
    ("explain five.json --p 1", 2, "--p must be left out"),
    ("explain five.json --noise sd3", 2, "noise"),
    ("explain five.json --width 512", 2, "--width must be left out"),
    ("explain damaged.json", 2, "damaged.json' "),
    ("explain sd21 --noise sd21", 2, "--noise is for schedule files"),
    ("explain sd21 --nfe 4,5", 2, "--nfe must be a single number here"),
    ("export sd21", 2, "FORMAT"),
    ("export sd21 comfy", 2, "there is no format 'comfy', did you mean 'comfyui'?"),
    ("export sd21 comfyui -o no/such/x.txt", 1, "No such file or directory"),
    ("compare sd21 -m karas", 2, "there is no method 'karas', did you mean 'karras'?"),
    ("compare sd21 -m calibrated", 2, "needs a profile"),
    ("compare sd21 --search exact", 2, "--method"),
    ("compare sd21 --objective dm_nonuni", 2, "--objective must be left out"),
    ("compare sd21 --terminal skip -m karras", 2, "not skip"),
    ("compare sd21 --same-ends -m ays", 2, "--same-ends"),
    ("compare sd21 -n 4,5 --plot x.png", 2, "--plot draws one number"),
    ("calibrate no/such/model", 2, "downloads nothing"),
    ("calibrate folder", 2, "model_index.json"),
    ("calibrate folder -o no/such/x.json", 1, "cannot be written"),
    ("calibrate folder --prompts-file none.txt", 2, "cannot be read"),
    ("calibrate folder --prompts-file empty.txt", 2, "holds no prompts"),
    ("calibrate folder --solver euler2", 2, "--solver"),
    ("presets sd12", 2, "there is no preset 'sd12', did you mean"),
    ("demo --seed -1", 2, "--seed"),
    ("optimise sd21", 2, "there is no command 'optimise', did you mean 'optimize'?"),
    ("--frobnicate", 2, "--frobnicate"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    import hso

    monkeypatch.chdir(tmp_path)
    hso.optimize(hso.NoiseSchedule.preset("sd21"), 5).save("five.json")
    document = json.loads((tmp_path / "five.json").read_text())
    document["sigmas"] = document["sigmas"][:-1]
    (tmp_path / "damaged.json").write_text(json.dumps(document))
    (tmp_path / "not.json").write_text("{]")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00{")
    (tmp_path / "profile.json").write_text('{"format": "hso-profile/1"}')
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(("line", "code", "message"), BAD)
def test_one_line_that_says_what_to_do(line, code, message, folder, capsys):
    found, out, err = run(capsys, *line.split())
    assert (found, out) == (code, "")
    assert err.startswith("hso: error: ") and err.endswith("\n") and err.count("\n") == 1
    assert message in err
    assert "Traceback" not in err


def test_a_folder_without_a_scheduler(folder, capsys):
    pytest.importorskip("diffusers")
    code, out, err = run(capsys, "optimize", "folder")
    assert (code, out, err.count("\n")) == (2, "", 1) and "holds neither scheduler_config.json" in err


def test_an_unknown_ending_of_a_picture(folder, capsys):
    pytest.importorskip("matplotlib")
    code, out, err = run(capsys, "compare", "sd21", "--plot", "x.xyz")
    assert (code, out, err.count("\n")) == (2, "", 1) and "ending" in err


@pytest.mark.skipif(
    sys.platform == "win32" or getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere"
)
def test_a_folder_that_may_not_be_written_to(folder, capsys):
    (folder / "folder").chmod(0o500)
    code, _, err = run(capsys, "optimize", "sd21", "-o", "folder/x.json")
    assert (code, err.count("\n")) == (1, 1) and "Permission denied" in err


MISSING = [
    ("typer", "--version", "pip install 'hso[cli]'"),
    ("rich", "--help", "pip install 'hso[cli]'"),
    ("matplotlib", "compare sd21 --plot x.png", "pip install 'hso[plot]'"),
    ("diffusers", "optimize config.json", "pip install torch diffusers"),
    ("torch", "calibrate model", "pip install 'hso[diffusers]'"),
]


@pytest.mark.parametrize(("module", "line", "message"), MISSING)
def test_a_missing_extra_is_named_with_its_command(module, line, message, tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "DDIMScheduler"}')
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    code = f"import sys; sys.modules[{module!r}] = None; from hso.cli import main; sys.exit(main({line.split()!r}))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.startswith("hso: error: ") and process.stderr.count("\n") == 1
    assert module in process.stderr and message in process.stderr
