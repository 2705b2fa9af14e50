"""Tests the installed hso, with what its wheel promises: NumPy alone (and pytest). The tests are copied to a temporary
folder, away from the sources. Usage: python scripts/wheel_test.py [arguments for pytest]
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "python"
FILES = [  # golden values, certificates, the same bits for any number of threads, files: what needs NumPy alone
    "test_baselines.py",
    "test_exact.py",
    "test_explain.py",
    "test_import.py",
    "test_noise_schedule.py",
    "test_objectives_densities.py",
    "test_objectives_jumps.py",
    "test_optimize.py",
    "test_schedule.py",
    "test_solvers.py",
]
LOADED = """
import pathlib, hso
hso.optimize(hso.NoiseSchedule.preset("sd15"), 4, search="bilevel")
print(hso.__version__, hso.__file__, sep="\\n")
maps = pathlib.Path("/proc/self/maps")  # Linux
mapped = maps.read_text().splitlines() if maps.exists() else []
print(*sorted({line.split()[-1] for line in mapped if "libnlopt" in line}), sep="\\n")
"""


def check_installation(folder: Path) -> str:
    """Which NLopt is at work; AssertionError if hso or a libnlopt is loaded from elsewhere than the environment."""
    out = subprocess.run([sys.executable, "-c", LOADED], cwd=folder, check=True, capture_output=True, text=True).stdout
    version, *paths = out.split("\n")[:-1]
    paths = [path for path in paths if path]
    assert version == importlib.metadata.version("hso"), f"hso {version} has the metadata of another version"
    installed = Path(sysconfig.get_path("platlib")).resolve()
    for path in paths:
        assert installed in Path(path).resolve().parents, f"{path} is loaded, which is not in {installed}"
    return Path(paths[1]).name if len(paths) > 1 else "NLopt inside the extension"


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        nlopt = check_installation(folder)
        for file in [*FILES, "tables.py"]:
            shutil.copy(TESTS / file, folder)
        shutil.copytree(TESTS / "data", folder / "data")
        options = ["-q", "-p", "no:cacheprovider", "--rootdir", name, "-W", "error"]
        wanted = ["-k", "not cheap and not adds_little and (not beta or betas)"]  # clocks; SciPy
        command = [sys.executable, "-m", "pytest", *options, *wanted, *sys.argv[1:], *FILES]
        status = subprocess.run(command, cwd=folder).returncode
    if status == 0:
        numpy = importlib.metadata.version("numpy")
        print(f"tested: Python {platform.python_version()}, NumPy {numpy}, {nlopt}")
    return status


if __name__ == "__main__":
    sys.exit(main())
