#!/usr/bin/env bash
# Builds the fuzz targets (preset `fuzz`: Clang, AddressSanitizer, UBSan) and runs each for so long, starting from its corpus:
#     tests/fuzz/run.sh [seconds for each, 60] [noise_table options c_api schedule_file]
# Prints executions, coverage and what was found; fails if anything was. Inputs that break something, and the grown corpora, are
# left in build/fuzz/run. schedule_file is Python's: it needs atheris (pip install "hso[fuzz]") in PYTHON, and is skipped without.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(noise_table options c_api schedule_file)
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
build=${BUILD:-build/fuzz}

if [[ " ${targets[*]} " =~ " noise_table "|" options "|" c_api " ]]; then
  cmake --preset fuzz -B "$build" >/dev/null
  cmake --build "$build"
fi
found=0
for target in "${targets[@]}"; do
  out=$build/run/$target
  mkdir -p "$out/corpus"
  # an input takes at most 30 s under the sanitizers, on a busy machine: certificates have a budget, which is seconds
  options=(-max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$out/")
  case $target in
    noise_table | options | c_api) command=("$build/tests/fuzz/${target}_fuzzer" -max_len=2048) ;;
    schedule_file)
      if ! "$python" -c 'import atheris' 2>/dev/null; then
        echo "schedule_file: skipped, $python has no atheris"
        continue
      fi
      command=("$python" tests/fuzz/fuzz_schedule_file.py -max_len=65536)
      ;;
    *) echo "unknown target $target" >&2; exit 2 ;;
  esac
  if "${command[@]}" "${options[@]}" "$out/corpus" "tests/fuzz/corpus/$target" >"$out/log" 2>&1; then
    verdict="nothing found"
  else
    verdict="FOUND something: $(grep -aE 'what\(\)|runtime error|SUMMARY' "$out/log" | head -n 2 | tr '\n' ' ')see $out"
    found=1
  fi
  executions=$(grep -aE 'stat::number_of_executed_units' "$out/log" | awk '{print $2}' || true)
  coverage=$(grep -aoE 'cov: [0-9]+ ft: [0-9]+' "$out/log" | tail -n 1 || true)
  echo "$target: ${executions:-unknown} executions in $seconds s, ${coverage:-no coverage}, $verdict"
done
exit $found
