#!/usr/bin/env bash
# The quality lab, from nothing: installs what is missing and samples every model under every schedule. Without arguments
# the quick run (under 6 minutes); arguments go to bench/quality/lab.py, for example: bench/lab.sh full --models sd --out out/sd.json
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh lab
# One thread a process is what the run is sized for; NumPy's threads only wait for each other.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
[ $# -gt 0 ] || set -- quick --out out/quality_quick.json
exec .venv/bin/python bench/quality/lab.py "$@"
