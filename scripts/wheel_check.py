"""Checks what is in a source distribution and in a wheel that was built from it and repaired.

Usage: python scripts/wheel_check.py SDIST.tar.gz WHEEL.whl   (prints what is wrong; exit status 1 if anything is)
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import Parser
from fnmatch import fnmatch
from pathlib import Path

# What is at the top of a source distribution.
SDIST = {
    *("CMakeLists.txt", "cmake", "cpp", "python", "pyproject.toml", "PKG-INFO"),
    *("CHANGELOG.md", "CITATION.cff", "README.md", "LICENSE", "THIRD_PARTY.md", "licenses"),
}
NOTICES = {"LICENSE", "THIRD_PARTY.md", "licenses/LGPL-2.1.txt", "licenses/NLopt.txt", "licenses/pybind11.txt"}
LARGEST_WHEEL = 5_000_000  # bytes
EXTENSION = re.compile(r"hso/_core\.[^/]*(so|pyd)")


def check(sdist: Path, wheel: Path) -> list[str]:
    """What is wrong, a line each."""
    with tarfile.open(sdist) as archive:
        # without the folder hso-<version> that holds all
        sources = {m.name.partition("/")[2]: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    version = re.search(rb"project\(hso VERSION ([0-9.]+)", sources.get("CMakeLists.txt", b""))
    if version is None:
        return [f"{sdist.name}: no CMakeLists.txt with project(hso VERSION ...)"]
    info = f"hso-{version[1].decode()}.dist-info"
    return [
        *(f"{sdist.name}: {problem}" for problem in check_sdist(sources, version[1].decode())),
        *(f"{wheel.name}: {problem}" for problem in check_wheel(files, sources, info)),
        *(f"{wheel.name}: {problem}" for problem in check_metadata(files, info)),
        *([f"{wheel.name}: {wheel.stat().st_size} bytes"] if wheel.stat().st_size > LARGEST_WHEEL else []),
    ]


def check_sdist(sources: dict[str, bytes], version: str) -> list[str]:
    tops = {path.partition("/")[0] for path in sources}
    problems = [f"{path} is missing" for path in sorted(SDIST - tops)]
    problems += [f"{path} is not wanted" for path in sorted(tops - SDIST)]
    problems += [f"{path} is missing" for path in sorted(NOTICES - set(sources))]
    problems += [f"{path} is not wanted" for path in sources if fnmatch(path, "*__pycache__*")]
    if Parser().parsestr(sources.get("PKG-INFO", b"").decode())["Version"] != version:
        problems.append(f"PKG-INFO and CMakeLists.txt ({version}) have different versions")
    return problems


def check_wheel(files: dict[str, bytes], sources: dict[str, bytes], info: str) -> list[str]:
    """The package is that of the source distribution and the extension, and finds its libraries in the wheel."""
    package = {path.removeprefix("python/") for path in sources if path.startswith("python/hso/")}
    extensions = [path for path in files if EXTENSION.fullmatch(path)]
    found = {path for path in files if not path.startswith((f"{info}/", "hso.libs/"))}
    problems = [f"{path} is missing" for path in sorted(package - found)]
    problems += [f"{path} is not wanted" for path in sorted(found - package - set(extensions))]
    if len(extensions) != 1:
        problems.append(f"{len(extensions)} extensions, not one")
    for path in extensions:
        if path.endswith(".so") and files[path].startswith(b"\x7fELF"):
            paths = run_path(files[path])
            if paths not in ("", "$ORIGIN/../hso.libs"):
                problems.append(f"{path} looks for libraries in {paths}")
    return problems


def check_metadata(files: dict[str, bytes], info: str) -> list[str]:
    text = {name: files.get(f"{info}/{name}", b"").decode() for name in ("METADATA", "entry_points.txt")}
    metadata = Parser().parsestr(text["METADATA"])
    problems = [f"{name} is missing" for name in sorted(NOTICES) if not files.get(f"{info}/licenses/{name}")]
    if set(metadata.get_all("License-File", [])) != NOTICES:
        problems.append(f"License-File names {metadata.get_all('License-File', [])}")
    if f"hso-{metadata['Version']}.dist-info" != info:
        problems.append(f"METADATA has version {metadata['Version']}")
    if "hso = hso.cli:main" not in text["entry_points.txt"]:
        problems.append("no command hso")
    needed = [requirement for requirement in metadata.get_all("Requires-Dist", []) if "extra ==" not in requirement]
    if [re.split(r"[^\w.-]", requirement)[0] for requirement in needed] != ["numpy"]:
        problems.append(f"needs {needed}, not NumPy alone")
    return problems


def run_path(library: bytes) -> str:
    """Where an ELF library looks for others before the system's folders."""
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(library)
        file.flush()
        command = ["patchelf", "--print-rpath", file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    wrong = check(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(bool(wrong))
