#!/usr/bin/env bash
# Builds the NLopt that released wheels carry into the given folder: static, without the LUKSAN routines (and so without
# the LGPL) and without C++. HSO's build takes it with NLopt_ROOT. Needs git, CMake and a C compiler; in Git's bash on
# Windows too. NLOPT_REPOSITORY names another place to clone from.
set -euo pipefail
prefix=${1:?usage: scripts/wheel_nlopt.sh FOLDER}
version=v2.11.0
commit=88c424d4f458412787df96fcc95218acbca224fd
repository=${NLOPT_REPOSITORY:-https://github.com/stevengj/nlopt.git}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$version" "$repository" "$work/nlopt"
found=$(git -C "$work/nlopt" rev-parse HEAD)
[ "$found" = "$commit" ] || { echo "$repository has $found for $version, not $commit" >&2; exit 1; }

off=(BUILD_SHARED_LIBS NLOPT_CXX NLOPT_GUILE NLOPT_JAVA NLOPT_LUKSAN NLOPT_MATLAB NLOPT_OCTAVE NLOPT_PYTHON NLOPT_SWIG)
mkdir -p "$prefix"
prefix=$(cd "$prefix"; pwd -W 2>/dev/null || pwd)  # -W: as Windows has it
options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON "-DCMAKE_INSTALL_PREFIX=$prefix")
for option in "${off[@]}"; do options+=("-D$option=OFF"); done
{
  cmake -S "$work/nlopt" -B "$work/build" "${options[@]}"
  cmake --build "$work/build" --config Release --parallel 2
  cmake --install "$work/build" --config Release
} >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
