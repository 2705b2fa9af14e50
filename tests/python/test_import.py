"""What `import hso` costs and brings in, and the stub of the compiled core."""

import statistics
import subprocess
import sys

import hso


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_is_cheap():
    """Numpy aside, which is imported when something of the package is used."""
    code = "import time; began = time.perf_counter(); import hso; print(time.perf_counter() - began)"
    assert statistics.median(float(run(code)) for _ in range(5)) < 0.060
    code = (
        "import numpy, time; began = time.perf_counter(); import hso; hso.optimize; print(time.perf_counter() - began)"
    )
    assert statistics.median(float(run(code)) for _ in range(5)) < 0.060


def test_import_alone_loads_nothing_else():
    assert run("import sys, hso; print('numpy' in sys.modules, hso.__version__)") == f"False {hso.__version__}\n"


def test_functions_are_not_hidden_by_modules_of_their_name():
    code = "import hso.schedules, hso.calibration, hso; print(all(callable(x) for x in (hso.optimize, hso.explain)))"
    assert run(code) == "True\n"


def test_import_needs_numpy_alone():
    heavy = "{'torch', 'diffusers', 'scipy', 'matplotlib', 'transformers', 'rich'}"
    modules = ", ".join(f"hso.{name}" for name in hso._MODULES)
    assert run(f"import sys, hso, {modules}; print({heavy} & set(sys.modules))") == "set()\n"


def test_version_and_names():
    assert hso.__version__.count(".") == 2
    assert all(hasattr(hso, name) for name in hso.__all__) and set(hso.__all__) <= set(dir(hso))
    assert not hasattr(hso, "no_such_name")
    assert hso.optimize.__kwdefaults__["terminal"] == "zero"
