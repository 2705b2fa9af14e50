"""Schedules as files: a small versioned JSON document, described by schedule.schema.json beside this file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import json_file

FORMAT = "hso-schedule/2"
_FIRST = "hso-schedule/1"
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # JSON has no such numbers
_SIGMAS = {"flow": "sigma after the shift"}
_TIMESTEPS = {"flow": "1000 sigma", "ve": "log(sigma) / 4"}
_KIND = "schedule"


def conventions(family: str) -> dict[str, str]:
    """What the numbers of a file mean, in words: for a reader without this package."""
    return {
        "lambdas": "log(alpha / sigma)",
        "sigmas": _SIGMAS.get(family, "sigma / alpha"),
        "timesteps": _TIMESTEPS.get(family, "num_train_timesteps t - 1"),
    }


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _encode(item) for name, item in value.items()}
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


def _numbers(value: Any) -> list[float]:
    if not isinstance(value, list):
        raise TypeError("a list of numbers")
    return [_number(item) for item in value]


def _psi(value: Any) -> tuple[float | None, float, float]:
    if not isinstance(value, list) or len(value) != 3:
        raise TypeError("a list of rho, t_min and t_max")
    return _or_none(_number)(value[0]), _number(value[1]), _number(value[2])


def _options(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an object")
    return value


def _or_none(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else reader(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "t": _numbers,
    "lambdas": _numbers,
    "sigmas": _numbers,
    "timesteps": _numbers,
    "nfe": _count,
    "terminal": _text,
    "solver": _or_none(_text),
    "gain": _number,
    "family": _text,
    "noise_fingerprint": _text,
    "num_train_timesteps": _or_none(_number),
    "shift": _or_none(_number),
    "search": _text,
    "options": _options,
    "version": _or_none(_text),
    "status": _text,
    "mep": _number,
    "penalty": _number,
    "fitness": _number,
    "psi": _psi,
    "lower_bound": _or_none(_number),
    "gap": _or_none(_number),
    "min_spacing": _number,
    "d_min": _number,
    "evaluations": _count,
    "elapsed": _number,
}
"""What a document holds beside "format" and "conventions"."""
_NOT_IN_FIRST: dict[str, Any] = {
    "solver": None,
    "gain": 1.0,
    "num_train_timesteps": None,
    "shift": None,
    "options": {},
    "version": None,
}
"""What documents of the first format lack, or its earliest did, and what that means."""


def document_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The document with these values of a schedule."""
    told = {name: _encode(values[name]) for name in _READERS}
    return {"format": FORMAT, "conventions": conventions(values["family"])} | told


def text_of(values: Mapping[str, Any]) -> str:
    """A document as text."""
    return json_file.text_of(document_of(values))


def write_schedule(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Writes the values; an interrupted write leaves the old file."""
    json_file.write_document(path, document_of(values))


def read_schedule(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a schedule file; ValueError for another format, a damaged file or missing values."""
    return _values(json_file.read_document(path, (FORMAT, _FIRST), _KIND), repr(os.fspath(path)))


def read_text(text: str, shown: str) -> dict[str, Any]:
    """The values of a document given as text, which messages call `shown`; errors as for `read_schedule`."""
    return _values(json_file.read_text(text, shown, (FORMAT, _FIRST), _KIND), shown)


def _values(document: dict[str, Any], shown: str) -> dict[str, Any]:
    if document["format"] == _FIRST:
        document = _NOT_IN_FIRST | document
    missing = [name for name in _READERS if name not in document]
    if missing:
        raise ValueError(f"{shown} is damaged: it lacks {', '.join(missing)}")
    values = {}
    for name, reader in _READERS.items():
        try:
            values[name] = reader(document[name])
        except (TypeError, OverflowError) as error:
            raise ValueError(f"{shown} is damaged: {name} must be {error}, got {document[name]!r}") from None
    # a file with other conventions would be read as something that it is not
    if document["format"] != _FIRST and document.get("conventions") != conventions(values["family"]):
        raise ValueError(
            f"{shown} is damaged: its conventions must be {conventions(values['family'])}, "
            f"got {document.get('conventions')!r}"
        )
    return values
