"""Versioned JSON documents: written whole or not at all, read with a check of what they say they are."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn


def write_document(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Writes beside `path` and then moves it there, so that readers never see half a file."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    target = Path(path)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_document(path: str | os.PathLike[str], wanted: str, kind: str) -> dict[str, Any]:
    """The document at `path`; ValueError where it is no JSON, or its "format" is not `wanted`, that of a `kind`
    file."""
    shown = repr(os.fspath(path))
    text = Path(path).read_bytes()
    try:
        document = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown} is no {kind} file: {error}") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != wanted:
        raise ValueError(f"{shown} must have the format {wanted!r}, got {found!r}")
    read: dict[str, Any] = document
    return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
