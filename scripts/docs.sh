#!/usr/bin/env bash
# The documentation as a site in out/site, links, anchors and navigation checked; needs no network.
# Uses .venv if it has mkdocs (pip install '.[docs]'), else the python on PATH. Arguments go to mkdocs build.
set -euo pipefail
cd "$(dirname "$0")/.."
python=python3
.venv/bin/python -c 'import mkdocs' 2>/dev/null && python=.venv/bin/python
NO_MKDOCS_2_WARNING=1 exec "$python" -m mkdocs build --strict "$@"
