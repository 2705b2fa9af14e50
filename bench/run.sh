#!/usr/bin/env bash
# Builds and runs all benchmarks and writes bench/results; run ./test first for its virtual environment.
set -euo pipefail
cd "$(dirname "$0")/.."
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
"${PYTHON:-.venv/bin/python}" bench/python/bench_search.py --slow-runs 1 --out bench/results/search.json
