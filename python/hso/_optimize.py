"""The search for a schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .checks import as_integer, as_number, as_range
from .noise_schedule import NoiseSchedule, core_noise
from .objective import ErrorProxy, core_proxy
from .schedule import Schedule
from .schedule_options import objective_options
from .solvers import Solver, steps_within

if TYPE_CHECKING:
    from .calibration import Profile

Terminal: TypeAlias = Literal["zero", "t_min", "skip"]
Search: TypeAlias = Literal["exact", "bilevel", "paper"]
Local: TypeAlias = Literal["newton", "slsqp"]
Objective: TypeAlias = Literal["mep", "dm_nonuni"]
ProfileObjective: TypeAlias = Literal["solver", "jump", "jump_x0", "jump_carried"]
Limits: TypeAlias = Literal["measured", "published"]
Range: TypeAlias = tuple[float, float]

MAX_NFE = 10_000


@overload
def optimize(
    noise: NoiseSchedule | Profile,
    nfe: int,
    *,
    terminal: Terminal = ...,
    solver: Solver | None = ...,
    search: Search | None = ...,
    local: Local | None = ...,
    objective: Objective | ProfileObjective | None = ...,
    p: float | None = ...,
    proxy: ErrorProxy | None = ...,
    gamma: float | None = ...,
    gap: float | None = ...,
    limits: Limits | None = ...,
    d_min: float | None = ...,
    rho: Range = ...,
    t_min: Range | None = ...,
    t_max: Range | None = ...,
    seed: int = ...,
    threads: int = ...,
) -> Schedule: ...
@overload
def optimize(
    noise: NoiseSchedule | Profile,
    nfe: Sequence[int] | npt.NDArray[np.integer],
    *,
    terminal: Terminal = ...,
    solver: Solver | None = ...,
    search: Search | None = ...,
    local: Local | None = ...,
    objective: Objective | ProfileObjective | None = ...,
    p: float | None = ...,
    proxy: ErrorProxy | None = ...,
    gamma: float | None = ...,
    gap: float | None = ...,
    limits: Limits | None = ...,
    d_min: float | None = ...,
    rho: Range = ...,
    t_min: Range | None = ...,
    t_max: Range | None = ...,
    seed: int = ...,
    threads: int = ...,
) -> list[Schedule]: ...
def optimize(
    noise: NoiseSchedule | Profile,
    nfe: int | Sequence[int] | npt.NDArray[np.integer],
    *,
    terminal: Terminal = "zero",
    solver: Solver | None = None,
    search: Search | None = None,
    local: Local | None = None,
    objective: Objective | ProfileObjective | None = None,
    p: float | None = None,
    proxy: ErrorProxy | None = None,
    gamma: float | None = None,
    gap: float | None = 1e-6,
    limits: Limits | None = None,
    d_min: float | None = None,
    rho: Range = (3.0, 16.0),
    t_min: Range | None = None,
    t_max: Range | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Schedule | list[Schedule]:
    """Finds the schedule of `nfe` network calls with the least fitness for this noise schedule.

    Args:
        noise: The model's noise schedule; or a profile from `hso.calibrate`, with which the schedule is the best for
            the measured model and `nfe`, `terminal`, `objective`, `t_min` and `t_max` are all that may be given (see
            `hso.Profile.optimize`).
        nfe: Network calls, 1..10000 (with local "slsqp" 1..1000); a list of them gives a list of schedules.
        solver: The solver that will run it. "heun" and "kdpm2" spend 2 steps - 1 calls: they get the most steps
            that nfe calls allow (an even nfe leaves one unspent), and `Schedule.nfe` says what is spent. All
            others spend one call a step, as None does.
        terminal: Where the last call's interval ends. "zero": nfe nodes are optimized, then the step
            to sigma 0 (the paper's DDIM setting). "t_min": nfe + 1 nodes are optimized and integration
            stops at the last, with that much noise left (the paper's UniPC setting). "skip": nodes as
            for "t_min", but from the nfe-th the step goes straight to sigma 0.
        search: "exact" (the default for "mep"): the global optimum, with a certificate. "bilevel" (the
            default for "dm_nonuni"): differential evolution over the Karras start's (rho, t_min, t_max),
            a local solver with the spacing as constraints, then a polish with the ends free. "paper": as
            published, where the spacing is only a penalty of the upper level.
        local: The local solver of "bilevel" and "paper": "newton" (the default for "mep") or "slsqp" (the
            only one for "dm_nonuni").
        objective: What the nodes minimize: "mep" (the default, paper eq. 8) or "dm_nonuni" (Xue et al. 2024, for
            UniPC). With a profile: "solver", "jump", "jump_x0" or "jump_carried".
        p: Exponent of the error proxy sigma^p / alpha, >= 0; default 2, as published, and 1 for EDM, where 2 makes
            MEP the same for every schedule.
        proxy: A tabulated error proxy instead of the power law.
        gamma: Weight of the spacing penalty, 0..1e100. With "exact" a number makes the spacing soft: the minimum
            of mep plus penalty is found. Without one the spacing is a constraint. The other searches weigh
            schedules that miss the spacing with it, or with the published 1e9.
        gap: With "exact", the relative gap between the fitness and its certified lower bound, > 0, where 2e-12
            is the least that rounding allows; None: no certificate, which takes a tenth of the time.
        limits: The ends and the spacing where t_min, t_max and d_min are not given. "measured": as the samples of
            five models ask for (docs/quality.md): the first node at the most noise; the last at the VE sigma
            1.5 shift/nfe (shift: 1 for all but flow), 0.2 shift/nfe with the terminals "t_min" and "skip", but at most
            halfway up to the first; three quarters of `hso.d_min(nfe)` apart, at most 0.8 of an even spacing.
            "published": t in 0.01..0.03 and 0.96..1 on the sampler's clock (shifted for a flow model, see
            NoiseSchedule.flow) and `hso.d_min(nfe)`. Default: "measured"; "published" for search "paper" and
            objective "dm_nonuni".
        d_min: Least spacing in t, 0..1.
        rho: Range of the start's curvature, above 0 ("bilevel", "paper").
        t_min: Range (low, high) of the last optimized node's t.
        t_max: Range (low, high) of the first node's t.
        seed: Seed of the evolution, 0..2**64 - 1 ("bilevel", "paper").
        threads: Worker threads of "bilevel" and "paper", 0 for one per processor. The result does not depend
            on it.

    Raises:
        ValueError: an argument makes no sense, or the spacing does not fit between the ends.
    """
    if not isinstance(noise, NoiseSchedule):
        from .calibration import Profile

        if isinstance(noise, Profile):
            given: dict[str, Any] = {"solver": solver, "search": search, "local": local, "p": p, "proxy": proxy}
            given |= {"gamma": gamma, "limits": limits, "d_min": d_min}
            given |= {"gap": gap, "rho": rho, "seed": seed, "threads": threads}
            usual = optimize.__kwdefaults__ or {}
            for name, value in given.items():
                if value is not usual[name] and not np.array_equal(value, np.asarray(usual[name])):
                    raise ValueError(f"{name} must be left out with a profile, which decides it, got {value!r}")
            kind: Any = objective
            ends: Any = terminal
            return noise.optimize(nfe, terminal=ends, objective=kind, t_min=t_min, t_max=t_max)
    objective = "mep" if objective is None else objective
    many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str) and np.ndim(nfe) > 0
    counts = [as_integer("nfe", n, least=1, most=MAX_NFE) for n in (nfe if many else [nfe])]  # type: ignore[union-attr]
    proxies = core_proxy(noise, p, proxy)
    weight = None if gamma is None else as_number("gamma", gamma)
    wanted_gap = None if gap is None else as_number("gap", gap)
    least = None if d_min is None else as_number("d_min", d_min)
    curvature = as_range("rho", rho)
    last = None if t_min is None else as_range("t_min", t_min)
    first = None if t_max is None else as_range("t_max", t_max)
    stream = as_integer("seed", seed, least=0, most=2**64 - 1)
    found = _core.optimize(
        core_noise(noise),
        [steps_within(n, solver) for n in counts],
        str(terminal),
        None if search is None else str(search),
        None if local is None else str(local),
        str(objective),
        proxies,
        weight,
        math.inf if wanted_gap is None else wanted_gap,
        None if limits is None else str(limits),
        least,
        curvature,
        last,
        first,
        stream,
        as_integer("threads", threads, least=0, most=1024),
    )
    mep, published = objective == "mep", search == "paper" or objective == "dm_nonuni"
    name = str(search or ("exact" if mep else "bilevel"))
    options = objective_options(noise, str(objective), p, proxy) | {
        "search": name,
        "gamma": weight,
        "limits": str(limits or ("published" if published else "measured")),
        "d_min": least,
        "t_min": last,
        "t_max": first,
    }
    if name == "exact":
        options["gap"] = wanted_gap
    else:
        options |= {"local": str(local or ("newton" if mep else "slsqp")), "rho": curvature, "seed": stream}
    schedules = [Schedule._from_core(schedule, noise, name, options, solver) for schedule in found]
    return schedules if many else schedules[0]
