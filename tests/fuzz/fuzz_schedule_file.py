"""atheris target: any bytes as a schedule file and as a calibration profile (see `schedule_file_oracle.py`).

Usage: python tests/fuzz/fuzz_schedule_file.py [libFuzzer's options] CORPUS...
The first folder takes what is found. Inputs are files as they are, so the corpus can be read, and replayed
without atheris.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hso"]):
    from document_mutations import mutated
    from schedule_file_oracle import check

_STRUCTURED = 0.8  # of the mutations; the others are libFuzzer's own, of bytes


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """A change of the document, or of its bytes."""
    chance = random.Random(seed)
    changed = mutated(data, seed) if chance.random() < _STRUCTURED else None
    if changed is None or len(changed) > max_size:
        return bytes(atheris.Mutate(data, len(data)))
    return changed


def main() -> None:
    """Runs libFuzzer until it is told to stop or finds something."""
    with tempfile.TemporaryDirectory(prefix="hso-fuzz-") as folder:
        atheris.Setup(sys.argv, lambda data: check(data, Path(folder)) and None, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
