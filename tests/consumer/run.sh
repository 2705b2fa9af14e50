#!/usr/bin/env bash
# Installs the library in three forms (static, shared, static without NLopt), and for each builds programs against the
# installation, in C and in C++, by find_package and by pkg-config, and runs them. Build trees are kept in build/consumer, so a
# second run takes seconds. Usage: tests/consumer/run.sh [cmake arguments for the library, e.g. -G Ninja]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
builds=${HSO_CONSUMER_BUILDS:-$root/build/consumer}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CC=${CC:-cc} CXX=${CXX:-c++}

fail() {
  echo "$1" >&2
  exit 1
}

expect_same() {  # FILE FILE WHAT
  cmp "$1" "$2" || fail "$3 differ"
}

install_library() {  # FORM [CMAKE ARGUMENT...]: into $work/FORM
  local form=$1 build=$builds/$1
  shift
  cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DHSO_BUILD_TESTS=OFF -DCMAKE_INSTALL_PREFIX="$work/staged" "$@"
  cmake --build "$build" --parallel 2
  cmake --install "$build" --component runtime
  cmake --install "$build" --component dev
  # An installation may be moved, and refers to neither its first place nor the tree that it was built in.
  mv "$work/staged" "$work/$form"
  if grep -rlF -e "$work/staged" -e "$build" -e "$root/" "$work/$form"; then fail "$form: these refer to where they were built"; fi
}

build() {  # FORM SOURCE NAME [CMAKE ARGUMENT...]: into $work/FORM.NAME
  cmake -S "$2" -B "$work/$1.$3" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/$1" "${@:4}"
  cmake --build "$work/$1.$3"
}

pkg_config() {  # FORM ARGUMENT...
  PKG_CONFIG_PATH=$(dirname "$(find "$work/$1" -name hso.pc)") pkg-config "${@:2}"
}

check_form() {  # FORM [CMAKE ARGUMENT...]: all that a program may do with one form of the library
  local form=$1 libraries
  libraries=$(dirname "$(find "$work/$1" -name 'libhso.*' | head -1)")
  shift
  echo "== $form =="
  build "$form" "$here" consumer "$@"
  "$work/$form.consumer/consumer" | tee "$work/$form.t"
  "$work/$form.consumer/no_exceptions"
  build "$form" "$root/examples/c" c "$@"
  "$work/$form.c/hso_c_optimize" 2.5 7 >"$work/$form.c.txt"
  "$work/$form.c/hso_c_optimize" 2.5 0 2>"$work/refused" && fail "$form: nfe 0 was not refused"
  grep -q "nfe must be" "$work/refused" || fail "$form: nfe 0 was refused as: $(cat "$work/refused")"

  # shellcheck disable=SC2046  # the words of pkg-config are arguments
  "$CXX" -std=c++20 "$here/main.cpp" -o "$work/$form.pkg" $(pkg_config "$form" --cflags --libs hso)
  LD_LIBRARY_PATH=$libraries "$work/$form.pkg" | cmp - "$work/$form.t"
  # shellcheck disable=SC2046
  "$CC" -std=c99 -Wall -Wextra -Wpedantic -Werror "$root/examples/c/optimize.c" -o "$work/$form.pkg_c" \
    $(pkg_config "$form" --cflags --libs hso)
  LD_LIBRARY_PATH=$libraries "$work/$form.pkg_c" 2.5 7 | cmp - "$work/$form.c.txt"
}

install_library static "$@"
install_library shared -DBUILD_SHARED_LIBS=ON "$@"
install_library without-nlopt -DHSO_WITH_NLOPT=OFF -DCMAKE_DISABLE_FIND_PACKAGE_NLopt=ON "$@"

check_form static
check_form shared -DCMAKE_DISABLE_FIND_PACKAGE_NLopt=ON # what the shared library needs is its own affair
check_form without-nlopt -DCMAKE_DISABLE_FIND_PACKAGE_NLopt=ON
expect_same "$work/static.c.txt" "$work/shared.c.txt" "the answers of static and shared library"
expect_same "$work/static.c.txt" "$work/without-nlopt.c.txt" "the answers with and without NLopt"
[ "$(pkg_config static --modversion hso)" = "$(pkg_config shared --modversion hso)" ] || fail "hso.pc's versions differ"
pkg_config without-nlopt --libs hso | grep -q -e -lnlopt && fail "hso.pc without NLopt asks for it"

# From Python without a compiled module, by the C interface of the shared library
shared=$(find "$work/shared" -name 'libhso.so.*.*.*')
python3 "$root/examples/c/ctypes_example.py" "$shared" 2.5 7 >"$work/ctypes.txt"
expect_same "$work/static.c.txt" "$work/ctypes.txt" "the answers of C and ctypes"
python3 "$root/examples/c/ctypes_example.py" "$shared" 2.5 0 2>"$work/refused" && fail "ctypes: nfe 0 was not refused"
grep -q "nfe must be" "$work/refused" || fail "ctypes: nfe 0 was refused as: $(cat "$work/refused")"

if [ "$(uname -s)" = Linux ] && "$CXX" --version | grep -qi 'free software foundation'; then
  python3 "$root/tests/symbols/check.py" undefined "$(find "$work/static" -name libhso.a)"
  python3 "$root/tests/symbols/check.py" undefined "$(find "$work/without-nlopt" -name libhso.a)"
  python3 "$root/tests/symbols/check.py" exports "$shared"
fi
if nm -C --undefined-only "$(find "$work/without-nlopt" -name libhso.a)" | grep ' nlopt_'; then fail "built without NLopt, but asks for it"; fi

# The example that embeds the library, built as its reader would: it refuses some of these requests, and so ends with 1.
build static "$root/examples" examples
status=0
"$work/static.examples/hso_embed" <"$here/embed_requests.txt" >"$work/answers.jsonl" || status=$?
[ "$status" -eq 1 ] || fail "hso_embed ended with $status, expected 1"
python3 "$here/compare_answers.py" "$work/answers.jsonl" "$here/embed_answers.jsonl"

# A version that is not there is not found, and for that reason.
if cmake -S "$here" -B "$work/newer" -DCMAKE_PREFIX_PATH="$work/static" -DHSO_VERSION_REQUESTED=9.9 >"$work/newer.log" 2>&1; then
  fail "find_package(hso 9.9) found another version"
fi
grep -q 'hsoConfig.cmake, version: 0' "$work/newer.log" || fail "$(cat "$work/newer.log")"
echo "consumer: all good"
