#!/usr/bin/env bash
# Runs the tests of the adapter and of the exported diffusers code with the oldest diffusers that pyproject.toml allows,
# installed once beside the newest one; torch, transformers and all else are shared. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
oldest=$(sed -n 's/.*"diffusers>=\([0-9.]*\)".*/\1/p' pyproject.toml)
folder=.venv/diffusers-$oldest

if [ ! -e "$folder/installed" ]; then
  echo "Installing diffusers $oldest into $folder"
  rm -rf "$folder"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder" "diffusers==$oldest"
  touch "$folder/installed"
fi

export PYTHONPATH=$folder OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
found=$("$python" -c 'import diffusers; print(diffusers.__version__)')
[ "$found" = "$oldest" ] || { echo "diffusers $found was imported in place of $oldest" >&2; exit 1; }
"$python" -m pytest --numprocesses 2 --dist loadfile "$@" tests/python/test_diffusers_*.py tests/python/test_exports_diffusers.py
