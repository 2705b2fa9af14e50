"""The C++ library for the programs that the documents show."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/dev"  # the sanitized build of ./test: up to date there, and built once where it is not


@functools.cache
def library() -> tuple[Path, list[str]]:
    """The static library and the flags that it was compiled with."""
    fcntl = pytest.importorskip("fcntl")
    for tool in ("cmake", "g++", "ninja"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} to build the C++ library")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:  # two processes of pytest would build over each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        for step in (["cmake", "--preset", "dev"], ["cmake", "--build", "--preset", "dev", "--target", "hso"]):
            done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, timeout=900)
            assert done.returncode == 0, done.stdout + done.stderr
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    flags = re.search(r"^CMAKE_CXX_FLAGS:STRING=(.*)$", cache, re.MULTILINE)
    assert flags is not None
    return BUILD / "libhso.a", flags[1].split()


def compiled(source: str, folder: Path) -> Path:
    """An executable in `folder` from a program that includes hso's headers."""
    archive, flags = library()
    file, executable = folder / "program.cpp", folder / "program"
    file.write_text(source, encoding="utf-8")
    includes = [f"-I{ROOT / 'cpp/include'}", f"-I{BUILD / 'include'}"]
    command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", *flags, *includes, str(file), str(archive)]
    done = subprocess.run(
        [*command, "-lnlopt", "-lpthread", "-o", str(executable)], capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return executable
