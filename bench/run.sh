#!/usr/bin/env bash
# Builds and runs all benchmarks of the searches, writes bench/results and docs/images, and puts the numbers into the
# documents. Installs what it needs into .venv, unless PYTHON names an interpreter that has hso[bench] already. Some
# fourteen minutes on two cores that have nothing else to do: four of them SciPy's, three the threads', two the build's.
# With --quick a few runs of everything but the threads, into out/bench, in three minutes and the build.
set -euo pipefail
cd "$(dirname "$0")/.."
quick=${1:-}
if [ -n "$quick" ] && [ "$quick" != --quick ]; then
  echo "usage: bench/run.sh [--quick]" >&2
  exit 2
fi
[ -n "${PYTHON:-}" ] || scripts/setup.sh bench
python=${PYTHON:-.venv/bin/python}
cmake --preset bench >/dev/null
cmake --build --preset bench | tail -n 1
bin=build/bench/bench/cpp

results=bench/results images=docs/images
micro=(--benchmark_repetitions=5 --benchmark_min_time=0.1)
compare=() scaling=() suite=()
if [ -n "$quick" ]; then
  results=out/bench images=out/bench/images
  mkdir -p "$images"
  micro=(--benchmark_repetitions=2 --benchmark_min_time=0.01)
  compare=(--nfe 5 10 --runs 3 --slow-runs 1 --slow-up-to 0)
  scaling=(--certified-up-to 100 --calls 200 --thread-runs 1)
  suite=(--max-time 0.02)
fi

step() { printf '\n%s (%d s)\n' "$1" "$SECONDS"; }
step "kernels and searches in C++"
"$bin/hso_bench" "${micro[@]}" --benchmark_display_aggregates_only=true \
  --benchmark_out=build/bench/micro.json --benchmark_out_format=json
"$python" bench/python/reduce_micro.py build/bench/micro.json --out "$results/micro.json"
step "memory"
"$bin/hso_bench_memory" | tee "$results/memory.txt"
step "beside SciPy, pygmo and NLopt"
"$python" bench/python/bench_compare.py "${compare[@]}" --out "$results/compare.json"
step "from 4 to 1000 calls"
"$python" bench/python/bench_scaling.py "${scaling[@]}" --out "$results/scaling.json"
step "diffusers"
"$python" bench/python/bench_handover.py --out "$results/handover.json"
step "calibration"
"$python" bench/python/bench_calibration.py --out "$results/calibration.json"
step "the Python layer"
"$python" bench/python/bench_python.py "${suite[@]}" --out "$results/python.json"
if [ -z "$quick" ]; then
  step "threads"
  "$python" bench/python/bench_threads.py --out "$results/threads.json"
fi
step "pictures and documents"
"$python" bench/python/plot_compare.py --results "$results" --images "$images"
"$python" bench/python/plot_micro.py --results "$results" --images "$images"
[ -n "$quick" ] || "$python" bench/python/document_numbers.py
step "done"
