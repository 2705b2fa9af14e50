"""Prints the paper's Tables 3 and 5 as hso reproduces them, and F of both searches for nfe 4..20.

python bench/python/reproduce.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import hso
from reference_objectives import BETAS


def print_ends(noise: hso.NoiseSchedule) -> None:
    """Table 3: the ends that the published search finds, UniPC setting."""
    print("Table 3, Stable Diffusion's table, terminal t_min")
    for nfe in (4, 6, 8, 10):
        s = hso.optimize(noise, nfe=nfe, terminal="t_min", search="paper")
        print(f"  nfe {nfe:2d}: t_min {s.psi.t_min:.5f}  t_max {s.psi.t_max:.5f}  F {s.fitness:.6g}")


def print_ddim(tables: dict[str, hso.NoiseSchedule]) -> None:
    """Table 5: the DDIM schedule at nfe 4, in both ways to number the table's entries."""
    print("Table 5, terminal zero, nfe 4 (the paper prints [959, 716, 370, 30])")
    for name, noise in tables.items():
        t = hso.optimize(noise, nfe=4, terminal="zero", search="paper").t[:-1]
        by_1000, by_999 = np.rint(1000 * t).astype(int) - 1, np.rint(999 * t).astype(int)
        print(f"  {name:18s} t {np.round(t, 4)}  1000 t - 1 {by_1000}  999 t {by_999}")


def print_spacing(tables: dict[str, hso.NoiseSchedule]) -> None:
    """F and least spacing of the published search and of the one with the spacing as constraints."""
    print("| table | nfe | d_min | bilevel: F | spacing | paper: F | spacing |\n|---|---|---|---|---|---|---|")
    for name, noise in tables.items():
        for nfe in (4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20):
            found: list[Any] = [
                hso.optimize(noise, nfe=nfe, terminal="t_min", search=search) for search in ("bilevel", "paper")
            ]
            cells = [f"{s.fitness:.6g} | {s.min_spacing:.4f}" for s in found]
            print(f"| {name} | {nfe} | {hso.d_min(nfe):.4f} | {' | '.join(cells)} |")


def main() -> None:
    """Prints all three."""
    tables = {name: hso.NoiseSchedule.from_betas(betas()) for name, betas in BETAS.items()}
    print_ends(tables["sd_scaled_linear"])
    print_ddim(tables)
    print_spacing(tables)


if __name__ == "__main__":
    main()
