"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


class StorageError(OSError):
    """A file could not be written; everything that was finished before is still there."""


def write(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it: a reader sees all of it, or what was there before.

    Makes the folder where it is missing. Raises StorageError, leaving no half a file, where there is no room or no way.
    """
    # Processes of several machines may share a folder: a process's number would not be its own.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        # Without it a machine that stops may leave the name without the content; Windows wants a writable file.
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}. What was finished is kept: "
            "make room or a way there, and run the same command again"
        ) from error
