"""What of HSO's gain over a uniform schedule comes from its ends, its interior and its terminal.

A schedule's nodes on the sampler's clock u (t, for flow models t before the shift) are

    u_i = u_last + r_i (u_first - u_last),   r_0 = 1 > r_1 > ... > r_K = 0:

two ends and an interior r. In each variant some parts of HSO's schedule are replaced by those of the
uniform one, `hso.schedules.uniform_t`:

    ends       its u_first and u_last: 1 and 1/nfe for terminal "zero" (the trailing spacing), for "t_min"
               and "skip" the highest and the lowest t that the noise schedule has
    interior   r_i = 1 - i/K
    terminal   the same network calls, but the last step goes to sigma 0, as for every uniform schedule. For
               terminals "zero" and "skip", which do that already, there is nothing to replace
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

import hso
import nodes

PARTS = ("ends", "interior", "terminal")


def components(noise: hso.NoiseSchedule, ours: hso.Schedule) -> dict[str, hso.Schedule]:
    """Every variant of `ours`, of at least 2 nodes: "hso", "uniform ends", ...; "uniform" has all parts replaced."""
    parts = _parts(ours.terminal)
    own = nodes.to_clock(noise, nodes.of(ours))
    if own.size < 2:
        raise ValueError(f"ours must have at least 2 optimized nodes, got {own.size}")
    baseline = hso.schedules.uniform_t(noise, ours.nfe, terminal="zero" if ours.terminal == "zero" else "t_min")
    uniform = nodes.to_clock(noise, nodes.of(baseline))
    interior = (own - own[-1]) / (own[0] - own[-1])
    made = {}
    for replaced in _subsets(parts):
        first, *_, last = uniform if "ends" in replaced else own
        share = np.linspace(1.0, 0.0, own.size) if "interior" in replaced else interior
        t = nodes.from_clock(noise, last + share * (first - last))
        terminal = ours.terminal
        if "terminal" in replaced:
            t, terminal = t[:-1], "zero"
        name = _name(replaced, parts)
        made[name] = hso.Schedule.from_nodes(noise, t, terminal=terminal, search=f"ablation ({name})")
    return made


def contributions(measured: Mapping[str, float]) -> dict[str, float]:
    """How much of `measured["uniform"] - measured["hso"]` each part accounts for; they add up to it.

    What a part is worth depends on which others are there already: this is its mean over all orders of
    replacing them (Shapley 1953). Takes one number for each variant of `components`.
    """
    parts = tuple(part for part in PARTS if f"uniform {part}" in measured)
    worth = {}
    for part in parts:
        others = tuple(other for other in parts if other != part)
        worth[part] = sum(
            (measured[_name((*before, part), parts)] - measured[_name(before, parts)])
            / (len(parts) * math.comb(len(others), len(before)))
            for before in _subsets(others)
        )
    return worth


def rows(
    schedules: Mapping[str, hso.Schedule], measured: Mapping[str, Mapping[str, Any]], **cell: Any
) -> list[dict[str, Any]]:
    """One row for every variant: `cell` (model, solver, ...), what it is, what was measured.

    "spacing_min" and "spacing_mean" are over the optimized nodes, as indices of the network's timesteps (Table 5).
    """
    made = []
    for name, schedule in schedules.items():
        gaps = -np.diff(schedule.timesteps)
        described = {
            "nfe": schedule.nfe,
            "variant": name,
            "terminal": schedule.terminal,
            "timesteps": schedule.timesteps.tolist(),
            "mep": schedule.mep,
            "spacing_min": float(gaps.min()) if gaps.size else None,
            "spacing_mean": float(gaps.mean()) if gaps.size else None,
        }
        made.append(cell | described | dict(measured[name]))
    return made


def _parts(terminal: str) -> tuple[str, ...]:
    return PARTS if terminal == "t_min" else PARTS[:2]


def _subsets(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [chosen for size in range(len(parts) + 1) for chosen in combinations(parts, size)]


def _name(replaced: tuple[str, ...], parts: tuple[str, ...]) -> str:
    if not replaced:
        return "hso"
    if len(replaced) == len(parts):
        return "uniform"
    return "uniform " + " and ".join(part for part in parts if part in replaced)
