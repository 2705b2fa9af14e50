"""What the property tests draw from: noise schedules of every family, requests, and how many examples are tried.

HYPOTHESIS_PROFILE=long tries ten times as many, other ones in every run; the ordinary profile always tries the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import hso

_ORDINARY = 60
_QUIET: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}
settings.register_profile("ordinary", max_examples=_ORDINARY, derandomize=True, **_QUIET)
settings.register_profile("long", max_examples=10 * _ORDINARY, print_blob=True, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))


def share(part: float) -> settings:
    """Settings of a test that tries that part of the profile's examples."""
    return settings(max_examples=max(5, round(part * settings().max_examples)))


@st.composite
def vp_tables(draw: st.DrawFn) -> hso.NoiseSchedule:
    """Discrete tables of 2 to 1000 entries: betas between two ends, bent and rippled."""
    n = draw(st.sampled_from([2, 3, 10, 50, 200, 1000]))
    # what makes the last entry's VE sigma 2 to 100
    least = np.log1p(draw(st.floats(2.0, 100.0)) ** 2) / n
    low = draw(st.floats(0.01, 0.9)) * least
    power = draw(st.sampled_from([0.5, 1.0, 2.0]))
    u = np.linspace(0.0, 1.0, n)
    betas = (low**power + ((2.0 * least - low) ** power - low**power) * u) ** (1.0 / power)
    betas *= 1.0 + draw(st.floats(0.0, 0.3)) * np.sin(40.0 * u)
    return hso.NoiseSchedule.from_alphas_cumprod(np.exp(-np.cumsum(betas)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t, alpha and sigma of tables of no known family: (scale (1 + slope t) cos, sin) of an angle."""
    n = draw(st.integers(2, 300))
    scale, slope = draw(st.floats(0.5, 2.0)), draw(st.floats(-0.3, 0.3))
    t = np.linspace(draw(st.floats(1e-3, 0.05)), draw(st.floats(0.8, 1.0)), n)
    angle = draw(st.floats(1.2, 1.5)) * t
    return t, scale * np.cos(angle) * (1.0 + slope * t), np.sin(angle)


vp_linears = st.tuples(st.floats(0.02, 1.0), st.floats(5.0, 30.0)).map(
    lambda ends: hso.NoiseSchedule.vp_linear(beta_min=ends[0], beta_max=ends[1])
)
cosines = st.floats(0.002, 0.05).map(lambda s: hso.NoiseSchedule.vp_cosine(s=s))
flows = st.floats(0.05, 50.0).map(lambda shift: hso.NoiseSchedule.flow(shift=shift))
edms = st.tuples(st.floats(1e-4, 0.1), st.floats(1.0, 1000.0)).map(
    lambda ends: hso.NoiseSchedule.edm(sigma_min=ends[0], sigma_max=ends[1])
)
general = tables().map(lambda table: hso.NoiseSchedule.from_table(*table))
noises = st.one_of(vp_tables(), vp_linears, cosines, flows, edms, general)
terminals = st.sampled_from(["zero", "t_min", "skip"])


@dataclass(frozen=True)
class Request:
    """What `hso.optimize` is asked; `noise` and `nfe` beside the options."""

    noise: hso.NoiseSchedule
    nfe: int
    options: dict[str, Any]

    def answer(self, **other: Any) -> hso.Schedule:
        """The schedule, with other options instead of or beside these."""
        return hso.optimize(self.noise, self.nfe, **{**self.options, **other})

    @property
    def nodes(self) -> int:
        """How many nodes are optimized."""
        return self.nfe + (self.options["terminal"] != "zero")


@st.composite
def requests(draw: st.DrawFn, *, most: int = 20, powers: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)) -> Request:
    """Requests that can be met: default ends and spacing, or given ones with room between them."""
    noise, nfe, terminal = draw(noises), draw(st.integers(1, most)), draw(terminals)
    options: dict[str, Any] = {"terminal": terminal, "p": draw(st.sampled_from(powers))}
    if draw(st.booleans()):
        return Request(noise, nfe, options)
    low, high = noise.t_range
    room = high - low
    last = low + room * draw(st.floats(0.0, 0.1)), low + room * draw(st.floats(0.1, 0.3))
    first = low + room * draw(st.floats(0.6, 0.8)), low + room * draw(st.floats(0.8, 1.0))
    if draw(st.booleans()):
        last, first = (last[0], last[0]), (first[1], first[1])
    count = nfe + (terminal != "zero")
    options |= {"t_min": last, "t_max": first}
    options["d_min"] = draw(st.sampled_from([0.0, 0.3, 0.9])) * 0.3 * room / max(count - 1, 1)
    return Request(noise, nfe, options)
