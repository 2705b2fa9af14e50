"""The distillation: one run for all numbers of steps, and all that it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from .. import schedules as baselines
from .._arrays import Array
from ..checks import as_integer, one_of
from ..network import as_network
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._amplitude import Amplitude
from ._front import Indices
from ._recursion import Metric, Part, Progress, Recursion

Combine: TypeAlias = Literal["median", "mean_error"]
Terminal: TypeAlias = Literal["zero", "t_min"]

MAX_ORDER = 4


@dataclass(frozen=True, eq=False)
class Student:
    """The best students of `nfe` steps. Nodes are indices into the teacher's grid, 0 the most noise.

    Attributes:
        nfe: Steps, one network call each.
        nodes: Shape (n, nfe), increasing: every sample's own schedule.
        orders: Shape (n, nfe): the order of every step of it.
        errors: Shape (n,): mean square of the distance to the teacher's result that each has with its own schedule,
            over the entries of x (of x0 for terminal "zero").
        combined: Shape (nfe,), increasing: the schedule for all samples.
    """

    nfe: int
    nodes: Indices
    orders: Indices
    errors: Array
    combined: Indices


@dataclass(frozen=True, eq=False)
class Distilled:
    """What one run of `distill` found.

    Attributes:
        noise: The noise schedule.
        teacher: The teacher's schedule, whose levels the students choose from.
        students: Entry s is of s + 1 steps.
        amplitude: The teacher's, at its nodes, if asked for.
        evaluations: Network evaluations of single samples that it took.
    """

    noise: NoiseSchedule
    teacher: Schedule
    students: tuple[Student, ...]
    amplitude: Amplitude | None
    evaluations: int

    def schedule(self, nfe: int) -> Schedule:
        """The schedule of `nfe` steps for all samples."""
        return self._at(self._student(nfe).combined)

    def schedules(self, nfe: int) -> list[Schedule]:
        """Every sample's own."""
        return [self._at(nodes) for nodes in self._student(nfe).nodes]

    def _student(self, nfe: int) -> Student:
        return self.students[as_integer("nfe", nfe, least=1, most=len(self.students)) - 1]

    def _at(self, nodes: Indices) -> Schedule:
        terminal = self.teacher.terminal
        end = [self.teacher.t[-1]] if terminal == "t_min" else []
        return Schedule.from_nodes(self.noise, [*self.teacher.t[nodes], *end], terminal=terminal, search="oss")


def distill(
    source: Any,
    noise: NoiseSchedule | None = None,
    *,
    nfe: int,
    shape: Sequence[int] | None = None,
    count: int = 16,
    teacher_steps: int | Schedule = 200,
    order: int = 1,
    combine: Combine = "median",
    metric: Metric = "state",
    terminal: Terminal = "zero",
    calibrate_amplitude: bool = False,
    seed: int = 0,
    device: Any = None,
    dtype: Any = None,
    batch: int | None = None,
    call: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Distilled:
    """The schedules of 1, 2, ..., `nfe` steps that keep students nearest to a teacher of many steps.

    A width-1 beam over (steps, teacher's node): see Pei, Hu and Gu 2025 (2503.21774), Algorithms 1 and 2. It is the
    optimum where a state nearer to the teacher's always leads to one that is nearer at the end, which is the paper's
    assumption and mostly not quite so. Unlike the published code, the student's first step starts from x as pipelines
    start at that node (eps; sigma eps for EDM), and every student makes exactly its number of steps.

    Args:
        source: A function denoise(x, lam) -> x0, a diffusers pipeline or a Network (see `hso.network.as_network`, which
            noise, shape, device, dtype, batch and call are for).
        noise: The noise schedule; needed for a function.
        nfe: The most steps of a student, 1..teacher's steps.
        count: Samples.
        teacher_steps: Euler steps of the teacher, uniform in the sampler's clock: in t, for a flow model before its
            shift, for EDM in sigma^(1/7). Or its schedule.
        order: The highest order of a student's step, 1..4. 1: Euler's in flow matching, which is DDIM in all
            coordinates. Above: Adams-Bashforth in flow-matching time, every order up to it tried at every step; which
            one was best is in `Student.orders`, not in the schedule.
        combine: "median" of every sample's own nodes, the first with the first and so on, as published (the mean of
            the middle two of an even number, rounded to less noise). "mean_error": one choice for all in
            the recursion itself, by the mean of their errors; needs all samples in one part.
        metric: What has to be near the teacher's, by mean square: "state", as the published code has it, or the "x0"
            that the network predicts there, for which it is asked at every candidate.
        terminal: "zero" or "t_min", of students and teacher.
        calibrate_amplitude: Also measure the teacher's `Amplitude`.
        progress: Called with network evaluations done and their total.

    With M teacher steps and "state" a sample takes 2 M - 1 evaluations and M - k for each k = 1..nfe-1; with "x0" those
    are (M - k + 1)(M - k)/2 for each order that may be tried. Memory: about 5 + 2 order times M + 1 samples of a part.

    Raises:
        ValueError: An argument makes no sense; the network gives NaN; "mean_error" is run in parts.
    """
    network = as_network(source, noise, shape=shape, device=device, dtype=dtype, batch=batch, call=call)
    one_of("combine", combine, get_args(Combine))
    one_of("metric", metric, get_args(Metric))
    teacher = _teacher(network.noise, teacher_steps, terminal)
    recursion = Recursion(
        noise=network.noise,
        grid=teacher,
        nfe=as_integer("nfe", nfe, least=1, most=teacher.steps),
        order=as_integer("order", order, least=1, most=MAX_ORDER),
        metric=metric,
        shared=combine == "mean_error",
        count=as_integer("count", count, least=1),
        with_quantiles=calibrate_amplitude,
        progress=progress,
    )
    before = network.evaluations
    parts = network.run(recursion.program(), recursion.count, seed)
    return Distilled(
        noise=network.noise,
        teacher=teacher,
        students=tuple(_student(parts, s) for s in range(recursion.nfe)),
        amplitude=_amplitude(parts, teacher) if calibrate_amplitude else None,
        evaluations=network.evaluations - before,
    )


def _teacher(noise: NoiseSchedule, steps: int | Schedule, terminal: Terminal) -> Schedule:
    one_of("terminal", terminal, get_args(Terminal))
    if not isinstance(steps, Schedule):
        count = as_integer("teacher_steps", steps, least=1, most=10_000)
        uniform = baselines.karras if noise.family == "ve" else baselines.uniform_t
        return uniform(noise, count, terminal=terminal)
    if steps.noise_fingerprint != noise.fingerprint:
        raise ValueError(
            f"teacher_steps must be a schedule of the same noise schedule, {noise.fingerprint}, "
            f"got one of {steps.noise_fingerprint}"
        )
    if steps.terminal != terminal:
        raise ValueError(f"teacher_steps must be a schedule with terminal {terminal!r}, got {steps.terminal!r}")
    return steps


def _student(parts: list[Part], s: int) -> Student:
    nodes = np.concatenate([part.nodes[s] for part in parts])
    return Student(
        nfe=s + 1,
        nodes=nodes,
        orders=np.concatenate([part.orders[s] for part in parts]),
        errors=np.concatenate([part.errors[s] for part in parts]),
        combined=median_nodes(nodes),
    )


def median_nodes(nodes: Indices) -> Indices:
    """The median of each column of `nodes` (n, k), whose rows increase strictly, and so do the medians.

    For where every sample's next node lies at least 1 above, so does each of their order statistics, and the mean of
    two of them, rounded. Halves are rounded up, to the side of less noise.
    """
    ordered = np.sort(nodes, axis=0)
    middle = len(nodes) // 2
    median: Indices = (ordered[(len(nodes) - 1) // 2] + ordered[middle] + 1) // 2
    return median


def _amplitude(parts: list[Part], teacher: Schedule) -> Amplitude:
    values = np.concatenate([part.quantiles for part in parts if part.quantiles is not None], axis=2)
    low, high = values.mean(axis=2)
    return Amplitude(teacher.lambdas[:-1], low, high)
