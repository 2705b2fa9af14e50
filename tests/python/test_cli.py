"""`hso` as a whole: help, version, exit codes, what it imports, pipes and interrupts."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import get_args

import pytest

pytest.importorskip("typer")

import hso
from command_line import PLAIN, done, in_process, run
from hso.cli import _group, _options

HEAVY = "torch diffusers matplotlib scipy rich pydantic transformers hso.calibration hso.plot hso.exports"


def options_of(name):
    context = _group.group(everything=True).make_context("hso", [name, "--help"], resilient_parsing=True)
    command = context.command.get_command(context, name)
    return [each for each in command.params if each.param_type_name == "option"]


def loaded(*arguments):
    """Modules that a command has loaded when it is done."""
    code = f"import sys; from hso.cli import main; main({list(arguments)!r}); print(*sys.modules, file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(process.stderr.split())


def test_version(capsys):
    assert done(capsys, "--version") == f"hso {hso.__version__}\n"


def test_python_m_and_the_script_are_the_same_command():
    assert in_process("--version").stdout == f"hso {hso.__version__}\n"
    script = os.path.join(os.path.dirname(sys.executable), "hso")
    if not os.path.exists(script):
        pytest.skip("the package is not installed with its script")
    assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout == f"hso {hso.__version__}\n"


@pytest.fixture
def wide(monkeypatch):
    """A terminal without colours."""
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_command(arguments, capsys, wide):
    out = done(capsys, *arguments)
    assert all(re.search(rf"\b{name}\b", out) for name in _group.COMMANDS)


@pytest.mark.parametrize("name", _group.COMMANDS)
def test_help_of_a_command_names_its_options_and_shows_examples(name, capsys, wide):
    out = done(capsys, name, "--help")
    assert {option.opts[0] for option in options_of(name)} <= set(re.findall(r"--[a-z-]+", out))
    assert f"hso {name}" in " ".join(out.split()).split("Examples:")[1]


@pytest.mark.parametrize("name", _group.COMMANDS)
def test_every_option_has_a_help_text(name):
    assert [option.name for option in options_of(name) if not option.help] == []


def test_words_are_the_librarys():
    from hso import _optimize, solvers

    assert get_args(_options.Terminal) == get_args(_optimize.Terminal)
    assert get_args(_options.Search) == get_args(_optimize.Search)
    assert get_args(_options.Local) == get_args(_optimize.Local)
    assert get_args(_options.Limits) == get_args(_optimize.Limits)
    assert get_args(_options.Objective) == get_args(_optimize.Objective) + get_args(_optimize.ProfileObjective)
    assert get_args(_options.Solver) == get_args(solvers.Solver)


def test_optimize_loads_no_more_than_it_needs():
    """The guard of its 150 ms, of which NumPy and typer take most."""
    assert loaded("optimize", "sd21", "--nfe", "5").isdisjoint(HEAVY.split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_what_needs_no_schedule_needs_no_numpy(arguments):
    assert "numpy" not in loaded(*arguments)


def test_blas_gets_one_thread_before_numpy_is_loaded_unless_it_is_said():
    code = "import os; from hso.cli import main; main(['presets', '-q']); print(os.environ['OPENBLAS_NUM_THREADS'])"
    rest = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for given, seen in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**rest, **given})
        assert process.stdout.splitlines()[-1] == seen


SEARCHES = [
    ["--nfe", "60-99", "--search", "bilevel", "--local", "slsqp"],
    ["--nfe", "9000", "--search", "bilevel", "--d-min", "0"],
    ["--nfe", "10000"],
]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("search", SEARCHES)
def test_interrupt_of_a_search(search):
    process = subprocess.Popen(
        [sys.executable, "-m", "hso", "optimize", "sd21", *search],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "hso: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("arguments", [["presets"], ["optimize", "sd21", "--nfe", "4-60", "--json"]])
def test_a_closed_pipe_is_silent(arguments):
    words = [sys.executable, "-m", "hso", *arguments]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_first_line_through_head():
    process = subprocess.run(
        f"{sys.executable} -m hso presets | head -1",
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, **PLAIN},
    )
    assert process.stdout.startswith("name") and process.stderr == ""


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback(place, capsys):
    words = ["optimize", "sd21", "--nfe", "0"]
    code, out, err = run(capsys, *(["--debug", *words] if place == "before" else [*words, "--debug"]))
    assert code == 2 and out == ""
    assert err.startswith("Traceback") and err.splitlines()[-1] == "hso: error: nfe must be in 1..10000, got 0"


def test_a_bug_is_one_line_too(capsys, monkeypatch):
    def broken(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(hso, "optimize", broken)
    code, out, err = run(capsys, "optimize", "sd21")
    assert (code, out) == (1, "") and err == "hso: error: KeyError: 'x' (hso --debug shows where)\n"


COMPLETIONS = [
    ("hso opt", "optimize"),
    ("hso optimize sd21-", "sd21-base"),
    ("hso optimize sd21 --term", "--terminal"),
    ("hso optimize sd21 --terminal t", "t_min"),
    ("hso export sd21 comf", "comfyui"),
    ("hso compare sd21 --method karr", "karras"),
]


@pytest.mark.parametrize(("line", "word"), COMPLETIONS)
def test_shell_completion(line, word):
    environment = {
        **os.environ,
        "_HSO_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    process = subprocess.run([sys.executable, "-m", "hso"], capture_output=True, text=True, timeout=60, env=environment)
    assert word in process.stdout.split() and process.stderr == ""


def test_the_completion_script_is_shown():
    process = in_process("--show-completion", "bash")
    assert process.returncode == 0 and "_HSO_COMPLETE=complete_bash" in process.stdout


JSON = [["optimize", "sd21"], ["compare", "sd21"], ["explain", "sd21"], ["presets"], ["presets", "sd3"]]


@pytest.mark.parametrize("arguments", JSON)
def test_json_is_all_of_stdout(arguments, capsys):
    assert isinstance(json.loads(done(capsys, *arguments, "--json")), dict)
