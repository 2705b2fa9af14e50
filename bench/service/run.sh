#!/usr/bin/env bash
# Loads the example servers on loopback: throughput and latencies, then memory over SECONDS (600). Writes
# bench/results/{server,service}.json, draws docs/images/serving.png, and puts the numbers into docs/serving.md. Fails where a request fails, an answer differs from the
# library's, or memory is not flat. Installs what it needs into .venv, unless PYTHON names an interpreter that has hso[bench].
#
#     bench/service/run.sh               # all of it
#     bench/service/run.sh 600 speed     # throughput and latencies alone: 2 minutes that want a quiet machine
#     bench/service/run.sh 600 memory    # memory alone: the machine may be busy
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600} parts=${2:-speed memory}
[ -n "${PYTHON:-}" ] || scripts/setup.sh bench
python=${PYTHON:-.venv/bin/python}
build=${BUILD:-build/service}
cmake -S bench/service -B "$build" -DCMAKE_BUILD_TYPE=Release -DHSO_WERROR=ON >/dev/null
cmake --build "$build" --parallel 2 >/dev/null
export PYTHONPATH=bench/python                     # for what all benchmarks share
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1    # nothing here needs BLAS
for part in $parts; do
  "$python" bench/service/load_test.py "$part" --seconds "$seconds" --build "$build"
done
"$python" bench/service/plot_serving.py
"$python" bench/service/document_serving.py
