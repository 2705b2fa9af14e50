"""Checks of arguments that the core's types cannot make."""

from __future__ import annotations

import operator
from typing import Any


def as_integer(name: str, value: Any, *, least: int, most: int = 2**31 - 1) -> int:
    """`value` as an int; ValueError unless it is an integer (no bool, no float) in least..most."""
    try:
        if isinstance(value, bool):
            raise TypeError
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if not least <= integer <= most:
        raise ValueError(f"{name} must be in {least}..{most}, got {integer}")
    return integer


def as_range(name: str, value: Any) -> tuple[float, float]:
    """`value` as a (low, high) pair of floats; the core checks that low <= high."""
    try:
        low, high = value
        return float(low), float(high)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a pair (low, high), got {value!r}") from None
