"""The search: the short form of the distillation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..checks import as_integer
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._distill import Combine, Terminal, distill
from ._recursion import Metric, Progress


@overload
def search(
    source: Any,
    noise: NoiseSchedule | None = ...,
    *,
    nfe: int,
    combine: Combine = ...,
    shape: Sequence[int] | None = ...,
    count: int = ...,
    teacher_steps: int | Schedule = ...,
    order: int = ...,
    metric: Metric = ...,
    terminal: Terminal = ...,
    seed: int = ...,
    device: Any = ...,
    dtype: Any = ...,
    batch: int | None = ...,
    call: Mapping[str, Any] | None = ...,
    progress: Progress | None = ...,
) -> Schedule: ...
@overload
def search(
    source: Any,
    noise: NoiseSchedule | None = ...,
    *,
    nfe: Sequence[int] | npt.NDArray[np.integer],
    combine: Combine = ...,
    shape: Sequence[int] | None = ...,
    count: int = ...,
    teacher_steps: int | Schedule = ...,
    order: int = ...,
    metric: Metric = ...,
    terminal: Terminal = ...,
    seed: int = ...,
    device: Any = ...,
    dtype: Any = ...,
    batch: int | None = ...,
    call: Mapping[str, Any] | None = ...,
    progress: Progress | None = ...,
) -> list[Schedule]: ...
@overload
def search(
    source: Any,
    noise: NoiseSchedule | None = ...,
    *,
    nfe: int,
    combine: None,
    shape: Sequence[int] | None = ...,
    count: int = ...,
    teacher_steps: int | Schedule = ...,
    order: int = ...,
    metric: Metric = ...,
    terminal: Terminal = ...,
    seed: int = ...,
    device: Any = ...,
    dtype: Any = ...,
    batch: int | None = ...,
    call: Mapping[str, Any] | None = ...,
    progress: Progress | None = ...,
) -> list[Schedule]: ...
@overload
def search(
    source: Any,
    noise: NoiseSchedule | None = ...,
    *,
    nfe: Sequence[int] | npt.NDArray[np.integer],
    combine: None,
    shape: Sequence[int] | None = ...,
    count: int = ...,
    teacher_steps: int | Schedule = ...,
    order: int = ...,
    metric: Metric = ...,
    terminal: Terminal = ...,
    seed: int = ...,
    device: Any = ...,
    dtype: Any = ...,
    batch: int | None = ...,
    call: Mapping[str, Any] | None = ...,
    progress: Progress | None = ...,
) -> list[list[Schedule]]: ...
def search(
    source: Any,
    noise: NoiseSchedule | None = None,
    *,
    nfe: int | Sequence[int] | npt.NDArray[np.integer],
    combine: Combine | None = "median",
    shape: Sequence[int] | None = None,
    count: int = 16,
    teacher_steps: int | Schedule = 200,
    order: int = 1,
    metric: Metric = "state",
    terminal: Terminal = "zero",
    seed: int = 0,
    device: Any = None,
    dtype: Any = None,
    batch: int | None = None,
    call: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Schedule | list[Schedule] | list[list[Schedule]]:
    """`distill`, and of what it finds the schedule of `nfe` steps: for a list of numbers a list, out of one run.

    With combine=None it is the list of every sample's own schedule in place of each. All else is as in `distill`.
    """
    many = isinstance(nfe, Sequence | np.ndarray) and not isinstance(nfe, str) and np.ndim(nfe) > 0
    counts = [as_integer("nfe", n, least=1) for n in (nfe if many else [nfe])]  # type: ignore[union-attr]
    if not counts:
        raise ValueError("nfe must not be an empty list")
    found = distill(
        source,
        noise,
        nfe=max(counts),
        shape=shape,
        count=count,
        teacher_steps=teacher_steps,
        order=order,
        combine="median" if combine is None else combine,
        metric=metric,
        terminal=terminal,
        seed=seed,
        device=device,
        dtype=dtype,
        batch=batch,
        call=call,
        progress=progress,
    )
    if combine is None:
        own = [found.schedules(n) for n in counts]
        return own if many else own[0]
    shared = [found.schedule(n) for n in counts]
    return shared if many else shared[0]
