"""Schedules as files: a small versioned JSON document, described by schedule.schema.json beside this file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from . import json_file
from .json_values import (
    Reader,
    any_number,
    at_least_zero,
    count,
    items,
    members,
    number,
    one_of,
    or_none,
    positive,
    shown,
    text,
)
from .schedule_options import read_options
from .solvers import Solver

FORMAT = "hso-schedule/2"
_FIRST = "hso-schedule/1"
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


def _psi(value: Any) -> list[float | None]:
    psi: list[float | None] = items(or_none(number), "a list of rho or null, t_min and t_max", length=3)(value)
    if None in psi[1:]:
        raise ValueError(f"must be a list of rho or null, t_min and t_max, got {shown(value)}")
    return psi


_READERS: dict[str, Reader] = {
    "t": items(number),
    "lambdas": items(any_number),
    "sigmas": items(number),
    "timesteps": items(number),
    "nfe": count,
    "terminal": one_of(("zero", "t_min", "skip")),
    "solver": or_none(one_of(get_args(Solver))),
    "gain": number,
    "family": one_of(("vp", "flow", "ve", "general")),
    "noise_fingerprint": text,
    "num_train_timesteps": or_none(positive),
    "shift": or_none(positive),
    "search": text,
    "options": read_options,
    "version": or_none(text),
    "status": one_of(("converged", "max_generations", "uncertified", "collapsed", "given")),
    "mep": any_number,
    "penalty": any_number,
    "fitness": any_number,
    "psi": _psi,
    "lower_bound": or_none(any_number),
    "gap": or_none(any_number),
    "min_spacing": any_number,
    "d_min": at_least_zero,
    "evaluations": count,
    "elapsed": at_least_zero,
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


def read_text(document: str, name: str) -> dict[str, Any]:
    """The values of a document given as text, which messages call `name`; errors as for `read_schedule`."""
    return _values(json_file.read_text(document, name, (FORMAT, _FIRST), _KIND), name)


def _values(document: dict[str, Any], name: str) -> dict[str, Any]:
    first = document["format"] == _FIRST
    try:
        values = members(_NOT_IN_FIRST | document if first else document, _READERS)
        # a file with other conventions would be read as something that it is not
        told, meant = document.get("conventions"), conventions(values["family"])
        if not first and told != meant:
            raise ValueError(f"its conventions must be {meant}, got {shown(told)}")
    except ValueError as error:
        raise ValueError(f"{name} is damaged: {error}") from None
    return values
