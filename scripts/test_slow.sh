#!/usr/bin/env bash
# The slow set: what takes too long for ./test. All steps, or those named:
#     scripts/test_slow.sh [tsan] [shared] [without-nlopt] [valgrind] [fuzz] [random-calls]
# FUZZ_SECONDS (60) for each fuzz target, CALLS (1000000) valid and as many invalid random calls.
set -euo pipefail
cd "$(dirname "$0")/.."
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(tsan shared without-nlopt valgrind fuzz random-calls)
for step in "${steps[@]}"; do
  case $step in
    tsan | shared | without-nlopt | valgrind | fuzz | random-calls) ;;
    *) echo "unknown step $step: see the head of $0" >&2; exit 2 ;;
  esac
done
scripts/setup.sh slow

for step in "${steps[@]}"; do
  echo "== $step"
  case $step in
    tsan | shared | without-nlopt) cmake --workflow --preset "$step" ;;
    valgrind) tests/valgrind.sh ;;
    fuzz) tests/fuzz/run.sh "${FUZZ_SECONDS:-60}" ;;
    random-calls)
      cmake --preset release
      cmake --build --preset release --target hso_random_calls
      build/release/tests/cpp/hso_random_calls --calls "${CALLS:-1000000}" --seed 2026
      ;;
  esac
done
