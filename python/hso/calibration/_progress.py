"""How far a calibration is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..network import FloatArray, Program

T = TypeVar("T")
Report = Callable[[int], None]
"""Called with how many more samples were answered."""


@contextmanager
def reporting(progress: bool | Callable[[int, int], object], total: int) -> Iterator[Report]:
    """A report to `progress`: nobody, a bar on the terminal, or a function of what is done and the total."""
    done = 0
    if progress is True:
        from rich.progress import Progress

        with Progress() as bar:
            task = bar.add_task("calibrating", total=total)
            yield lambda samples: bar.advance(task, samples)
        return

    def report(samples: int) -> None:
        nonlocal done
        done = min(done + samples, total)  # a part that ran out of memory is run again
        if callable(progress):
            progress(done, total)

    yield report


def reported(program: Program[T], report: Report) -> Program[T]:
    """The program, with a report of each answer."""

    def steps(eps: FloatArray) -> Generator[FloatArray, FloatArray, T]:
        inner = program.steps(eps)
        x = next(inner)
        while True:
            x0 = yield x
            report(len(x0))
            try:
                x = inner.send(x0)
            except StopIteration as end:
                result: T = end.value
                return result

    return Program(program.lambdas, steps)
