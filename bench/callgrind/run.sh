#!/usr/bin/env bash
# Builds the program, counts its cases' instructions with Callgrind and compares them with counts.json, or writes that
# file with --store. Other arguments go to compare_counts.py. Half a minute with the build. BUILD is the build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/callgrind}
cmake -S bench/callgrind -B "$build" -G Ninja >/dev/null
cmake --build "$build" | tail -n 1
rm -rf "$build/dumps"
mkdir "$build/dumps"
cp "$build/hso_callgrind" "$build/dumps/program"
# An empty environment and a short name: the stack begins at the same place for everyone.
(cd "$build/dumps" && env -i valgrind --tool=callgrind --quiet --instr-atstart=no --callgrind-out-file=dump ./program >printed.json)
valgrind=$(valgrind --version)
python3 bench/callgrind/compare_counts.py "$build/dumps" --valgrind "${valgrind#valgrind-}" "$@"
