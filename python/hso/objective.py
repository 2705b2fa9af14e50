"""The objectives: midpoint error proxy, DM-NonUni's bound, spacing-penalized fitness, and what they are made of."""

from __future__ import annotations

import numpy.typing as npt

from . import _core
from ._arrays import Array, as_array, as_table, as_vector, mapped
from .checks import as_integer, as_number
from .noise_schedule import NoiseSchedule, core_noise


class ErrorProxy:
    """eps~(lambda) given by a table: how large the network's error is taken to be at a noise level.

    `lam` strictly increasing and `value` > 0, shape (n,) each, n >= 2. log(value) is a monotone cubic of
    lambda, continued with its end slopes. Stands in for sigma^p / alpha wherever `proxy=` is taken.
    """

    __slots__ = ("_core", "_table")

    def __init__(self, lam: npt.ArrayLike, value: npt.ArrayLike) -> None:
        self._table = (as_table("proxy lam", lam), as_table("proxy value", value))
        self._core = _core.ErrorProxy.table(*self._table)

    def __call__(self, lam: npt.ArrayLike) -> float | Array:
        """eps~ at lambda."""
        noise = _core.NoiseSchedule.flow(1.0)  # a table's value does not depend on the noise schedule
        return mapped(lambda x: self._core.value(noise, x), "lam", lam)

    def __reduce__(self) -> tuple[type[ErrorProxy], tuple[Array, Array]]:
        return ErrorProxy, self._table


def core_proxy(noise: NoiseSchedule, p: float | None, proxy: ErrorProxy | None) -> _core.ErrorProxy:
    """The core's proxy: the table if there is one, else sigma^p / alpha, with the family's p where none is given."""
    if proxy is None:
        return _core.ErrorProxy.standard(core_noise(noise)) if p is None else _core.ErrorProxy.power(as_number("p", p))
    if not isinstance(proxy, ErrorProxy):
        raise ValueError(f"proxy must be an hso.ErrorProxy or None, got {proxy!r}")
    return proxy._core


def _as_rows(lam: npt.ArrayLike) -> Array:
    """`lam` with nodes along the last axis."""
    array = as_array("lam", lam)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"lam must have at least one node along its last axis, got shape {array.shape}")
    return array


def mep(
    noise: NoiseSchedule, lam: npt.ArrayLike, *, p: float | None = None, proxy: ErrorProxy | None = None
) -> float | Array:
    """Midpoint error proxy (paper eq. 8) of nodes `lam`, shape (n,): sum of eps~(m_i) (e^lam_{i+1} - e^lam_i).

    eps~ = sigma^p / alpha with p >= 0 (by default 2, for EDM 1), or `proxy`. Many schedules at a time, shape
    (..., n), give an array of shape (...,), several times faster than one by one and the same to 1e-14.
    """
    rows = _as_rows(lam)
    evaluate = _core.mep if rows.ndim == 1 else _core.mep_batch
    return evaluate(core_noise(noise), rows, core_proxy(noise, p, proxy))


def mep_gradient(
    noise: NoiseSchedule, lam: npt.ArrayLike, *, p: float | None = None, proxy: ErrorProxy | None = None
) -> Array:
    """Gradient of `mep` with respect to every node: the shape of `lam`, (n,) or, for many schedules, (..., n)."""
    rows = _as_rows(lam)
    evaluate = _core.mep_gradient if rows.ndim == 1 else _core.mep_gradient_batch
    return evaluate(core_noise(noise), rows, core_proxy(noise, p, proxy))[1]


def mep_hessian(
    noise: NoiseSchedule, lam: npt.ArrayLike, *, p: float | None = None, proxy: ErrorProxy | None = None
) -> tuple[Array, Array]:
    """Hessian of `mep`, which is tridiagonal: its diagonal, shape (n,), and off-diagonal, shape (n-1,)."""
    return _core.mep_hessian(core_noise(noise), as_vector("lam", lam), core_proxy(noise, p, proxy))[2:]


def dm_nonuni(
    noise: NoiseSchedule, lam: npt.ArrayLike, *, p: float | None = None, proxy: ErrorProxy | None = None
) -> float:
    """DM-NonUni's bound for UniPC-like multistep solvers (Xue et al. 2024, eq. 25) of strictly increasing nodes."""
    return _core.dm_nonuni(core_noise(noise), as_vector("lam", lam), core_proxy(noise, p, proxy))


def dm_nonuni_gradient(
    noise: NoiseSchedule, lam: npt.ArrayLike, *, p: float | None = None, proxy: ErrorProxy | None = None
) -> Array:
    """Gradient of `dm_nonuni`, shape (n,); one-sided where a node's weight changes sign."""
    return _core.dm_nonuni_gradient(core_noise(noise), as_vector("lam", lam), core_proxy(noise, p, proxy))[1]


def d_min(nfe: int) -> float:
    """The paper's least spacing in t: linear in nfe from 0.15 at 4 to 0.01 at 20, constant outside."""
    return _core.d_min(as_integer("nfe", nfe, least=1))


def spf(
    noise: NoiseSchedule,
    lam: npt.ArrayLike,
    nfe: int,
    *,
    d_min: float | None = None,
    gamma: float = 1e9,
    p: float | None = None,
    proxy: ErrorProxy | None = None,
) -> float:
    """Spacing-penalized fitness (paper eq. 9, 10): mep + gamma sum of max(0, d_min - |t_{i+1} - t_i|)^2.

    `d_min` defaults to the paper's value for `nfe`; `gamma` >= 0.
    """
    least = _core.d_min(as_integer("nfe", nfe, least=1)) if d_min is None else as_number("d_min", d_min)
    return _core.spf(
        core_noise(noise), as_vector("lam", lam), least, as_number("gamma", gamma), core_proxy(noise, p, proxy)
    )


def karras_start(noise: NoiseSchedule, nodes: int, *, rho: float, t_min: float, t_max: float) -> Array:
    """The Karras-type start (paper eq. 2): `nodes` >= 2 lambdas from t_max to t_min, linear in sigma^(1/rho)."""
    count = as_integer("nodes", nodes, least=2)
    return _core.karras_start(
        core_noise(noise), count, as_number("rho", rho), as_number("t_min", t_min), as_number("t_max", t_max)
    )
