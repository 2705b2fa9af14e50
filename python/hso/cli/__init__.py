"""The command line `hso`; needs the extra `cli` (typer and rich).

Exit codes: 0 done, 1 it failed, 2 bad input or usage, 130 interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line, by default this process's, and returns its exit code. Messages go to stderr."""
    if "numpy" not in sys.modules:
        # Starting OpenBLAS's threads takes as long as a whole command, and no command has a large matrix.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    collecting = gc.isenabled()
    gc.disable()  # imports make no garbage, and looking for it takes a tenth of them; commands switch it on again
    try:
        try:
            from ._run import run
        except ImportError as error:
            if (error.name or "").split(".")[0] not in ("typer", "click", "rich", "shellingham", "annotated_doc"):
                raise
            print(f"hso: error: the command line needs {error.name}: pip install 'hso[cli]'", file=sys.stderr)
            return 1
        code = run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        print("hso: interrupted", file=sys.stderr)
        return 130
    finally:
        if collecting:
            gc.enable()
    if argv is None and code == 0 and not _AT_EXIT.intersection(sys.modules):
        _leave()
    return code


_AT_EXIT = {"torch", "matplotlib", "rich", "logging"}
"""What may have something to do when Python ends."""


def _leave() -> NoReturn:
    """Ends the process without taking NumPy and typer apart first, which takes Python a tenth of a short command."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
