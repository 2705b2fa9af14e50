"""Profiles as files: a versioned JSON document with all that a profile holds, its noise schedule included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arrays import Array
from .._multistep import Multistep
from ..json_file import read_document, write_document
from ..noise_schedule import NoiseSchedule
from ._check import Signature
from ._reduction import Rows

if TYPE_CHECKING:
    from ._profile import Profile

FORMAT = "hso-profile/1"
_ROWS = ("lambdas", "x0", "states", "eps", "probe_lambdas", "probe_errors", "probe_responses")
_FACTORIES = {
    "from_alphas_cumprod": 1,
    "from_betas": 1,
    "vp_linear": 2,
    "vp_cosine": 1,
    "flow": 1,
    "edm": 2,
    "from_table": 4,
}
"""Noise schedules that a file may ask for, and their numbers of arguments."""


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
    shown = repr(os.fspath(path))
    document = read_document(path, [FORMAT], "profile")
    try:
        noise = _noise(document["noise"])
        rows = Rows(**{name: _matrix(document["rows"][name]) for name in _ROWS})
        signature = Signature(
            str(document["fingerprint"]), _matrix(document["check_lambdas"]), _matrix(document["check_changes"])
        )
        found = {
            "noise": noise,
            "multistep": Multistep.of(document["solver"], _count(document["order"], least=1)),
            "rows": rows,
            "signature": signature,
            "samples": _count(document["samples"], least=1),
            "evaluations": _count(document["evaluations"]),
            "seed": _count(document["seed"]),
        }
        noise.t(signature.lambdas)  # throws outside the range
        nodes, changes = signature.lambdas, signature.changes
        if nodes.ndim != 1 or changes.ndim != 2 or changes.size == 0 or len(changes) != len(nodes) - 1:
            raise ValueError("check_changes does not fit check_lambdas")
        if not (np.diff(nodes) > 0.0).all():
            raise ValueError("check_lambdas must be increasing")
        rows.model(noise)
    except KeyError as error:
        raise ValueError(f"{shown} is damaged: it lacks {error}") from None
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{shown} is damaged: {error}") from None
    if noise.fingerprint != document.get("noise_fingerprint"):
        raise ValueError(f"{shown} is damaged: its noise schedule does not have the fingerprint that it says")
    return found


def _noise(recipe: Any) -> NoiseSchedule:
    factory, *arguments = recipe
    if _FACTORIES.get(factory) != len(arguments):
        raise ValueError(f"noise must be one of {', '.join(_FACTORIES)} and its arguments, got {factory!r}")
    return NoiseSchedule._make(
        factory, *(_matrix(each) if isinstance(each, list) else float(each) for each in arguments)
    )


def _matrix(values: Any) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "fi":
        raise ValueError(f"its arrays must hold numbers, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("its arrays must be finite")
    matrix: Array = array.astype(np.float64)
    return matrix


def _count(value: Any, *, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"its counts must be integers of at least {least}, got {value!r}")
    return value
