"""Schedules as files: a small versioned JSON document."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "hso-schedule/1"
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # JSON has no such numbers


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray | tuple):
        return [_encode(float(item)) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def write_schedule(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Writes the values beside `path` and then moves them there, so that readers never see half a file."""
    document = {"format": FORMAT} | {name: _encode(value) for name, value in values.items()}
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, allow_nan=False)
            file.write("\n")
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_schedule(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Any]:
    """The named values of a schedule file; ValueError for another format, a damaged file or missing values."""
    shown = repr(os.fspath(path))
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{shown} is no schedule file: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise ValueError(f"{shown} must have the format {FORMAT!r}, got {found!r}")
    missing = [name for name in names if name not in document]
    if missing:
        raise ValueError(f"{shown} is damaged: it lacks {', '.join(missing)}")
    return {name: _decode(document[name]) for name in names}
