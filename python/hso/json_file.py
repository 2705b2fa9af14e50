"""Versioned JSON documents: written whole or not at all, read with a check of what they say they are."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .json_values import shown as shown_value

LARGEST = 1 << 24
"""Bytes of a file, or characters of a text. The longest schedule there is, of 10,000 steps, has 1 MB, a usual profile
2 MB; with this many a damaged or hostile file takes seconds and hundreds of megabytes at the most."""
_MOST_DIGITS = 400  # of an integer: a float64 has 309; reading an integer takes a time that is quadratic in them


def text_of(document: Mapping[str, Any]) -> str:
    """The text of a document's file; ValueError where it is too long to be read again."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if len(text) > LARGEST:
        raise ValueError(f"a file must have at most {LARGEST} bytes, got {len(text)}: its tables are too long")
    return text


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
    """The document at `path`; ValueError where it is no JSON, has more than `LARGEST` bytes, says a name twice, or its
    "format" is none of `formats`, those of a `kind` file."""
    with Path(path).open("rb") as file:
        content = file.read(LARGEST + 1)
    return read_text(content, repr(os.fspath(path)), formats, kind)


def read_text(text: str | bytes, shown: str, formats: Collection[str], kind: str) -> dict[str, Any]:
    """The document in a text that messages call `shown`; errors as for `read_document`."""
    try:
        if len(text) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        document = json.loads(
            decoded, parse_constant=_refuse_constant, parse_int=_integer, object_pairs_hook=_without_twins
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown} is no {kind} file: {error}") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found not in formats:
        raise ValueError(f"{shown} must have the format {' or '.join(map(repr, formats))}, got {shown_value(found)}")
    read: dict[str, Any] = document
    return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"it has an integer of {len(digits)} digits")
    return int(digits)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ; of two with one name readers take one or the other."""
    named = dict(pairs)
    if len(named) < len(pairs):
        seen: set[str] = set()
        twin = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"it says {shown_value(twin)} twice")
    return named
