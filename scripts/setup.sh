#!/usr/bin/env bash
# Installs the Debian packages that are missing, makes .venv, and installs the package with the given extra (demo or test).
# Used by ./run and ./test; what is already there is left alone.
set -euo pipefail
extra=$1
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build python3-venv libnlopt-dev)
[ "$extra" = test ] && packages+=(doctest-dev nlohmann-json3-dev dataset-fashion-mnist)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Installing ${missing[*]}"
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
# The wheel is rebuilt when a source is newer than the last installation.
stamp=.venv/hso-$extra
if [ ! -e "$stamp" ] || [ -n "$(find CMakeLists.txt cmake constraints.txt cpp pyproject.toml python -type f -newer "$stamp" \
    -not -path '*/__pycache__/*' -print -quit)" ]; then
  echo "Installing hso[$extra] into .venv"
  # torch comes first and pinned: an unpinned one would bring gigabytes of CUDA
  .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
  .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt ".[$extra]"
  touch "$stamp"
fi
