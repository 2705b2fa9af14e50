"""Schedules: N+1 noise levels of which the network sees the first N, and where they come from."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import Array, as_vector, read_only
from .checks import as_number, as_positive
from .noise_schedule import NoiseSchedule, core_noise
from .objective import ErrorProxy, core_proxy
from .schedule_file import read_schedule, read_text, text_of, write_schedule
from .schedule_options import Options, frozen, objective_options, plain
from .solvers import Solver, network_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Psi(NamedTuple):
    """The search's three parameters (paper eq. 2): the start's curvature and the ends of the optimized nodes."""

    rho: float | None
    t_min: float
    t_max: float


_ARRAYS = ("t", "lambdas", "sigmas", "timesteps")
_MOST_STEPS = 10_000  # as the core has it


def sigmas_at(lambdas: Array, family: str) -> Array:
    """What `Schedule.sigmas` holds at half log-SNRs: VE sigma = exp(-lambda), for flow models 1 / (1 + exp(lambda))."""
    ve = np.exp(-lambdas)
    return np.asarray(ve / (1.0 + ve) if family == "flow" else ve)


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Schedule:
    """A schedule of `nfe` network calls. Arrays are float64 copies and read-only.

    Attributes:
        t: Shape (steps+1,), strictly decreasing times; the last is 0 for terminals "zero" and "skip".
        lambdas: Shape (steps+1,), strictly increasing half log-SNR; the last is inf for "zero" and "skip".
        sigmas: Shape (steps+1,), strictly decreasing: VE sigma = sigma/alpha, for flow models sigma itself; the
            last is 0 for "zero" and "skip".
        timesteps: Shape (steps,), what the network is told at the nodes, fractional.
        nfe: Network calls that `solver` spends: steps, or 2 steps - 1 for "heun" and "kdpm2".
        solver: The solver that it was made for; None: any that calls the network once a step.
        gain: Factor on the initial noise, positive and finite: sampling starts from gain * noise. Few steps shrink the
            samples' variance, which a gain above 1 makes up for. It is part of no objective.
        terminal: "zero", "t_min" or "skip".
        family: The noise schedule's family: "vp", "flow", "ve" or "general".
        noise_fingerprint: The noise schedule's fingerprint.
        num_train_timesteps: The noise schedule's; None in files of hso 0.1's first format.
        shift: A flow schedule's shift, 1 for the other families; None likewise.
        mep: The lower objective over the optimized nodes (paper eq. 8, or DM-NonUni's bound).
        penalty: gamma times the sum of eq. 10.
        fitness: mep + penalty (eq. 9).
        psi: rho of the start (None where there was none) and the ends of the optimized nodes.
        lower_bound: No schedule within the options has a lower fitness than this; None where the search gives no bound.
        gap: (fitness - lower_bound) / fitness, None likewise.
        min_spacing: Smallest |t_{i+1} - t_i| of the optimized nodes; inf for a single node.
        d_min: The spacing that was asked for.
        evaluations: Objective evaluations of the lower level.
        elapsed: Seconds of the search.
        status: "converged", "max_generations", "uncertified" (the gap asked for was not reached),
            "collapsed" (nodes as close as they may be: the proxy rewards huge steps), or "given".
        search: The search's or the baseline's name.
        options: What was asked for, in the words of `hso.optimize`, defaults filled in: `objective`, `p` (None with a
            tabulated `proxy`, whose nodes are then in {"lambdas", "values"}), `gamma`, `d_min` and, for a search,
            `search`, `gap`, `limits`, `t_min`, `t_max` and what else it uses; `calibration` where a profile made it.
            Read-only.
        version: Of the hso that made it; None in files of the first format.
    """

    t: Array
    lambdas: Array
    sigmas: Array
    timesteps: Array
    nfe: int
    terminal: str
    family: str
    noise_fingerprint: str
    mep: float
    penalty: float
    fitness: float
    psi: Psi
    lower_bound: float | None
    gap: float | None
    min_spacing: float
    d_min: float
    evaluations: int
    elapsed: float
    status: str
    search: str
    solver: Solver | None = None
    gain: float = 1.0
    num_train_timesteps: float | None = None
    shift: float | None = None
    options: Options = field(default_factory=dict)
    version: str | None = _core.__version__

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.array(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, read_only(array))
        object.__setattr__(self, "gain", as_positive("gain", self.gain))
        object.__setattr__(self, "options", frozen(self.options))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "options": plain(self.options)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # arrays come out of pickle and copy writable

    @property
    def steps(self) -> int:
        """Steps of the solver, from each node to the next: what a pipeline takes as num_inference_steps."""
        return len(self.timesteps)

    @classmethod
    def _from_core(
        cls,
        found: _core.Schedule,
        noise: NoiseSchedule,
        search: str,
        options: Options,
        solver: Solver | None = None,
    ) -> Schedule:
        return cls(
            t=found.t,
            lambdas=found.lambdas,
            sigmas=found.sigmas,
            timesteps=found.timesteps,
            nfe=network_calls(found.nfe, solver),
            terminal=found.terminal,
            family=noise.family,
            noise_fingerprint=noise.fingerprint,
            mep=found.mep,
            penalty=found.penalty,
            fitness=found.fitness,
            psi=Psi(_finite_or_none(found.psi[0]), *found.psi[1:]),
            lower_bound=_finite_or_none(found.lower_bound),
            gap=_finite_or_none(found.gap),
            min_spacing=found.min_spacing,
            d_min=found.d_min,
            evaluations=found.evaluations,
            elapsed=found.elapsed,
            status=found.status,
            search=search,
            solver=solver,
            num_train_timesteps=noise.num_train_timesteps,
            shift=noise.shift,
            options=options,
        )

    @classmethod
    def from_nodes(
        cls,
        noise: NoiseSchedule,
        t: npt.ArrayLike,
        *,
        terminal: str = "zero",
        objective: str = "mep",
        p: float | None = None,
        proxy: ErrorProxy | None = None,
        gamma: float = 1e9,
        d_min: float | None = None,
        search: str = "given",
        solver: Solver | None = None,
    ) -> Schedule:
        """A schedule at given nodes `t`, strictly decreasing: shape (steps,) for "zero", (steps+1,) for the others.

        Its mep, penalty and fitness are those of these nodes under the options.
        """
        weight = as_number("gamma", gamma)
        least = None if d_min is None else as_number("d_min", d_min)
        found = _core.schedule_from_nodes(
            core_noise(noise),
            as_vector("t", t),
            str(terminal),
            str(objective),
            core_proxy(noise, p, proxy),
            weight,
            least,
        )
        options = objective_options(noise, str(objective), p, proxy) | {"gamma": weight, "d_min": least}
        return cls._from_core(found, noise, search, options, solver)

    def with_gain(self, gain: float) -> Schedule:
        """The same schedule with another `gain`; ValueError unless it is positive and finite."""
        return replace(self, gain=gain)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the schedule as a small JSON file; an interrupted write leaves the old file.

        The file says all that `hso.Schedule` has (docs/schedule-files.md); its schema is hso/schedule.schema.json.
        """
        write_schedule(path, self._values())

    def to_json(self) -> str:
        """The text that `save` writes."""
        return text_of(self._values())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, noise: NoiseSchedule | None = None) -> Schedule:
        """Reads a schedule that `save` wrote, with this version of hso or an older one.

        Args:
            noise: The noise schedule that it is wanted for.

        Raises:
            ValueError: The file is none, damaged, of a later format, or was made for another noise schedule.
        """
        return cls._checked(read_schedule(path), repr(os.fspath(path)), noise)

    @classmethod
    def from_json(cls, text: str, *, noise: NoiseSchedule | None = None) -> Schedule:
        """The schedule that `to_json` gave as text; errors as for `load`."""
        shown = "the text"
        return cls._checked(read_text(text, shown), shown, noise)

    def _values(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def _checked(cls, values: dict[str, Any], shown: str, noise: NoiseSchedule | None) -> Schedule:
        """The schedule of values that came from outside; `shown` says where from."""
        try:
            schedule = cls(**{**values, "psi": Psi(*values["psi"])})
            fault = schedule._fault()
        except ValueError as error:
            fault = str(error)
        if fault:
            raise ValueError(f"{shown} is damaged: {fault}")
        if noise is not None:
            schedule.check_noise(noise, shown=shown)
        return schedule

    def check_noise(self, noise: NoiseSchedule, *, shown: str = "schedule") -> None:
        """ValueError unless this was made for `noise`; messages call it `shown`.

        Noise schedules of another fingerprint are taken for the same where the levels at the nodes agree within 1e-3 in
        lambda: diffusers computes its tables in float32.
        """
        core_noise(noise)
        nodes = np.isfinite(self.lambdas)
        low, high = noise.t_range
        lambdas = np.asarray(noise.lam(np.clip(self.t[nodes], low, high)))
        off = np.abs(lambdas - self.lambdas[nodes])
        i = int(np.argmax(off))
        differences = {
            f"it is for {self.family} schedules, wanted is {noise.family}": noise.family != self.family,
            f"its shift is {self.shift}, wanted is {noise.shift:.6g}": (
                self.shift is not None and not math.isclose(self.shift, noise.shift, rel_tol=1e-3)
            ),
            f"it has {self.num_train_timesteps} timesteps, wanted are {noise.num_train_timesteps}": (
                self.num_train_timesteps not in (None, noise.num_train_timesteps)
            ),
            f"at t = {self.t[i]:.6g} its lambda is {self.lambdas[i]:.6g}, wanted is {lambdas[i]:.6g}": off[i] > 1e-3,
        }
        for difference, differs in differences.items():
            if differs and noise.fingerprint == self.noise_fingerprint:
                raise ValueError(f"{shown} is damaged: it has the noise schedule's fingerprint, but {difference}")
            if differs:
                raise ValueError(f"{shown} was made for another noise schedule ({difference}): optimize again for it")

    def _fault(self) -> str | None:
        """What is wrong with values that came from outside."""
        sizes = {name: getattr(self, name).size for name in _ARRAYS}
        if self.steps > _MOST_STEPS:
            return f"it must have at most {_MOST_STEPS} steps, got {self.steps}"
        if self.steps < 1 or sizes != dict.fromkeys(_ARRAYS[:3], self.steps + 1) | {"timesteps": self.steps}:
            return f"its sizes {sizes} do not fit each other"
        if self.nfe != network_calls(self.steps, self.solver):
            return f"nfe = {self.nfe} does not fit {self.steps} steps of solver {self.solver!r}"
        finite = (self.t, self.sigmas, self.timesteps, self.lambdas[:-1])
        if not all(bool(np.all(np.isfinite(x))) for x in finite):
            return "its noise levels must be finite"
        if not all(bool(np.all(np.diff(x) < 0)) for x in (self.t, self.sigmas, -self.lambdas)):
            return "its noise levels are not strictly monotone"
        if not 0.0 <= self.t[-1] < self.t[0] <= 1.0:
            return f"its t must be in 0..1, got {self.t[0]:.6g}..{self.t[-1]:.6g}"
        last = (self.t[-1] == 0, self.sigmas[-1] == 0, math.isinf(self.lambdas[-1]))
        if self.terminal != "t_min" and not all(last):
            return f"its last noise level must be 0 for terminal {self.terminal!r}"
        if self.terminal == "t_min" and any(last[1:]):
            return "its last noise level must be above 0 for terminal 't_min'"
        with np.errstate(all="ignore"):  # of lambdas that no noise schedule has
            sigmas = sigmas_at(self.lambdas, self.family)
        if not np.allclose(self.sigmas, sigmas, rtol=1e-9, atol=0.0):
            i = int(np.argmin(np.isclose(self.sigmas, sigmas, rtol=1e-9, atol=0.0)))
            return f"its sigmas do not belong to its lambdas: sigmas[{i}] = {self.sigmas[i]} against {sigmas[i]}"
        return None

    def plot(
        self,
        noise: NoiseSchedule | None = None,
        *,
        panels: str | Iterable[str] | None = None,
        axes: Axes | Iterable[Axes] | None = None,
    ) -> npt.NDArray[Any]:
        """Draws the schedule (needs matplotlib) and returns the axes, an array; see `hso.plot.plot_schedule`."""
        from .plot import plot_schedule

        return plot_schedule(self, noise, panels=panels, axes=axes)

    def export(self, format: str, *, noise: NoiseSchedule | None = None) -> str:
        """The schedule in the words of another program, to paste in there; see `hso.exports.export`."""
        from .exports import export

        return export(self, format, noise=noise)

    def __eq__(self, other: object) -> bool:
        """The same noise levels, timesteps and gain, to the bit, for the same noise schedule."""
        return (
            isinstance(other, Schedule)
            and self.noise_fingerprint == other.noise_fingerprint
            and np.array_equal(self.lambdas, other.lambdas)
            and np.array_equal(self.sigmas, other.sigmas)
            and np.array_equal(self.timesteps, other.timesteps)
            and self.gain == other.gain
        )

    def __hash__(self) -> int:
        return hash((self.noise_fingerprint, self.lambdas.tobytes()))

    def __repr__(self) -> str:
        steps = np.array2string(
            self.timesteps, precision=1, suppress_small=True, separator=", ", max_line_width=10**6, threshold=12
        )
        solver = "" if self.solver is None else f"solver={self.solver!r}, "
        gain = "" if self.gain == 1.0 else f"gain={self.gain:.6g}, "
        return (
            f"Schedule(nfe={self.nfe}, {solver}{gain}terminal={self.terminal!r}, timesteps={steps}, "
            f"fitness={self.fitness:.6g}, status={self.status!r}, search={self.search!r})"
        )
