"""Noise tables and reference numbers that several tests use."""

import json
from pathlib import Path

import numpy as np

import hso

DATA = Path(__file__).parent / "data"
GOLDEN = json.loads((DATA / "golden.json").read_text())["tables"]
ORACLE = json.loads((DATA / "oracle.json").read_text())
BETAS = {
    "sd_scaled_linear": np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2,
    "hso_code_linear": np.linspace(0.00085, 0.012, 1000),
    "ddpm_linear": np.linspace(1e-4, 0.02, 1000),
}
NOISE = {name: hso.NoiseSchedule.from_betas(betas) for name, betas in BETAS.items()}
SD = NOISE["sd_scaled_linear"]
