"""Profiles as files: a versioned JSON document with all that a profile holds, its noise schedule included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from .._arrays import Array
from .._multistep import Multistep, SolverName
from ..json_file import read_document, write_document
from ..json_values import Reader, count, mapping, members, number, one_of, shown, text
from ..noise_schedule import NoiseSchedule
from ._check import Signature
from ._reduction import Rows

if TYPE_CHECKING:
    from ._profile import Profile

FORMAT = "hso-profile/1"
_PROBED = ("probe_errors", "probe_responses")
_ROWS = ("lambdas", "x0", "states", "eps", "probe_lambdas", *_PROBED)


def _matrix(value: Any) -> Array:
    """Finite numbers, of any shape."""
    try:
        array = np.asarray(value if isinstance(value, list) else None)
    except (OverflowError, ValueError):  # rows of different lengths, or too deep
        array = np.asarray(None)
    if array.dtype.kind not in "fi" or not np.isfinite(array).all():
        raise ValueError(f"must be an array of finite numbers, got {shown(value)}")
    matrix: Array = array.astype(np.float64)
    return matrix


def _rows(value: Any) -> Rows:
    rows = members(mapping(value), dict.fromkeys(_ROWS, _matrix))
    for name in ("lambdas", "eps", "probe_lambdas"):
        if rows[name].ndim != 1:
            raise ValueError(f"{name} must have one dimension, got shape {rows[name].shape}")
    nodes, asked, rank = (len(rows[name]) for name in ("lambdas", "probe_lambdas", "eps"))
    shapes = dict.fromkeys(("x0", "states"), (nodes, rank)) | dict.fromkeys(_PROBED, (asked, rank))
    for name, shape in shapes.items():
        if rows[name].shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {rows[name].shape}")
    return Rows(**rows)


_FACTORIES: dict[str, tuple[Reader, ...]] = {
    "from_alphas_cumprod": (_matrix,),
    "from_betas": (_matrix,),
    "vp_linear": (number, number),
    "vp_cosine": (number,),
    "flow": (number,),
    "edm": (number, number),
    "from_table": (_matrix, _matrix, _matrix, number),
}
"""Noise schedules that a file may ask for, and what their arguments are."""


def _noise(value: Any) -> NoiseSchedule:
    readers = _FACTORIES.get(value[0]) if isinstance(value, list) and value and isinstance(value[0], str) else None
    if readers is None or len(readers) != len(value) - 1:
        raise ValueError(f"must be one of {', '.join(_FACTORIES)} and its arguments, got {shown(value)}")
    return NoiseSchedule._make(value[0], *(reader(each) for reader, each in zip(readers, value[1:], strict=True)))


_READERS: dict[str, Reader] = {
    "noise_fingerprint": text,
    "noise": _noise,
    "solver": one_of(get_args(SolverName)),
    "order": count,
    "samples": count,
    "evaluations": count,
    "seed": count,
    "fingerprint": text,
    "check_lambdas": _matrix,
    "check_changes": _matrix,
    "rows": _rows,
}
"""What a document holds beside "format"."""


def write_profile(path: str | os.PathLike[str], profile: Profile) -> None:
    """Writes all of `profile`; an interrupted write leaves the old file."""
    factory, arguments = profile.noise._recipe
    signature = profile._signature
    document = {
        "format": FORMAT,
        "noise_fingerprint": profile.noise.fingerprint,
        "noise": [factory, *(np.asarray(argument).tolist() for argument in arguments)],
        "solver": profile.solver,
        "order": profile.order,
        "samples": profile.samples,
        "evaluations": profile.evaluations,
        "seed": profile.seed,
        "fingerprint": signature.fingerprint,
        "check_lambdas": signature.lambdas.tolist(),
        "check_changes": signature.changes.tolist(),
        "rows": {name: getattr(profile._rows, name).tolist() for name in _ROWS},
    }
    write_document(path, document)


def read_profile(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of Profile; ValueError for another format, a damaged file or missing values."""
    name = repr(os.fspath(path))
    document = read_document(path, [FORMAT], "profile")
    try:
        values = members(document, _READERS)
        noise, signature = values["noise"], _signature(values)
        if noise.fingerprint != values["noise_fingerprint"]:
            raise ValueError("its noise schedule does not have the fingerprint that it says")
        if values["samples"] < 1:
            raise ValueError("samples must be at least 1, got 0")
        found = {
            "noise": noise,
            "multistep": Multistep.of(values["solver"], values["order"]),
            "rows": values["rows"],
            "signature": signature,
            **{each: values[each] for each in ("samples", "evaluations", "seed")},
        }
        values["rows"].model(noise)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from None
    return found


def _signature(values: dict[str, Any]) -> Signature:
    nodes, changes = values["check_lambdas"], values["check_changes"]
    if nodes.ndim != 1 or changes.ndim != 2 or changes.size == 0 or len(changes) != len(nodes) - 1:
        raise ValueError(
            f"check_changes must have a row for each interval of check_lambdas, got the shapes {changes.shape} and "
            f"{nodes.shape}"
        )
    if not (np.diff(nodes) > 0.0).all():
        raise ValueError("check_lambdas must be increasing")
    try:
        values["noise"].t(nodes)
    except ValueError as error:
        raise ValueError(f"check_lambdas: {error}") from None
    return Signature(values["fingerprint"], nodes, changes)
