#!/usr/bin/env bash
# Builds and runs all benchmarks, writes bench/results and draws docs/images. Installs what they need into .venv, unless
# PYTHON names an interpreter that has hso[bench] already. About ten minutes, most of them SciPy's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${PYTHON:-}" ] || scripts/setup.sh bench
python=${PYTHON:-.venv/bin/python}
cmake --preset bench >/dev/null
cmake --build --preset bench >/dev/null
bin=build/bench/bench/cpp
"$bin/hso_bench" --benchmark_repetitions=5 --benchmark_min_time=0.1 --benchmark_report_aggregates_only=true \
  --benchmark_out=build/bench/micro.json --benchmark_out_format=json
python3 - <<'EOF'
import json
report = json.load(open("build/bench/micro.json"))
for key in ("host_name", "date"):  # nothing that a reader could compare
    report["context"].pop(key, None)
report["context"]["command"] = "bench/run.sh"
json.dump(report, open("bench/results/micro.json", "w"), indent=1)
EOF
"$bin/hso_bench_memory" | tee bench/results/memory.txt
"$python" bench/python/bench_compare.py --out bench/results/compare.json
"$python" bench/python/bench_scaling.py --out bench/results/scaling.json
"$python" bench/python/bench_handover.py --out bench/results/handover.json
"$python" bench/python/bench_calibration.py --out bench/results/calibration.json
"$python" bench/python/plot_compare.py
