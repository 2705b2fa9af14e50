"""Ctrl-C during a long call into the core, which looks for it between generations only."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ._exit import INTERRUPTED

_PATIENCE = 1.0
"""Seconds that Python has, after Ctrl-C, to leave the core by itself."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Ends the process where Ctrl-C is pressed and the body does not end within a second.

    For bodies that leave nothing behind them, in the main thread; does nothing in others and on Windows.
    """
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()

    def watch() -> None:
        if os.read(reading, 1) == bytes([signal.SIGINT]) and not over.wait(_PATIENCE):
            print("hso: interrupted", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)

    watcher = threading.Thread(target=watch, daemon=True)
    before = signal.set_wakeup_fd(writing)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        os.close(writing)  # what the watcher reads then is the end
        watcher.join()
        os.close(reading)
