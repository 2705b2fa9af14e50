"""Runs `hso` as its users do: in a process of its own, or in this one."""

import os
import subprocess
import sys

from hso.cli import main

PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}


def in_process(*arguments):
    """The finished process of `python -m hso ARGUMENTS`, output as text."""
    return subprocess.run(
        [sys.executable, "-m", "hso", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **PLAIN},
    )


def run(capsys, *arguments):
    """Exit code, stdout and stderr of a command line run in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def done(capsys, *arguments):
    """Stdout of a command that must succeed without a word on stderr."""
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, ""), err
    return out
