"""Schedules as files: a small versioned JSON document."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .json_file import read_document, write_document

FORMAT = "hso-schedule/1"
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # JSON has no such numbers


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, float):  # numpy's float64 too
        return float(value) if math.isfinite(value) else str(float(value))
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a count")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if type(value) not in (int, float):
        raise TypeError("a number")
    return float(value)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _numbers(value: Any) -> list[float]:
    if not isinstance(value, list):
        raise TypeError("a list of numbers")
    return [_number(item) for item in value]


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _psi(value: Any) -> tuple[float | None, float, float]:
    if not isinstance(value, list) or len(value) != 3:
        raise TypeError("a list of rho, t_min and t_max")
    return _optional(value[0]), _number(value[1]), _number(value[2])


_READERS: dict[str, Callable[[Any], Any]] = {
    "t": _numbers,
    "lambdas": _numbers,
    "sigmas": _numbers,
    "timesteps": _numbers,
    "nfe": _count,
    "terminal": _text,
    "family": _text,
    "noise_fingerprint": _text,
    "mep": _number,
    "penalty": _number,
    "fitness": _number,
    "psi": _psi,
    "lower_bound": _optional,
    "gap": _optional,
    "min_spacing": _number,
    "d_min": _number,
    "evaluations": _count,
    "elapsed": _number,
    "status": _text,
    "search": _text,
    "solver": _optional_text,
    "gain": _number,
}
"""What a document holds beside "format"."""
_LATER = {"solver": None, "gain": 1.0}
"""What earlier documents lacked, and what they meant."""


def write_schedule(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Writes the values; an interrupted write leaves the old file."""
    write_document(path, {"format": FORMAT} | {name: _encode(values[name]) for name in _READERS})


def read_schedule(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a schedule file; ValueError for another format, a damaged file or missing values."""
    shown = repr(os.fspath(path))
    document = _LATER | read_document(path, FORMAT, "schedule")
    missing = [name for name in _READERS if name not in document]
    if missing:
        raise ValueError(f"{shown} is damaged: it lacks {', '.join(missing)}")
    values = {}
    for name, reader in _READERS.items():
        try:
            values[name] = reader(document[name])
        except (TypeError, OverflowError) as error:
            raise ValueError(f"{shown} is damaged: {name} must be {error}, got {document[name]!r}") from None
    return values
