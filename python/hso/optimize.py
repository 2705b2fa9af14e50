"""The search for a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .checks import as_integer, as_number, as_range, one_of
from .noise_schedule import NoiseSchedule, core_noise
from .objective import ErrorProxy, core_proxy
from .schedule import Schedule

Terminal: TypeAlias = Literal["zero", "t_min", "skip"]
Search: TypeAlias = Literal["bilevel", "paper"]
Local: TypeAlias = Literal["slsqp"]
Objective: TypeAlias = Literal["mep", "dm_nonuni"]
Range: TypeAlias = tuple[float, float]

MAX_NFE = 10_000
_LOCALS = ("slsqp",)


@overload
def optimize(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = ...,
    search: Search = ...,
    local: Local = ...,
    objective: Objective = ...,
    p: float = ...,
    proxy: ErrorProxy | None = ...,
    gamma: float = ...,
    d_min: float | None = ...,
    rho: Range = ...,
    t_min: Range | None = ...,
    t_max: Range | None = ...,
    seed: int = ...,
    threads: int = ...,
) -> Schedule: ...
@overload
def optimize(
    noise: NoiseSchedule,
    nfe: Sequence[int] | npt.NDArray[np.integer],
    *,
    terminal: Terminal = ...,
    search: Search = ...,
    local: Local = ...,
    objective: Objective = ...,
    p: float = ...,
    proxy: ErrorProxy | None = ...,
    gamma: float = ...,
    d_min: float | None = ...,
    rho: Range = ...,
    t_min: Range | None = ...,
    t_max: Range | None = ...,
    seed: int = ...,
    threads: int = ...,
) -> list[Schedule]: ...
def optimize(
    noise: NoiseSchedule,
    nfe: int | Sequence[int] | npt.NDArray[np.integer],
    *,
    terminal: Terminal = "zero",
    search: Search = "bilevel",
    local: Local = "slsqp",
    objective: Objective = "mep",
    p: float = 2.0,
    proxy: ErrorProxy | None = None,
    gamma: float = 1e9,
    d_min: float | None = None,
    rho: Range = (3.0, 16.0),
    t_min: Range | None = None,
    t_max: Range | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Schedule | list[Schedule]:
    """Finds the schedule of `nfe` network calls with the least fitness for this noise schedule.

    Args:
        noise: The model's noise schedule.
        nfe: Network calls, 1..10000; a list of them gives a list of schedules.
        terminal: Where the last call's interval ends. "zero": nfe nodes are optimized, then the step
            to sigma 0 (the paper's DDIM setting). "t_min": nfe + 1 nodes are optimized and integration
            stops at the last, with that much noise left (the paper's UniPC setting). "skip": nodes as
            for "t_min", but from the nfe-th the step goes straight to sigma 0.
        search: "bilevel": differential evolution over the Karras start's (rho, t_min, t_max), a local
            solver with the spacing as constraints, then a polish with the ends free. "paper": as
            published, where the spacing is only a penalty of the upper level.
        local: The local solver of the lower level: "slsqp".
        objective: What the nodes minimize: "mep" (paper eq. 8) or "dm_nonuni" (Xue et al. 2024, for
            UniPC).
        p: Exponent of the error proxy sigma^p / alpha, >= 0.
        proxy: A tabulated error proxy instead of the power law.
        gamma: Weight of the spacing penalty, >= 0.
        d_min: Least spacing in t, >= 0; default `hso.d_min(nfe)`.
        rho: Range of the start's curvature, above 0.
        t_min: Range (low, high) of the last optimized node's t; default 0.01..0.03 on the sampler's
            clock (for a flow model these are shifted, see NoiseSchedule.flow).
        t_max: Range (low, high) of the first node's t; default 0.96..1 on the sampler's clock.
        seed: Seed of the evolution, 0..2**64 - 1.
        threads: Worker threads, 0 for one per processor. The result does not depend on it.

    Raises:
        ValueError: an argument makes no sense, or the spacing does not fit between the ends.
    """
    table = core_noise(noise)
    many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str) and np.ndim(nfe) > 0
    counts = [as_integer("nfe", n, least=1, most=MAX_NFE) for n in (nfe if many else [nfe])]  # type: ignore[union-attr]
    one_of("local", local, _LOCALS)
    error_proxy = core_proxy(p, proxy)
    weight = as_number("gamma", gamma)
    spacing = None if d_min is None else as_number("d_min", d_min)
    curvature = as_range("rho", rho)
    last = None if t_min is None else as_range("t_min", t_min)
    first = None if t_max is None else as_range("t_max", t_max)
    stream = as_integer("seed", seed, least=0, most=2**64 - 1)
    workers = as_integer("threads", threads, least=0, most=1024)
    schedules = [
        Schedule._from_core(
            _core.optimize(
                table,
                count,
                str(terminal),
                str(search),
                str(objective),
                error_proxy,
                weight,
                spacing,
                curvature,
                last,
                first,
                stream,
                workers,
            ),
            noise,
            search,
        )
        for count in counts
    ]
    return schedules if many else schedules[0]
