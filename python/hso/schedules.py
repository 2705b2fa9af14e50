"""Schedules that are not searched for, and DM-NonUni's: what an optimized schedule is compared with.

All take the noise schedule and `nfe`, return the same Schedule type as `hso.optimize`, and understand
the terminals "zero" (nfe nodes, then sigma 0) and "t_min" (nfe + 1 nodes, the last is not evaluated).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ._arrays import Array
from ._optimize import optimize
from .checks import as_integer, as_number, as_positive, one_of
from .noise_schedule import NoiseSchedule
from .objective import d_min
from .schedule import Schedule

Terminal = Literal["zero", "t_min"]

_AYS: dict[str, tuple[float, ...]] = {
    "sd15": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    "svd": (700.00, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
}
"""VE sigmas of Align Your Steps' 10-step schedules (Sabour et al. 2024), the 11th node included."""


def _nodes(nfe: int, terminal: str) -> int:
    one_of("terminal", terminal, ("zero", "t_min"))
    return as_integer("nfe", nfe, least=1, most=10000) + (terminal == "t_min")


def _ends(noise: NoiseSchedule, t_min: float | None, t_max: float | None) -> tuple[float, float]:
    low, high = noise.t_range
    end = low if t_min is None else _within(noise, "t_min", t_min)
    start = high if t_max is None else _within(noise, "t_max", t_max)
    if not end < start:
        raise ValueError(f"t_min must be below t_max = {start}, got {end}")
    return end, start


def _within(noise: NoiseSchedule, name: str, value: float) -> float:
    low, high = noise.t_range
    t = as_number(name, value)
    try:
        noise.lam(t)  # takes 1 where a flow or cosine schedule ends just below
    except ValueError:
        raise ValueError(f"{name} must be within the noise schedule's range {low}..{high}, got {t}") from None
    return min(t, high)


def _at_lambdas(noise: NoiseSchedule, lam: Array, terminal: Terminal, name: str) -> Schedule:
    low, high = noise.lambda_range
    return Schedule.from_nodes(noise, np.asarray(noise.t(np.clip(lam, low, high))), terminal=terminal, search=name)


def uniform_t(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    spacing: Literal["trailing", "linspace", "leading"] = "trailing",
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """Nodes uniform in t; for a flow model uniform before its shift, which is what its pipelines run.

    With terminal "zero", `spacing` says how N nodes are laid on the range, as in diffusers: "trailing" t_max (1 - i/N),
    "linspace" both ends included, "leading" t_max (1 - (i+1)/N) + 1/n: the first call is not at the most noise. With
    terminal "t_min" both ends are included and `spacing` is not used. "trailing" and "leading" take no `t_min`: where
    they end follows from N.
    """
    count = _nodes(nfe, terminal)
    one_of("spacing", spacing, ("trailing", "linspace", "leading"))
    if t_min is not None and terminal == "zero" and spacing != "linspace":
        raise ValueError(f"t_min must be left out with terminal 'zero' and spacing {spacing!r}, got {t_min!r}")
    end, start = _ends(noise, t_min, t_max)
    steps = np.arange(count)
    if terminal == "t_min" or spacing == "linspace":
        t = start + (end - start) * steps / max(count - 1, 1)
    elif spacing == "trailing":
        t = start * (1.0 - steps / count)
    else:
        t = start * (1.0 - (steps + 1) / count) + 1.0 / noise.num_train_timesteps
    t = np.array([noise.shifted(value) for value in t])
    return Schedule.from_nodes(noise, np.clip(t, *noise.t_range), terminal=terminal, search=f"uniform_t ({spacing})")


def uniform_lambda(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """Nodes uniform in lambda between t_max and t_min (both included): DPM-Solver's logSNR, "exponential" sigmas."""
    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    lam = np.linspace(noise.lam(start), noise.lam(end), count)
    return _at_lambdas(noise, lam, terminal, "uniform_lambda")


def karras(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    rho: float = 7.0,
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """Karras et al. 2022 (eq. 5): VE sigmas linear in sigma^(1/rho), both ends included; rho > 0."""
    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    if not as_number("rho", rho) > 0.0:
        raise ValueError(f"rho must be positive, got {rho}")
    high, low = (float(np.exp(-noise.lam(t) / rho)) for t in (start, end))
    lam = -rho * np.log(np.linspace(high, low, count))
    return _at_lambdas(noise, lam, terminal, "karras")


def beta(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    a: float = 0.6,
    b: float = 0.6,
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """Nodes at the quantiles of a Beta(a, b) distribution over VE sigma, as use_beta_sigmas has it (needs SciPy)."""
    from scipy.stats import beta as distribution

    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    high, low = (float(np.exp(-noise.lam(t))) for t in (start, end))
    share = distribution.ppf(1.0 - np.linspace(0.0, 1.0, count), as_positive("a", a), as_positive("b", b))
    return _at_lambdas(noise, -np.log(low + share * (high - low)), terminal, "beta")


def kl_optimal(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    data_std: float = 1.0,
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """The tan law: arctan(sigma / data_std) uniform in VE sigma, both ends included.

    For data from N(0, data_std^2 I) it minimizes the Kullback-Leibler divergence of Euler's method (Sabour et al. 2024,
    Theorem 3.1); samplers know it as "kl_optimal".
    """
    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    scale = as_positive("data_std", data_std)
    high, low = (float(np.arctan(np.exp(-noise.lam(t)) / scale)) for t in (start, end))
    return _at_lambdas(noise, -np.log(scale * np.tan(np.linspace(high, low, count))), terminal, "kl_optimal")


def linear_quadratic(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    threshold: float = 0.025,
    t_min: float | None = None,
    t_max: float | None = None,
) -> Schedule:
    """Half of the steps linear over the first `threshold` of the noise, the others quadratic to the end (Mochi).

    Noise is s for a flow model and VE sigma for the others, from its value at t_max down to that at t_min; with
    terminal "zero" to 0. The two halves join with the same slope. 0 < threshold < 1.
    """
    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    if not 0.0 < as_number("threshold", threshold) < 1.0:
        raise ValueError(f"threshold must be above 0 and below 1, got {threshold}")
    linear = max(nfe // 2, 1)
    later = np.maximum(np.arange(count) - linear, 0)
    slope = threshold / linear
    bend = (1.0 - threshold - slope * (nfe - linear)) / max(nfe - linear, 1) ** 2
    done = slope * np.arange(count) + bend * later**2
    flow = noise.family == "flow"
    high, low = ((t if flow else float(np.exp(-noise.lam(t)))) for t in (start, end))
    level = high - done * (high - (low if terminal == "t_min" else 0.0))
    lam = np.log1p(-level) - np.log(level) if flow else -np.log(level)
    return _at_lambdas(noise, lam, terminal, "linear_quadratic")


def ays(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "zero",
    model: Literal["sd15", "sdxl", "svd"] = "sd15",
) -> Schedule:
    """Align Your Steps' published 10-step schedule; another `nfe` interpolates log(sigma) linearly over its 11 nodes.

    With terminal "zero" the last of nfe + 1 interpolated nodes is replaced by sigma 0, as users of the tables do.
    """
    one_of("model", model, _AYS)
    count = _nodes(nfe, terminal)
    table = -np.log(np.array(_AYS[model]))
    places = np.linspace(0.0, table.size - 1.0, (count if terminal == "t_min" else count + 1))
    lam = np.interp(places, np.arange(table.size), table)
    return _at_lambdas(noise, lam[:count], terminal, f"ays ({model})")


def dm_nonuni(
    noise: NoiseSchedule,
    nfe: int,
    *,
    terminal: Terminal = "t_min",
    p: float | None = None,
    t_min: float = 1e-3,
    t_max: float = 1.0,
    spacing: float | None = None,
) -> Schedule:
    """DM-NonUni (Xue et al. 2024): its UniPC bound minimized between fixed ends, t = 1 and 0.001 as published.

    Up to nfe 7 the bound has one minimum in practice, and this finds it. From 8 intervals on it is ill-posed
    without a spacing (signed weights cancel as the first nodes merge; the published local search stops on a
    kink that depends on rounding), so there nodes are kept `spacing` apart in t, by default half of
    `hso.d_min(nfe)`.
    """
    count = _nodes(nfe, terminal)
    end, start = _ends(noise, t_min, t_max)
    if spacing is None:
        spacing = 0.0 if count <= 8 else 0.5 * d_min(nfe)
    found = optimize(
        noise,
        nfe,
        terminal=terminal,
        objective="dm_nonuni",
        p=p,
        d_min=spacing,
        t_min=(end, end),
        t_max=(start, start),
    )
    nodes = found.t if terminal == "t_min" else found.t[:-1]
    return Schedule.from_nodes(
        noise, nodes, terminal=terminal, objective="dm_nonuni", p=p, d_min=spacing, search="dm_nonuni"
    )
