"""Profiles: what was measured of a model, and the schedules that follow from it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
import numpy.typing as npt

from .. import _core, chain, schedules
from .._arrays import Array
from .._multistep import Multistep
from .._optimize import ProfileObjective as Objective
from ..checks import as_integer, as_number, as_range, one_of
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._check import Fit, Signature, check
from ._file import read_profile, write_profile
from ._plan import analytic
from ._reduction import Rows
from ._spline import spline_weights, state_scale

Terminal: TypeAlias = Literal["zero", "t_min"]

_MAX_NFE = 100
_CAUTION = 0.2
_DOUBT = 1.2
"""Of the model of the error, relative, divided by the number of samples: HSO's own schedule is kept where less is to be
gained. With 12 samples, 10 %, it keeps off the worst; with 60 hardly anything is left of it."""
_FEW = 6  # nodes up to which both starts are followed
_ITERATIONS = (25, 8, 4)  # of the search up to _FEW nodes, up to 12, and for more
_GRID = 128  # points of the pairwise objectives


class Profile:
    """The error that a solver makes on one model, as a function of the schedule, measured by `hso.calibrate`.

    Immutable; safe to share between threads.

    Attributes:
        noise: The model's noise schedule.
        solver: What it was calibrated for: "ddim", "dpm-solver++" or "unipc".
        order: The solver's order.
        samples: How many samples were measured.
        evaluations: Network evaluations of single samples that were spent.
        seed: Of their noise.
    """

    def __init__(
        self,
        *,
        noise: NoiseSchedule,
        multistep: Multistep,
        rows: Rows,
        signature: Signature,
        samples: int,
        evaluations: int,
        seed: int,
    ) -> None:
        self.noise = noise
        self.solver = multistep.name
        self.order = multistep.order
        self.samples = samples
        self.evaluations = evaluations
        self.seed = seed
        self._rows = rows
        self._signature = signature
        self._model: _core.ErrorModel = rows.model(noise)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify what was measured: the model's answers, by way of their inner
        products."""
        return self._signature.fingerprint

    @overload
    def optimize(
        self,
        nfe: int,
        *,
        terminal: Terminal = ...,
        objective: Objective | None = ...,
        squares: bool | None = ...,
        gain: bool = ...,
        t_min: tuple[float, float] | None = ...,
        t_max: tuple[float, float] | None = ...,
    ) -> Schedule: ...
    @overload
    def optimize(
        self,
        nfe: Sequence[int] | npt.NDArray[np.integer],
        *,
        terminal: Terminal = ...,
        objective: Objective | None = ...,
        squares: bool | None = ...,
        gain: bool = ...,
        t_min: tuple[float, float] | None = ...,
        t_max: tuple[float, float] | None = ...,
    ) -> list[Schedule]: ...
    def optimize(
        self,
        nfe: int | Sequence[int] | npt.NDArray[np.integer],
        *,
        terminal: Terminal = "zero",
        objective: Objective | None = None,
        squares: bool | None = None,
        gain: bool = False,
        t_min: tuple[float, float] | None = None,
        t_max: tuple[float, float] | None = None,
    ) -> Schedule | list[Schedule]:
        """The schedule of `nfe` network calls, 1..100, with the least error; a list of them gives a list.

        Args:
            terminal: "zero" or "t_min", as in `hso.optimize`.
            objective: "solver", the default for solvers of order 2 and 3: the error of the solver's own steps, local
                minima from HSO's schedule and a uniform one; HSO's schedule itself where less is to be gained than is
                sure (10 % with 12 samples, 2 % with 60). "jump", the default for order 1: the sum of the errors of
                single DDIM steps from the teacher's trajectory, in VE coordinates: the exact optimum on 128 nodes and
                the ranges' ends, all nfe in one sweep; by default, where its error is above that of HSO's schedule,
                "solver" instead. "jump_x0": by what they change in the next x0-prediction. "jump_carried": by what
                arrives at sigma 0.
            squares: Sum the squares of the single steps' errors, not their lengths ("jump" and the two after it).
                Default: with the default objective.
            gain: Give the schedule the factor on the initial noise with which its error is least, see `Schedule.gain`.
            t_min: Range (low, high) of the last optimized node's t; default: anywhere.
            t_max: Range of the first node's t; default: the most noise. What a start at less costs is seen on few of
                many samples: a calibration tends to miss it.

        Raises:
            ValueError: an argument makes no sense.
        """
        many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str) and np.ndim(nfe) > 0
        counts = [as_integer("nfe", n, least=1, most=_MAX_NFE) for n in (nfe if many else [nfe])]  # type: ignore[union-attr]
        one_of("terminal", terminal, get_args(Terminal))
        guarded = objective is None and self.order == 1
        if objective is None:
            objective = "jump" if guarded else "solver"
            squares = guarded if squares is None else squares
        one_of("objective", objective, get_args(Objective))
        if squares and objective == "solver":
            raise ValueError("squares must be left out with objective 'solver', got True")
        most = self.noise.lambda_range[0]
        first = self._lambdas("t_max", t_max, (most, most))
        last = self._lambdas("t_min", t_min, self.noise.lambda_range)
        if not counts:
            return []
        if objective == "solver":
            found = [self._solver_nodes(n, terminal, first, last) for n in counts]
        else:
            found = self._jump_nodes(counts, terminal, objective, 2 if squares else 1, first, last)
        if guarded:
            # single steps' errors do not tell how they add up: where they add up to more than HSO's, the solver's own
            # decide
            found = [
                nodes
                if self._error(nodes, terminal) < self._error(_optimized(analytic(self.noise, n, terminal)), terminal)
                else self._solver_nodes(n, terminal, first, last)
                for n, nodes in zip(counts, found, strict=True)
            ]
        ends = {"t_min": t_min, "t_max": t_max}
        asked = {"objective": str(objective), "squares": bool(squares)} | {
            name: None if end is None else as_range(name, end) for name, end in ends.items()
        }
        made = [self._schedule(lam, terminal, asked) for lam in found]
        if gain:
            made = [schedule.with_gain(self.gain(schedule)) for schedule in made]
        return made if many else made[0]

    def error(self, schedule: Schedule, *, gain: float | None = None) -> float:
        """The RMS error of the images that a schedule is expected to give with this profile's solver, against the
        ODE's solution.

        Of x0 as the network has it: latents, for a latent model. `gain`: on the initial noise; default: the schedule's.
        """
        factor = schedule.gain if gain is None else as_number("gain", gain)
        return self._model.error(*self._run(schedule), factor)

    def gain(self, schedule: Schedule) -> float:
        """The factor on the initial noise with which the error is least."""
        return self._model.best_gain(*self._run(schedule))

    def curve(
        self, nfe: Sequence[int] = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20), *, terminal: Terminal = "zero"
    ) -> dict[int, float]:
        """nfe -> the error of its best schedule: how many steps are worth their time."""
        return {int(n): self.error(s) for n, s in zip(nfe, self.optimize(list(nfe), terminal=terminal), strict=True)}

    def check(self, source: Any, **options: Any) -> Fit:
        """Whether schedules from this profile still fit a model: 6 to 10 calls on 4 samples. See `hso.calibration.Fit`.

        Args:
            source: The model now: a function denoise(x, lam), a pipeline or a Network, as for `hso.calibrate`.
            options: shape, device, dtype, batch, call, as for `hso.calibrate`; the noise schedule is the profile's.
        """
        return check(self._signature, self.noise, Multistep(self.solver, self.order), self.seed, source, options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the profile as a JSON file; an interrupted write leaves the old file."""
        write_profile(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Reads a profile that `save` wrote; ValueError for a file that is none, or damaged."""
        return cls(**read_profile(path))

    # Made again from what it was made of: the core's model does not pickle.
    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {name: getattr(self, name) for name in ("noise", "samples", "evaluations", "seed")}
        multistep = Multistep(self.solver, self.order)
        return _remade, ({**arguments, "multistep": multistep, "rows": self._rows, "signature": self._signature},)

    def __repr__(self) -> str:
        return (
            f"Profile(solver={self.solver!r}, order={self.order}, samples={self.samples}, "
            f"evaluations={self.evaluations}, fingerprint={self.fingerprint!r}, noise={self.noise!r})"
        )

    @cached_property
    def _grid(self) -> Array:
        """Nodes of the pairwise objectives: the teacher's, finer."""
        lambdas = self._rows.lambdas
        grid: Array = np.interp(np.linspace(0.0, 1.0, _GRID), np.linspace(0.0, 1.0, len(lambdas)), lambdas)
        return grid

    def _lambdas(self, name: str, t: tuple[float, float] | None, usual: tuple[float, float]) -> tuple[float, float]:
        if t is None:
            return usual
        low, high = as_range(name, t)
        if not low <= high:
            raise ValueError(f"{name} must be a range (low, high) with low <= high, got {t!r}")
        return self.noise.lam(high), self.noise.lam(low)

    def _run(self, schedule: Schedule) -> tuple[Array, str, int, str]:
        """What the model of the error runs for it: nodes, solver, order, terminal."""
        if schedule.noise_fingerprint != self.noise.fingerprint:
            raise ValueError(
                f"schedule must be one of the noise schedule {self.noise.fingerprint}, "
                f"got one of {schedule.noise_fingerprint}"
            )
        # "skip" steps from its last but one node to sigma 0
        to_t_min = schedule.terminal == "t_min"
        nodes = schedule.lambdas if to_t_min else schedule.lambdas[: schedule.steps]
        return nodes, self.solver, self.order, "t_min" if to_t_min else "zero"

    def _solver_nodes(
        self, nfe: int, terminal: Terminal, first: tuple[float, float], last: tuple[float, float]
    ) -> Array:
        solver = (self.solver, self.order, terminal)
        ours, uniform = analytic(self.noise, nfe, terminal), schedules.uniform_t(self.noise, nfe, terminal=terminal)
        starts = [_optimized(schedule) for schedule in (ours, uniform)]
        doubt = _DOUBT / self.samples
        worth = (1.0 - doubt) * self._error(starts[0], terminal)
        own, nodes = starts[0], len(starts[0])
        if nodes > _FEW:
            # the schedule of fewer nodes, with more of them
            few = self._solver_nodes(_FEW - (nodes - nfe), terminal, first, last)
            starts.append(np.interp(np.linspace(0.0, _FEW - 1.0, nodes), np.arange(_FEW), few))
            starts.sort(key=lambda start: self._error(start, terminal))
        iterations = _ITERATIONS[0 if nodes <= _FEW else 1 if nodes <= 12 else 2]
        best, least = own, worth
        for start in starts[: 2 if nodes <= _FEW else 1]:
            try:
                lam, error, _ = self._model.improve(start, *solver, first, last, _CAUTION, iterations)
            except ValueError as fault:
                raise ValueError(f"t_min and t_max must leave room for the nodes of nfe = {nfe}: {fault}") from None
            if error < least or not _within(best, first, last):
                best, least = lam, error
        return best

    def _error(self, nodes: Array, terminal: Terminal) -> float:
        return self._model.error(nodes, self.solver, self.order, terminal, 1.0)

    def _jump_nodes(
        self,
        counts: Sequence[int],
        terminal: Terminal,
        objective: Objective,
        power: int,
        first: tuple[float, float],
        last: tuple[float, float],
    ) -> list[Array]:
        carried = {"jump": "no", "jump_x0": "x0", "jump_carried": "to_zero"}[objective]
        grid = np.unique(np.concatenate([self._grid, first, last]))
        grid = grid[np.diff(grid, append=np.inf) > 1e-9]
        jumps = self._model.jumps(grid, carried) ** power
        start = np.where(_inside(grid, first), self._model.late_starts(grid, carried) ** power, np.inf)
        left = jumps[:, -1] if terminal == "zero" else self._left(grid) ** power
        end = np.where(_inside(grid, last), left, np.inf)
        edges = [n - (terminal == "zero") for n in counts]
        found = chain.shortest_chains(jumps[:, :-1], max_edges=max(max(edges), 1), start=start, end=end)
        alone = start + end
        best = np.flatnonzero(np.isfinite(alone) & (alone == alone.min()))[:1]  # where a single node is best
        nodes = []
        for nfe, edge in zip(counts, edges, strict=True):
            path = found[edge - 1].nodes if edge > 0 else best
            if len(path) == 0:
                raise ValueError(
                    f"t_min and t_max must leave room for the nodes of nfe = {nfe} on {len(grid)} points, "
                    f"got {self.noise.t(last[1]):.6g}..{self.noise.t(last[0]):.6g} and "
                    f"{self.noise.t(first[1]):.6g}..{self.noise.t(first[0]):.6g}"
                )
            nodes.append(grid[path])
        return nodes

    def _left(self, grid: Array) -> Array:
        """The RMS error of x at each point of the teacher's trajectory, for the noise that is left there."""
        rows, final = self._rows, self._rows.x0[-1]
        left = []
        for lam in grid:
            inside = min(lam, float(rows.lambdas[-1]))
            weights = spline_weights(rows.lambdas, inside) * state_scale(rows.lambdas) / float(state_scale(inside))
            y = final + math.exp(inside - lam) * (weights @ rows.states - final)  # past the last node D is final
            left.append(float(np.linalg.norm(float(self.noise.alpha(lam)) * y - final)))
        return np.array(left)

    def _schedule(self, lam: Array, terminal: Terminal, asked: dict[str, Any]) -> Schedule:
        t = np.asarray(self.noise.t(np.clip(lam, *self.noise.lambda_range)))
        made = Schedule.from_nodes(self.noise, t, terminal=terminal, search="calibrated", solver=self.solver)
        measured = {name: getattr(self, name) for name in ("fingerprint", "order", "samples", "evaluations", "seed")}
        return replace(made, options={**made.options, "calibration": asked | measured})


def _remade(arguments: dict[str, Any]) -> Profile:
    return Profile(**arguments)


def _optimized(schedule: Schedule) -> Array:
    """The nodes of a schedule with terminal "zero" or "t_min" without sigma 0."""
    return schedule.lambdas if schedule.terminal == "t_min" else schedule.lambdas[:-1]


def _inside(lam: Array, span: tuple[float, float]) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (lam >= span[0] - 1e-9) & (lam <= span[1] + 1e-9)
    return inside


def _within(lam: Array, first: tuple[float, float], last: tuple[float, float]) -> bool:
    return bool(_inside(lam[:1], first)[0] and _inside(lam[-1:], last)[0])
