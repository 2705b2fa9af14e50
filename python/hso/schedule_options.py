"""What a schedule was asked for: options as a read-only mapping, in the words of `hso.optimize`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .noise_schedule import NoiseSchedule
from .objective import ErrorProxy

Options = Mapping[str, Any]


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
    if isinstance(value, Mapping):
        return MappingProxyType({str(name): frozen(each) for name, each in value.items()})
    return tuple(frozen(each) for each in value) if isinstance(value, list | tuple) else value


def plain(value: Any) -> Any:
    """The same with dicts, which pickle and JSON know."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return tuple(plain(each) for each in value) if isinstance(value, tuple) else value
