#!/usr/bin/env bash
# Installs the Debian packages that are missing, makes .venv, and installs the package with the given extra (bench,
# demo, lab or test; slow: test and fuzz). Used by ./run, ./test, scripts/test_slow.sh, bench/run.sh and bench/lab.sh;
# what is already there is left alone.
set -euo pipefail
extra=${1:?usage: scripts/setup.sh bench|demo|lab|slow|test}
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build python3-dev python3-venv libnlopt-dev)
[[ "$extra" = test || "$extra" = slow ]] && packages+=(doctest-dev nlohmann-json3-dev pkg-config valgrind)
[ "$extra" = slow ] && packages+=(clang libclang-rt-dev llvm)
[[ "$extra" = lab || "$extra" = test || "$extra" = slow ]] && packages+=(dataset-fashion-mnist)
[ "$extra" = bench ] && packages+=(libbenchmark-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Installing with apt: ${missing[*]}"
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  apt_get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
  "${apt_get[@]}" update
  # dpkg tells of every package that it unpacks
  log=$(mktemp)
  "${apt_get[@]}" install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  rm -f "$log"
fi

# An interrupted or moved environment has no working pip: start again.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  echo "Making .venv"
  python3 -m venv --clear .venv
fi

# The package is built anew when a source is newer than the last installation.
sources=(CMakeLists.txt LICENSE README.md THIRD_PARTY.md licenses cmake constraints.txt cpp pyproject.toml python)
stamp=.venv/installed-$extra
if [ ! -e "$stamp" ] || [ -n "$(find "${sources[@]}" -type f -newer "$stamp" -not -name '*.pyc' -print -quit)" ]; then
  echo "Installing hso[$extra] into .venv"
  started=$(mktemp -p .venv)  # a source that changes while pip runs is newer than this
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt ".[${extra/slow/test,fuzz}]"
  mv "$started" "$stamp"
  # the test extra holds all of the demo's, as does the lab's, and slow is test and more
  [ "$extra" != slow ] || cp --preserve=timestamps "$stamp" .venv/installed-test
  [[ "$extra" != lab && "$extra" != test && "$extra" != slow ]] || cp --preserve=timestamps "$stamp" .venv/installed-demo
fi
