"""The C++ server under the sanitizers, and the load generator, for the tests of both servers."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _succeeds(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def _needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")


@functools.cache
def server() -> Path:
    """hso_server of ./test's sanitized build: up to date there, and built once where it is not."""
    _needs("cmake", "g++", "ninja")
    _succeeds(["cmake", "--preset", "dev"])
    _succeeds(["cmake", "--build", "--preset", "dev", "--target", "hso_server"])
    return ROOT / "build/dev/examples/hso_server"


@functools.cache
def generator() -> tempfile.TemporaryDirectory[str]:
    """A folder with hso_load."""
    _needs("g++")
    folder = tempfile.TemporaryDirectory()
    program = str(Path(folder.name) / "hso_load")
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wconversion"]
    _succeeds(["g++", "-std=c++20", "-O1", *warnings, str(ROOT / "bench/service/load.cpp"), "-o", program])
    return folder
