"""What a calibration asks of a network, and what it keeps of the answers."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._arrays import Array
from .._multistep import Multistep
from ..network import FloatArray, Program, initial
from ..noise_schedule import NoiseSchedule
from ..trajectories import Trajectories, teacher_steps
from ..trajectories import joined as joined_trajectories
from ._spline import along

_SAME = 0.02  # of noise, relative or absolute

Asking = Generator[FloatArray, FloatArray, None]

GAIN = 1.1
"""On the noise, of runs that tell how the network answers to errors along it."""


@dataclass(frozen=True, eq=False)
class Probe:
    """One question off the teacher's trajectory: `error` = y - the teacher's y, `response` = x0 - the teacher's x0,
    (n, d)."""

    lam: float
    error: FloatArray
    response: FloatArray


@dataclass(frozen=True, eq=False)
class Run:
    """A solver's run over nodes `lambdas` to sigma 0: `error` (n,), each sample's RMS distance from the teacher's
    end, and
    `changes` (nodes - 1, n), how much its x0-prediction changes from node to node (RMS)."""

    lambdas: Array
    error: Array
    changes: Array


@dataclass(frozen=True, eq=False)
class Recording:
    """The answers on n samples."""

    teacher: Trajectories
    probes: list[Probe]
    runs: list[Run]


@dataclass(frozen=True)
class Questions:
    """What is asked beside the teacher's trajectory.

    Attributes:
        jumps: pairs (from, to) of teacher nodes: the network is asked at `to`, where a DDIM step from `from` arrives.
        runs: nodes of schedules that the solver is run with.
        gained: the same, from `GAIN` times the noise.
    """

    jumps: Sequence[tuple[int, int]]
    runs: Sequence[Array]
    gained: Sequence[Array]


def recording(noise: NoiseSchedule, nodes: Array, questions: Questions, solver: Multistep) -> Program[Recording]:
    """The program of a calibration: the teacher's trajectory over `nodes`, then the questions."""
    asked = [*nodes, *nodes[[to for _, to in questions.jumps]]]
    for run in [*questions.runs, *questions.gained]:
        asked.extend(run)

    def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, Recording]:
        start = initial(noise, eps, float(nodes[0]))
        x0, states = yield from teacher_steps(noise, nodes, start)
        rows = [np.stack(each).reshape(len(nodes), len(eps), -1) for each in (x0, states)]
        teacher = Trajectories(noise, nodes, eps.reshape(len(eps), -1), *rows)
        recorder = _Recorder(teacher, eps.shape)
        for source, to in questions.jumps:
            yield from recorder.jump(source, to)
        for lambdas in questions.runs:
            yield from recorder.run(solver, lambdas)
        for lambdas in questions.gained:
            yield from recorder.run(solver, lambdas, GAIN)
        return Recording(teacher, recorder.probes, recorder.runs)

    return Program([float(lam) for lam in asked], steps)


def more_runs(known: Recording, runs: Sequence[Array], solver: Multistep) -> Program[Recording]:
    """The program of further runs on samples of `known`; its results hold what is new alone."""

    def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, Recording]:
        recorder = _Recorder(_part_of(known.teacher, eps.reshape(len(eps), -1)), eps.shape)
        for lambdas in runs:
            yield from recorder.run(solver, lambdas)
        return Recording(recorder.teacher, recorder.probes, recorder.runs)

    return Program([float(lam) for run in runs for lam in run], steps)


def run_alone(noise: NoiseSchedule, lambdas: Array, solver: Multistep) -> Program[Array]:
    """The program of one run by itself; gives its `changes` (nodes - 1, n), see `Run`."""

    def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, Array]:
        shape = eps.shape
        run = solver.steps(lambdas, _initial_state(noise, eps, float(lambdas[0])))
        y, changes, before = next(run), [], None
        for lam in lambdas:
            answer = yield (y * y.dtype.type(noise.alpha(float(lam)))).reshape(shape)
            if before is not None:
                changes.append(_rms((answer - before).reshape(len(answer), -1)))
            before = answer
            try:
                y = run.send(answer)
            except StopIteration:
                break
        return np.stack(changes)

    return Program([float(lam) for lam in lambdas], steps)


def joined(parts: Sequence[Recording]) -> Recording:
    """Recordings of the parts of a batch as one."""
    probes = [
        Probe(each[0].lam, np.concatenate([p.error for p in each]), np.concatenate([p.response for p in each]))
        for each in zip(*(part.probes for part in parts), strict=True)
    ]
    runs = [
        Run(
            each[0].lambdas,
            np.concatenate([run.error for run in each]),
            np.concatenate([run.changes for run in each], axis=1),
        )
        for each in zip(*(part.runs for part in parts), strict=True)
    ]
    return Recording(joined_trajectories([part.teacher for part in parts]), probes, runs)


def _part_of(teacher: Trajectories, eps: FloatArray) -> Trajectories:
    """The trajectories that start from `eps`: a batch may be cut in parts anywhere, and again where memory ran out."""
    # not to the bit: pipelines scale noise by the level that they start from, some in half precision
    first = int(np.argmin(np.abs(teacher.eps[:, :16] - eps[0, :16]).max(axis=1)))
    part = slice(first, first + len(eps))
    if first + len(eps) > len(teacher.eps) or not np.allclose(teacher.eps[part], eps, rtol=_SAME, atol=_SAME):
        raise ValueError(
            "the network must start the same samples from the same noise each time it is run with one seed"
        )
    return Trajectories(teacher.noise, teacher.lambdas, eps, teacher.x0[:, part], teacher.states[:, part])


class _Recorder:
    """Asks about states y (n, d) and keeps what is answered."""

    def __init__(self, teacher: Trajectories, shape: tuple[int, ...]) -> None:
        self.teacher = teacher
        self._shape = shape
        self.probes: list[Probe] = []
        self.runs: list[Run] = []

    def jump(self, source: int, to: int) -> Asking:
        """A DDIM step between two of the teacher's nodes."""
        teacher = self.teacher
        h = float(teacher.lambdas[to] - teacher.lambdas[source])
        y = math.exp(-h) * teacher.states[source] - math.expm1(-h) * teacher.x0[source]
        yield from self._ask(y, float(teacher.lambdas[to]), teacher.x0[to], teacher.states[to])

    def run(self, solver: Multistep, lambdas: Array, gain: float = 1.0) -> Asking:
        """The solver's run; each of its nodes is a probe."""
        start = self._start(float(lambdas[0]))
        run = solver.steps(lambdas, start * start.dtype.type(gain))
        y, answers = next(run), list[FloatArray]()
        while True:
            lam = float(lambdas[len(answers)])
            if lam <= self.teacher.lambdas[-1]:
                answers.append((yield from self._ask(y, lam, *along(self.teacher, lam))))
            else:
                answers.append((yield self._as_x(y, lam)).reshape(y.shape))
            try:
                y = run.send(answers[-1])
            except StopIteration as end:
                if gain != 1.0:
                    return
                error = _rms(end.value - self.teacher.x0[-1])
                changes = [_rms(after - before) for before, after in pairwise(answers)]
                self.runs.append(Run(lambdas, error, np.array(changes).reshape(len(changes), len(error))))
                return

    def _start(self, lam: float) -> FloatArray:
        return _initial_state(self.teacher.noise, self.teacher.eps, lam)

    def _as_x(self, y: FloatArray, lam: float) -> FloatArray:
        return (y * y.dtype.type(self.teacher.noise.alpha(lam))).reshape(self._shape)

    def _ask(
        self, y: FloatArray, lam: float, x0: FloatArray, state: FloatArray
    ) -> Generator[FloatArray, FloatArray, FloatArray]:
        answer = (yield self._as_x(y, lam)).reshape(y.shape)
        self.probes.append(Probe(lam, y - state, answer - x0))
        return answer


def _initial_state(noise: NoiseSchedule, eps: FloatArray, lam: float) -> FloatArray:
    """y that sampling starts from."""
    start = initial(noise, eps, lam)
    return start / start.dtype.type(noise.alpha(lam))


def _rms(values: FloatArray) -> Array:
    """Of each row."""
    root: Array = np.sqrt(np.mean(np.square(values, dtype=np.float64), axis=1))
    return root
