"""The search for a schedule."""

from __future__ import annotations

from typing import Literal

from . import _core
from .checks import as_integer, as_range
from .noise_schedule import NoiseSchedule
from .objective import ErrorProxy, core_proxy
from .schedule import Schedule

Terminal = Literal["zero", "t_min", "skip"]
Range = tuple[float, float]


def optimize(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    search: Literal["bilevel", "paper"] = "bilevel",
    objective: Literal["mep", "dm_nonuni"] = "mep",
    p: float = 2.0,
    proxy: ErrorProxy | None = None,
    gamma: float = 1e9,
    d_min: float | None = None,
    rho: Range = (3.0, 16.0),
    t_min: Range | None = None,
    t_max: Range | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Schedule:
    """Finds the schedule of `nfe` network calls with the least fitness for this noise schedule.

    Args:
        noise: The model's noise schedule.
        nfe: Network calls, 1..10000.
        terminal: Where the last call's interval ends. "zero": nfe nodes are optimized, then the step to
            sigma 0 (the paper's DDIM setting). "t_min": nfe + 1 nodes are optimized and integration stops at
            the last, with that much noise left (the paper's UniPC setting). "skip": nodes as for "t_min",
            but from the nfe-th the step goes straight to sigma 0.
        search: "bilevel": differential evolution over the Karras start's (rho, t_min, t_max), SLSQP with the
            spacing as constraints, then a polish with the ends free. "paper": as published, where the
            spacing is only a penalty of the upper level.
        objective: What the nodes minimize: "mep" (paper eq. 8) or "dm_nonuni" (Xue et al. 2024, for UniPC).
        p: Exponent of the error proxy sigma^p / alpha, >= 0.
        proxy: A tabulated error proxy instead of the power law.
        gamma: Weight of the spacing penalty, >= 0.
        d_min: Least spacing in t, >= 0; default `hso.d_min(nfe)`.
        rho: Range of the start's curvature.
        t_min: Range of the last optimized node's t; default 0.01..0.03 on the sampler's clock (for a flow
            model these are shifted, see NoiseSchedule.flow).
        t_max: Range of the first node's t; default 0.96..1 on the sampler's clock.
        seed: Seed of the evolution, 0..2**64 - 1.
        threads: Worker threads, 0 for one per processor. The result does not depend on it.

    Raises:
        ValueError: an argument makes no sense, or the spacing does not fit between the ends.
    """
    if not isinstance(noise, NoiseSchedule):
        raise ValueError(f"noise must be an hso.NoiseSchedule, got {noise!r}")
    found = _core.optimize(
        noise._core,
        as_integer("nfe", nfe, least=1),
        str(terminal),
        str(search),
        str(objective),
        core_proxy(p, proxy),
        float(gamma),
        None if d_min is None else float(d_min),
        as_range("rho", rho),
        None if t_min is None else as_range("t_min", t_min),
        None if t_max is None else as_range("t_max", t_max),
        as_integer("seed", seed, least=0, most=2**64 - 1),
        as_integer("threads", threads, least=0, most=1024),
    )
    return Schedule._from_core(found, noise, search)
