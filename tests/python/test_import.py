"""What `import hso` costs and brings in, and the stub of the compiled core."""

import statistics
import subprocess
import sys

import hso


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_is_cheap_after_numpy():
    code = "import numpy, time; began = time.perf_counter(); import hso; print(time.perf_counter() - began)"
    assert statistics.median(float(run(code)) for _ in range(5)) < 0.060


def test_import_needs_numpy_alone():
    heavy = "{'torch', 'diffusers', 'scipy', 'matplotlib', 'transformers', 'rich'}"
    modules = ", ".join(f"hso.{name}" for name in hso._MODULES)
    assert run(f"import sys, hso, {modules}; print({heavy} & set(sys.modules))") == "set()\n"


def test_version_and_names():
    assert hso.__version__.count(".") == 2
    assert all(hasattr(hso, name) for name in hso.__all__)
    assert hso.optimize.__kwdefaults__["terminal"] == "zero"
