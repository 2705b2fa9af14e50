#!/bin/sh
# Installs the library into a temporary prefix, builds programs against it with find_package, runs them, and checks
# that a version which is not there is not found. Usage: tests/consumer/run.sh [cmake arguments for the library, e.g. -G Ninja]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake -S "$root" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DHSO_BUILD_TESTS=OFF \
    -DCMAKE_INSTALL_PREFIX="$work/prefix" "$@"
cmake --build "$work/build" --parallel 2
cmake --install "$work/build" --component dev

# The build tree is gone: an installed package must not refer to it.
rm -rf "$work/build"

cmake -S "$here" -B "$work/consumer" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/consumer"
"$work/consumer/consumer"

# The example that embeds the library, built as its reader would: it refuses some of these requests, and so ends with 1.
cmake -S "$root/examples" -B "$work/examples" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/examples"
status=0
"$work/examples/hso_embed" <"$here/embed_requests.txt" >"$work/answers.jsonl" || status=$?
[ "$status" -eq 1 ] || { echo "hso_embed ended with $status, expected 1" >&2; exit 1; }
python3 "$here/compare_answers.py" "$work/answers.jsonl" "$here/embed_answers.jsonl"

if cmake -S "$here" -B "$work/newer" -DCMAKE_PREFIX_PATH="$work/prefix" -DHSO_VERSION_REQUESTED=9.9 \
    >"$work/newer.log" 2>&1; then
    echo "find_package(hso 9.9) found version 0.1" >&2
    exit 1
fi
# ... and it must have failed for the version, not for another reason
if ! grep -q 'hsoConfig.cmake, version: 0' "$work/newer.log"; then
    cat "$work/newer.log" >&2
    exit 1
fi
echo "consumer: all good"
