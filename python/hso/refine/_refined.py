"""What a refinement gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .._arrays import Array
from ..schedule import Schedule


class History(NamedTuple):
    """What was seen on the way, vectors.

    `against_teacher`: the losses before the first step and after each one, `train` on the pairs of that step.
    `by_metric`: `train` is the metric of every schedule tried, `validation` that of the start and of the finalists.
    """

    train: Array
    validation: Array


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined schedule.

    Attributes:
        schedule: the schedule; the start itself where nothing better was found. `search` is "refined". With decoupled
            times its `timesteps` are what the network is told, not those of its noise levels.
        told: half log-SNR that the network is told in each step, shape (steps,); None: that of the nodes.
        history: losses or metrics on the way.
        evaluations: `against_teacher`: samples that the network was given, those of the teacher and of recomputation
            included. `by_metric`: calls of the metric.
    """

    schedule: Schedule
    told: Array | None
    history: History
    evaluations: int
