"""Checks of arguments that the core's types cannot make; all raise ValueError with name, limit and value."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np


def as_integer(name: str, value: Any, *, least: int, most: int = 2**31 - 1) -> int:
    """`value` as an int; ValueError unless it is an integer (no bool, no float) in least..most."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if not least <= integer <= most:
        raise ValueError(f"{name} must be in {least}..{most}, got {integer}")
    return integer


def as_number(name: str, value: Any) -> float:
    """`value` as a float; ValueError unless it is a real number (no text, no bool). Its range is the caller's."""
    try:
        if isinstance(value, bool | np.bool_ | str | bytes | bytearray):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a real number, got {value!r}") from None


def as_positive(name: str, value: Any) -> float:
    """`value` as a float; ValueError unless it is positive and finite."""
    number = as_number(name, value)
    if not 0.0 < number < float("inf"):
        raise ValueError(f"{name} must be a positive finite number, got {number}")
    return number


def as_range(name: str, value: Any) -> tuple[float, float]:
    """`value` as a (low, high) pair of floats; the core checks that low <= high."""
    try:
        low, high = value
        return as_number(name, low), as_number(name, high)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a pair of numbers (low, high), got {value!r}") from None


def one_of(name: str, value: Any, known: Iterable[str]) -> str:
    """`value` itself; ValueError listing the known names unless it is one of them."""
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, names))}, got {value!r}")
    return value
