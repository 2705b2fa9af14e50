"""What a schedule was asked for: options as a read-only mapping, in the words of `hso.optimize`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .json_values import (
    Reader,
    any_number,
    anything,
    boolean,
    count,
    items,
    known_members,
    mapping,
    members,
    number,
    one_of,
    or_none,
    text,
)
from .noise_schedule import NoiseSchedule
from .objective import ErrorProxy

Options = Mapping[str, Any]

_SCALARS = (str, float, int, type(None))


def objective_options(
    noise: NoiseSchedule, objective: str, p: float | None, proxy: ErrorProxy | None
) -> dict[str, Any]:
    """The objective with its error proxy as numbers: `p` of sigma^p / alpha, or the table as `proxy`."""
    if proxy is not None:
        lambdas, values = (tuple(column.tolist()) for column in proxy._table)
        return {"objective": objective, "p": None, "proxy": {"lambdas": lambdas, "values": values}}
    if p is None:
        p = 1.0 if noise.family == "ve" else 2.0  # hso::ErrorProxy::standard
    return {"objective": objective, "p": float(p), "proxy": None}


def objective_arguments(options: Options) -> dict[str, Any]:
    """`objective`, `p` and `proxy` as the functions of this package take them; the defaults where a schedule has
    no options."""
    proxy = options.get("proxy")
    return {
        "objective": options.get("objective", "mep"),
        "p": options.get("p"),
        "proxy": None if proxy is None else ErrorProxy(proxy["lambdas"], proxy["values"]),
    }


def frozen(value: Any) -> Any:
    """Mappings and lists that cannot be changed, all the way down."""
    if isinstance(value, _SCALARS):  # most options, and the cheapest question
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({str(name): frozen(each) for name, each in value.items()})
    return tuple(frozen(each) for each in value) if isinstance(value, list | tuple) else value


def plain(value: Any) -> Any:
    """The same with dicts, which pickle and JSON know."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return tuple(plain(each) for each in value) if isinstance(value, tuple) else value


def _proxy(value: Any) -> dict[str, Any]:
    """A table that makes an error proxy."""
    table = members(mapping(value), {"lambdas": items(number), "values": items(number)})
    ErrorProxy(table["lambdas"], table["values"])
    return table


def _range(value: Any) -> list[float]:
    ends: list[float] = items(number, "a list of two numbers", length=2)(value)
    return ends


_OBJECTIVE: dict[str, Reader] = {
    "objective": one_of(("mep", "dm_nonuni")),
    "p": or_none(number),
    "proxy": or_none(_proxy),
}
_SEARCH: dict[str, Reader] = {
    "search": one_of(("exact", "bilevel", "paper")),
    "local": one_of(("newton", "slsqp")),
    "gamma": or_none(number),
    "gap": or_none(any_number),
    "limits": one_of(("measured", "published")),
    "d_min": or_none(number),
    "t_min": or_none(_range),
    "t_max": or_none(_range),
    "rho": or_none(_range),
    "seed": count,
    "calibration": lambda value: mapping(value) | members(mapping(value), _CALIBRATION),
}
_CALIBRATION: dict[str, Reader] = {
    "objective": text,
    "squares": boolean,
    "t_min": or_none(_range),
    "t_max": or_none(_range),
    "fingerprint": text,
    "order": count,
    "samples": count,
    "evaluations": count,
    "seed": count,
}


def read_options(value: Any) -> dict[str, Any]:
    """Options of a schedule file: none at all, or the objective and what else is known; ValueError names the member.

    Members that this version does not know are kept as they are.
    """
    options: dict[str, Any] = anything(mapping(value))
    if not options:
        return {}
    read = options | members(options, _OBJECTIVE) | known_members(options, _SEARCH)
    if (read["p"] is None) == (read["proxy"] is None):
        raise ValueError("must have either p or proxy")
    return read
