"""Runs one command line: finds the command, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import gc
import os
import sys
import traceback

from ._console import session, show_warnings
from ._exit import DONE, INTERRUPTED, PIPE_CLOSED, told
from ._group import group

_COMPLETION = "_HSO_COMPLETE"
"""The variable with which a shell asks for completions, as typer names it."""


def run(arguments: list[str]) -> int:
    """Runs it and returns the exit code."""
    session.quiet = session.debug = False
    show_warnings()
    try:
        code = _command(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is left in the buffer would raise again when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        if session.debug:
            traceback.print_exc()
        print("hso: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if session.debug:
            traceback.print_exc()
        code, text = told(error)
        print(f"hso: error: {text}", file=sys.stderr)
        return code


def _command(arguments: list[str]) -> int:
    completing = _COMPLETION in os.environ
    arguments = arguments or ["--help"]
    commands = group(everything=completing or not _is_plain(arguments))
    if completing:
        commands.main(arguments, prog_name="hso", complete_var=_COMPLETION)
    try:
        with commands.make_context("hso", arguments) as context:
            gc.freeze()  # else the first collection walks through all that was imported
            gc.enable()
            commands.invoke(context)
    except SystemExit as leaving:  # typer's completion options
        return leaving.code if isinstance(leaving.code, int) else DONE
    except RuntimeError as leaving:
        if type(leaving).__name__ != "Exit":  # typer.Exit, raised by --help and --version
            raise
        return int(getattr(leaving, "exit_code", DONE))
    return DONE


def _is_plain(arguments: list[str]) -> bool:
    """Whether neither help nor completion is asked for: these take rich and the detection of shells."""
    return not any(word == "--help" or word.startswith(("--install-", "--show-")) for word in arguments)
