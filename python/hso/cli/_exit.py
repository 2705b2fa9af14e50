"""Exit codes, and what an error is told as: one line."""

from __future__ import annotations

from collections.abc import Iterable

DONE, FAILED, USAGE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

_EXTRAS = {
    "torch": "diffusers",
    "diffusers": "diffusers",
    "transformers": "diffusers",
    "matplotlib": "plot",
    "rich": "cli",
    "typer": "cli",
    "shellingham": "cli",
    "scipy": "bench",
}


class CommandError(Exception):
    """A command cannot go on; `str` says what to do about it."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def bad_input(message: str) -> CommandError:
    """What is raised where the user's input is at fault."""
    return CommandError(message, USAGE)


def nearest(word: str, known: Iterable[str]) -> str:
    """ ", did you mean ...?" where a known word is near; else nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f", did you mean {' or '.join(map(repr, near))}?" if near else ""


def told(error: Exception) -> tuple[int, str]:
    """The exit code of an error and its line."""
    if isinstance(error, CommandError):
        return error.code, _line(error)
    if hasattr(error, "format_message"):  # of the parser: typer 0.26 has its own copy of click's classes
        return USAGE, _usage(error)
    if isinstance(error, ImportError):
        return FAILED, _missing(error)
    if isinstance(error, ValueError):  # the library's, which name the argument, its value and the limit
        return USAGE, _line(error)
    if isinstance(error, MemoryError):
        return FAILED, "there is too little memory: ask for fewer samples at once or a smaller budget"
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{str(error.filename)!r}: "
        return FAILED, f"{where}{error.strerror or _line(error)}"
    return FAILED, f"{type(error).__name__}: {_line(error)} (hso --debug shows where)"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    command = getattr(context, "command_path", None) or "hso"
    return f"{text.rstrip('.')} ({command} --help shows what there is)"


def _missing(error: ImportError) -> str:
    name = (error.name or "").split(".")[0]
    if "pip install" in str(error) or not name:  # the library's own message; or what is there but broken
        return _line(error)
    return f"this needs {name}: pip install " + (f"'hso[{_EXTRAS[name]}]'" if name in _EXTRAS else name)
