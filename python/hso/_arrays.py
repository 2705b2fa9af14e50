"""Arrays in and out of the compiled core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]


def as_array(name: str, value: npt.ArrayLike) -> Array:
    """`value` as float64; ValueError naming the argument where it holds no real numbers (complex, text)."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be an array of real numbers, got {value!r}: {error}") from None
    if array.dtype.kind not in "fiu" and array.size:
        raise ValueError(f"{name} must be real numbers, got an array of {array.dtype}: {value!r}")
    return array.astype(np.float64, copy=False)


def as_vector(name: str, value: npt.ArrayLike) -> Array:
    """The same for a one-dimensional array."""
    array = as_array(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}")
    return array


def as_table(name: str, value: npt.ArrayLike) -> Array:
    """A read-only copy of a one-dimensional array, to be kept."""
    return read_only(as_vector(name, value).copy())


@overload
def mapped(function: Callable[[Array], Array], name: str, value: float) -> float: ...
@overload
def mapped(function: Callable[[Array], Array], name: str, value: npt.ArrayLike) -> float | Array: ...
def mapped(function: Callable[[Array], Array], name: str, value: npt.ArrayLike) -> float | Array:
    """An elementwise function of the core: a scalar gives a float, an array an array of its shape."""
    array = as_array(name, value)
    out = function(array)
    return float(out) if array.ndim == 0 else out


def read_only(array: Array) -> Array:
    """The array itself, no longer writable."""
    array.flags.writeable = False
    return array
