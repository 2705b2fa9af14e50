"""Progress on stderr, for a terminal, and only of what takes over a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ._console import session

_PATIENCE = 1.0
"""Seconds after which it is told what is waited for."""


def _shown() -> bool:
    return sys.stderr.isatty() and not session.quiet


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Tells what is being done and for how long, once it has taken a second."""
    if not _shown():
        yield
        return
    import threading

    bars: list[Any] = []
    lock = threading.Lock()
    over = False

    def start() -> None:
        with lock:
            if not over:
                bars.append(_bar(spinner=True))
                bars[0].start()
                bars[0].add_task(what, total=None)

    timer = threading.Timer(_PATIENCE, start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True
        for bar in bars:
            bar.stop()


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with what is done and the total, shown as a bar with the time that is left."""
    if not _shown():
        yield lambda done, total: None
        return
    with _bar(spinner=False) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar(*, spinner: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    text = TextColumn("{task.description}")
    columns = (
        (SpinnerColumn(), text, TimeElapsedColumn())
        if spinner
        else (text, BarColumn(), TextColumn("{task.completed:.0f}/{task.total}"), TimeRemainingColumn())
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
