"""Prints the paper's Tables 3 and 5 as hso reproduces them, and F of the published and the exact search for nfe 4..20.

python bench/python/reproduce.py
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    """F and least spacing of the certified optimum and of the published search."""
    print("| table | nfe | d_min | exact: F | gap | spacing | paper: F | spacing |\n|---|---|---|---|---|---|---|---|")
    for name, noise in tables.items():
        for nfe in range(4, 21):
            exact = hso.optimize(noise, nfe=nfe, terminal="t_min", limits="published")
            paper = hso.optimize(noise, nfe=nfe, terminal="t_min", search="paper")
            best = f"{exact.fitness:.6f} | {exact.gap:.1e} | {exact.min_spacing:.4f}"
            print(f"| {name} | {nfe} | {exact.d_min:.4f} | {best} | {paper.fitness:.6g} | {paper.min_spacing:.4f} |")


def cosine_betas(n: int = 1000, cap: float = 0.999) -> npt.NDArray[np.float64]:
    """Betas of the cosine schedule (Nichol and Dhariwal 2021, eq. 17), capped as they are in use."""
    alpha_bar = np.cos((np.arange(n + 1) / n + 0.008) / 1.008 * np.pi / 2) ** 2
    betas: npt.NDArray[np.float64] = np.minimum(1.0 - alpha_bar[1:] / alpha_bar[:-1], cap)
    return betas


def main() -> None:
    """Prints all three."""
    tables = {name: hso.NoiseSchedule.from_betas(betas()) for name, betas in BETAS.items()}
    print_ends(tables["sd_scaled_linear"])
    print_ddim(tables)
    cosine = hso.NoiseSchedule.from_betas(cosine_betas())
    print_spacing({name: tables[name] for name in ("sd_scaled_linear", "ddpm_linear")} | {"cosine": cosine})


if __name__ == "__main__":
    main()
