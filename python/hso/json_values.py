"""Readers of the values in JSON documents, which may hold anything: each returns what it names or raises ValueError."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Reader = Callable[[Any], Any]

_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # JSON has no such numbers
_DEEPEST = 16  # containers within one another in what no reader looks into
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: Any) -> str:
    """`value` as a message quotes it: one line, of long or deep values the beginning."""
    return _SHORT.repr(value)


def _refused(wanted: str, value: Any) -> ValueError:
    return ValueError(f"must be {wanted}, got {shown(value)}")


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _refused("a text", value)
    return value


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise _refused("true or false", value)
    return value


def count(value: Any) -> int:
    """An integer from 0 to 2^64 - 1 (seeds are that large)."""
    if type(value) is not int or not 0 <= value < 2**64:
        raise _refused("a count", value)
    return value


def number(value: Any) -> float:
    """A finite number."""
    if type(value) not in (int, float):
        raise _refused("a number", value)
    try:
        read = float(value)
    except OverflowError:
        read = math.inf
    if not math.isfinite(read):  # 1e999, which JSON reads as infinity, among them
        raise _refused("a number that float64 can hold", value)
    return read


def any_number(value: Any) -> float:
    """A number, or the text "inf", "-inf" or "nan"."""
    return _NOT_FINITE[value] if isinstance(value, str) and value in _NOT_FINITE else number(value)


def at_least_zero(value: Any) -> float:
    """A finite number that is not negative."""
    if number(value) < 0.0:
        raise _refused("a number of at least 0", value)
    return number(value)


def positive(value: Any) -> float:
    """A finite number above 0."""
    if not number(value) > 0.0:
        raise _refused("a positive number", value)
    return number(value)


def items(reader: Reader, what: str = "a list of numbers", *, length: int | None = None) -> Reader:
    """A reader of lists, of `length` items if given: `reader` takes each item."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or length not in (None, len(value)):
            raise _refused(what, value)
        try:
            return [reader(item) for item in value]
        except ValueError as error:
            raise ValueError(f"must be {what}; an item {error}") from None

    return read


def or_none(reader: Reader) -> Reader:
    """A reader that also takes null."""
    return lambda value: None if value is None else reader(value)


def one_of(names: Iterable[str]) -> Reader:
    """A reader of texts that takes these alone."""
    known = tuple(names)

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise _refused(f"one of {', '.join(map(repr, known))}", value)
        return value

    return read


def mapping(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise _refused("an object", value)
    return value


def members(document: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """What the readers make of the document's members, all of which there have to be; messages name the member."""
    missing = [name for name in readers if name not in document]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    return known_members(document, readers)


def known_members(document: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The same of those members that there are."""
    values = {}
    for name, reader in readers.items():
        if name in document:
            try:
                values[name] = reader(document[name])
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return values


def anything(value: Any) -> Any:
    """Whatever JSON can hold: numbers finite, containers not too deep."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [child for each in level for child in _children(each)]
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise ValueError("must hold numbers that float64 can hold")
        if not inner:
            return value
        level = inner
    raise ValueError(f"must not be nested deeper than {_DEEPEST}")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
