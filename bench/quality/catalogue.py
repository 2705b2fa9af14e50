"""The schedules that are compared: every baseline of hso.schedules, and every search of hso with every terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

import hso
from hso import schedules
from hso._optimize import Terminal

Make = Callable[[], hso.Schedule]

PUBLISHED = "HSO exact, published limits"
BEHIND_A_DECODER = "HSO exact to 1/nfe"
UNIFORM_ON_OUR_ENDS = "uniform t, HSO's ends"


def catalogue(noise: hso.NoiseSchedule, nfe: int, solver: str, *, decoder: bool = False) -> dict[tuple[str, str], Make]:
    """(name, terminal) -> how to make it, for one noise schedule, number of network calls and solver.

    Baselines end at sigma 0, as their users run them; those of the literature that stop at t_min, and
    the searches, come with their terminals; one of these is for models with a `decoder`. DM-NonUni is made
    for UniPC and the searches need two nodes, so some are left out.
    """
    made: dict[tuple[str, str], Make] = {
        ("uniform t, trailing", "zero"): lambda: schedules.uniform_t(noise, nfe),
        ("uniform t, leading", "zero"): lambda: schedules.uniform_t(noise, nfe, spacing="leading"),
        ("uniform t, linspace", "zero"): lambda: schedules.uniform_t(noise, nfe, spacing="linspace"),
        ("uniform lambda", "zero"): lambda: schedules.uniform_lambda(noise, nfe),
        ("Karras", "zero"): lambda: schedules.karras(noise, nfe),
        ("beta", "zero"): lambda: schedules.beta(noise, nfe),
        ("tan law", "zero"): lambda: schedules.kl_optimal(noise, nfe),
        ("linear-quadratic", "zero"): lambda: schedules.linear_quadratic(noise, nfe),
    }
    if noise.family == "vp":
        made[("AYS", "zero")] = lambda: schedules.ays(noise, nfe)
    if solver.startswith("UniPC") and nfe <= 10:
        made[("DM-NonUni", "t_min")] = lambda: schedules.dm_nonuni(noise, nfe)
    ends: tuple[Terminal, ...] = ("zero", "t_min", "skip")
    for terminal in ends:
        made[("HSO exact", terminal)] = partial(hso.optimize, noise, nfe, terminal=terminal, gap=None)
        made[(UNIFORM_ON_OUR_ENDS, terminal)] = partial(uniform_on_our_ends, noise, nfe, terminal)
    for terminal in ends[:2]:
        made[(PUBLISHED, terminal)] = partial(hso.optimize, noise, nfe, terminal=terminal, limits="published", gap=None)
    if decoder:
        made[(BEHIND_A_DECODER, "t_min")] = partial(behind_a_decoder, noise, nfe)
    made[("HSO bilevel", "zero")] = lambda: hso.optimize(noise, nfe, search="bilevel")
    for terminal in ends[:2]:
        made[("HSO paper", terminal)] = partial(hso.optimize, noise, nfe, terminal=terminal, search="paper")
    return made


def behind_a_decoder(noise: hso.NoiseSchedule, nfe: int) -> hso.Schedule:
    """The optimum that stops at the VE sigma 1/nfe: a decoder takes most of the noise that is left for texture."""
    last = float(noise.t(np.clip(np.log(nfe), *noise.lambda_range)))
    return hso.optimize(noise, nfe, terminal="t_min", t_min=(last, last), gap=None)


def uniform_on_our_ends(noise: hso.NoiseSchedule, nfe: int, terminal: Terminal) -> hso.Schedule:
    """Nodes uniform in t, on the sampler's clock, between the ends that the exact search finds."""
    ours = hso.optimize(noise, nfe, terminal=terminal, gap=None)
    nodes = nfe + (terminal != "zero")
    shift = noise.shift
    first, last = (t / (shift - (shift - 1.0) * t) for t in (ours.psi.t_max, ours.psi.t_min))
    t = [noise.shifted(float(u)) for u in np.linspace(first, last, nodes)]
    return hso.Schedule.from_nodes(
        noise, np.clip(t, *noise.t_range), terminal=terminal, search="uniform_t (HSO's ends)"
    )
