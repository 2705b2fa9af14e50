"""The schedules of the paper's Tables 5 and 7."""

from __future__ import annotations

from typing import Literal

import numpy as np

import hso

Terminal = Literal["zero", "t_min"]
Objective = Literal["mep", "dm_nonuni"]

RHO = 7.0
_END = 1e-3  # DM-NonUni's published t_min; its t_max is 1

PRINTED_NFE = 4
_PRINTED = {
    "printed, with penalty": (959.0, 716.0, 370.0, 30.0),
    # printed as [999, 70, 9, 9]; a step between equal levels does nothing, one of a millionth next to nothing
    "printed, without penalty": (999.0, 70.0, 9.0, 9.0 - 1e-6),
}


def table5(noise: hso.NoiseSchedule, nfe: int = PRINTED_NFE, *, terminal: Terminal = "zero") -> dict[str, hso.Schedule]:
    """The published search with and without the spacing's penalty, the spacing as a constraint, and what is printed.

    From nfe 6 on the published search misses the spacing for all its penalty; as a constraint it is met. The
    printed schedules are timesteps of a table of 1000 for nfe 4 and DDIM (`terminal="zero"`), and come for those only.
    """
    found = {
        "with penalty": hso.optimize(noise, nfe, terminal=terminal, search="paper"),
        "without penalty": hso.optimize(noise, nfe, terminal=terminal, search="paper", gamma=0.0),
        "with constraint": hso.optimize(noise, nfe, terminal=terminal, limits="published", gap=None),
    }
    if nfe == PRINTED_NFE and terminal == "zero" and noise.family == "vp" and noise.num_train_timesteps == 1000:
        for name, timesteps in _PRINTED.items():
            found[name] = hso.Schedule.from_nodes(noise, (np.array(timesteps) + 1.0) / 1000.0, search=name)
    return found


def table7(noise: hso.NoiseSchedule, nfe: int = 4, *, terminal: Terminal) -> dict[str, hso.Schedule]:
    """Objective and search one by one: the table's rows A, B, C and HSO, with the spacing and without.

    Rows with one level have DM-NonUni's ends, t = 1 and 0.001, and search for the inner nodes alone, from the
    Karras start with rho = 7, which is a row of its own; "bi-level" searches for the ends and rho too. The
    spacing is a constraint in all of them: the published lower level knows nothing of it, so that with fixed ends
    the penalty could change nothing. The paper's terminals are "t_min" for UniPC and "zero" for DDIM.
    """
    low, high = noise.t_range
    t_min, t_max = max(_END, low), min(1.0, high)
    found = {"Karras start": _karras(noise, nfe, terminal, t_min, t_max)}
    rows: dict[str, tuple[Objective, bool]] = {
        "A: DM-NonUni": ("dm_nonuni", False),
        "B: A + bi-level": ("dm_nonuni", True),
        "C: A + MEP": ("mep", False),
        "HSO: MEP + bi-level": ("mep", True),
    }
    for name, (objective, bilevel) in rows.items():
        for suffix, spacing in (("", None), (", no spacing", 0.0)):
            found[name + suffix] = hso.optimize(
                noise,
                nfe,
                terminal=terminal,
                search="bilevel",
                objective=objective,
                limits="published",
                d_min=spacing,
                rho=(3.0, 16.0) if bilevel else (RHO, RHO),
                t_min=None if bilevel else (t_min, t_min),
                t_max=None if bilevel else (t_max, t_max),
            )
    return found


def _karras(noise: hso.NoiseSchedule, nfe: int, terminal: Terminal, t_min: float, t_max: float) -> hso.Schedule:
    return hso.schedules.karras(noise, nfe, terminal=terminal, rho=RHO, t_min=t_min, t_max=t_max)
