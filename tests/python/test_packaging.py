"""One version in one place, the notices of what a wheel carries, and (slow) the wheel itself."""

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import hso

ROOT = Path(__file__).parents[2]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def only_match(pattern: str, path: str) -> str:
    (match,) = re.findall(pattern, text(path), re.MULTILINE)
    return match


def first_match(pattern: str, path: str) -> str:
    return re.findall(pattern, text(path), re.MULTILINE)[0]


def test_one_version():
    version = only_match(r"^project\(hso VERSION ([0-9.]+)", "CMakeLists.txt")
    assert hso.__version__ == importlib.metadata.version("hso") == version
    assert only_match(r"^version: ([0-9.]+)$", "CITATION.cff") == version
    assert first_match(r"^## ([0-9.]+)", "CHANGELOG.md") == version
    assert not re.search(r"^version *=", text("pyproject.toml"), re.MULTILINE)  # it is read from CMakeLists.txt


def test_the_installed_package_has_the_notices():
    files = {str(file) for file in importlib.metadata.files("hso") or []}
    for notice in ("LICENSE", "THIRD_PARTY.md", *(f"licenses/{path.name}" for path in (ROOT / "licenses").iterdir())):
        assert f"hso-{hso.__version__}.dist-info/licenses/{notice}" in files


def test_the_notices_are_whole():
    assert "END OF TERMS AND CONDITIONS" in text("licenses/LGPL-2.1.txt")
    nlopt = text("licenses/NLopt.txt")
    for holder in ("Dieter Kraft", "Massachusetts Institute of Technology", "Ladislav Luksan", "Makoto Matsumoto"):
        assert holder in nlopt
    assert "Wenzel Jakob" in text("licenses/pybind11.txt")


def test_declared_pythons_are_those_that_wheels_are_built_for():
    declared = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text("pyproject.toml"))
    assert declared[0] == only_match(r'^requires-python = ">=([0-9.]+)"', "pyproject.toml")
    built = only_match(r'^build = "(.*)"', "pyproject.toml")
    assert built.split() == [f"cp{version.replace('.', '')}-*" for version in declared]
    assert only_match(r"set -- (3[0-9. ]+)$", "scripts/build_wheel.sh").split() == declared


def test_a_python_that_is_not_here_is_said(tmp_path):
    command = ["scripts/build_wheel.sh", "3.99"]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"WHEEL_DIST": str(tmp_path)}, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stdout == "Python 3.99: not here, no wheel\n"
    assert run.stderr == "none of these Pythons is here: 3.99\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def archives(tmp_path):
    """Paths and contents of a source distribution and a wheel with nothing wrong, and a function that writes both."""
    version, info = hso.__version__, f"hso-{hso.__version__}.dist-info"
    notices = ("LICENSE", "THIRD_PARTY.md", "licenses/LGPL-2.1.txt", "licenses/NLopt.txt", "licenses/pybind11.txt")
    package = ("hso/__init__.py", "hso/_core.pyi", "hso/py.typed")
    described = "\n".join(
        (f"Version: {version}", *(f"License-File: {name}" for name in notices), "Requires-Dist: numpy>=1")
    )
    sdist = {
        **dict.fromkeys(notices, "text"),
        **dict.fromkeys((f"python/{path}" for path in package), ""),
        **dict.fromkeys(("CHANGELOG.md", "CITATION.cff", "README.md", "cmake/x", "cpp/x", "pyproject.toml"), ""),
        "CMakeLists.txt": f"project(hso VERSION {version})",
        "PKG-INFO": f"Version: {version}",
    }
    wheel = {
        **dict.fromkeys(package, ""),
        **{f"{info}/licenses/{name}": "text" for name in notices},
        "hso/_core.cp311-win_amd64.pyd": "",
        f"{info}/METADATA": described,
        f"{info}/entry_points.txt": "hso = hso.cli:main",
    }

    def write() -> tuple[Path, Path]:
        paths = tmp_path / "hso.tar.gz", tmp_path / "hso.whl"
        with tarfile.open(paths[0], "w:gz") as archive:
            for name, content in sdist.items():
                member = tarfile.TarInfo(f"hso-{version}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
        with zipfile.ZipFile(paths[1], "w") as archive:
            for name, content in wheel.items():
                archive.writestr(name, content)
        return paths

    return sdist, wheel, write


def problems(paths: tuple[Path, Path]) -> list[str]:
    command = [sys.executable, "scripts/wheel_check.py", *map(str, paths)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == bool(run.stdout) and run.stderr == ""
    return run.stdout.splitlines()


def test_the_check_finds_nothing_wrong_with_what_is_right(archives):
    _, _, write = archives
    assert problems(write()) == []


def test_the_check_finds_what_is_wrong(archives):
    sdist, wheel, write = archives
    del sdist["cmake/x"], sdist["licenses/NLopt.txt"]
    sdist |= {"bench/run.sh": "", "PKG-INFO": "Version: 0"}
    del wheel["hso/py.typed"], wheel[f"hso-{hso.__version__}.dist-info/licenses/LICENSE"]
    wheel |= {"tests/test_x.py": "", "hso/_core.so": "", f"hso-{hso.__version__}.dist-info/entry_points.txt": ""}
    wheel[f"hso-{hso.__version__}.dist-info/METADATA"] += "\nRequires-Dist: torch"
    assert problems(write()) == [
        "hso.tar.gz: cmake is missing",
        "hso.tar.gz: bench is not wanted",
        "hso.tar.gz: licenses/NLopt.txt is missing",
        f"hso.tar.gz: PKG-INFO and CMakeLists.txt ({hso.__version__}) have different versions",
        "hso.whl: hso/py.typed is missing",
        "hso.whl: tests/test_x.py is not wanted",
        "hso.whl: 2 extensions, not one",
        "hso.whl: LICENSE is missing",
        "hso.whl: no command hso",
        "hso.whl: needs ['numpy>=1', 'torch'], not NumPy alone",
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the source distribution and the wheel of this Python, as the command makes them."""
    folder = tmp_path_factory.mktemp("dist")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["scripts/build_wheel.sh", version]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"WHEEL_DIST": str(folder)}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(rf"^Python {version}: tested: .*, libnlopt", run.stdout)
    return folder


@pytest.mark.slow
def test_wheel_carries_nlopt(built):
    (wheel,) = built.glob("*.whl")
    assert "manylinux" in wheel.name
    assert any(name.startswith("hso.libs/libnlopt") for name in zipfile.ZipFile(wheel).namelist())
