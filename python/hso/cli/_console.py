"""Where a command writes: results to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any


class Session:
    """What holds for one run of the command line.

    Attributes:
        quiet: Only results and errors.
        debug: Errors with their traceback.
    """

    quiet = False
    debug = False


session = Session()


def result(text: str) -> None:
    """Writes text to stdout, with an end of line."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def result_json(document: Any) -> None:
    """Writes a document to stdout: JSON with None where a number is not finite."""
    result(json.dumps(_finite(document), indent=1, allow_nan=False))


def write_text(path: str, text: str) -> None:
    """Writes text to a file, with an end of line."""
    with open(os.path.expanduser(path), "w", encoding="utf-8") as file:
        file.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Tells something on stderr, unless it is to be quiet."""
    if not session.quiet:
        sys.stdout.flush()  # so that both come in this order where they go to one place
        print(text, file=sys.stderr)


def warn(text: str) -> None:
    """Tells on stderr what the user should know of a result."""
    print(f"hso: warning: {' '.join(text.split())}", file=sys.stderr)


def show_warnings() -> None:
    """Makes Python's warnings lines like `warn`'s; those of other libraries are left out."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if session.debug or category.__module__.startswith("hso."):
            warn(str(message))

    warnings.showwarning = show


def colours(stream: Any) -> bool:
    """Whether a stream takes escape codes and may have them (no-color.org)."""
    return bool(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    return value
