"""Versioned JSON documents: written whole or not at all, read with a check of what they say they are."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn


def text_of(document: Mapping[str, Any]) -> str:
    """The text of a document's file."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def write_document(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Writes beside `path` and then moves it there, so that readers never see half a file."""
    text = text_of(document)
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_document(path: str | os.PathLike[str], formats: Collection[str], kind: str) -> dict[str, Any]:
    """The document at `path`; ValueError where it is no JSON, or its "format" is none of `formats`, those of a
    `kind` file."""
    return read_text(Path(path).read_bytes(), repr(os.fspath(path)), formats, kind)


def read_text(text: str | bytes, shown: str, formats: Collection[str], kind: str) -> dict[str, Any]:
    """The document in a text that messages call `shown`; errors as for `read_document`."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        document = json.loads(decoded, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown} is no {kind} file: {error}") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found not in formats:
        raise ValueError(f"{shown} must have the format {' or '.join(map(repr, formats))}, got {found!r}")
    read: dict[str, Any] = document
    return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
