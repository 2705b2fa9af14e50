"""What calibrated schedules cost beside the network: the chain solver, the calibration's own work, optimize.

Each answer is checked before it is timed. Writes a JSON with the machine, the command and every row.

    python bench/python/bench_calibration.py --out bench/results/calibration.json
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import hso
from bench_common import as_time, hold_blas_to_one_thread, time_calls, write_report

Array = npt.NDArray[np.float64]

POINTS = (100, 300, 1000)
EDGES = 20
NFE = (4, 5, 6, 8, 10, 12, 16, 20)
SOLVERS = ("ddim", "dpm-solver++", "unipc")
BUDGETS = (1024, 8192)
DIMENSIONS = 784


class Mixture:
    """Eight Gaussians in `DIMENSIONS` dimensions, whose denoiser has a closed form; counts its own seconds."""

    def __init__(self, noise: hso.NoiseSchedule) -> None:
        rng = np.random.default_rng(0)
        self.noise = noise
        self.means = 0.5 * rng.standard_normal((8, DIMENSIONS))
        self.variances = 1.0 / (1.0 + np.arange(DIMENSIONS)) + 1e-3
        self.seconds = 0.0

    def __call__(self, x: Array, lam: float) -> Array:
        """E[x0 | x]."""
        began = time.perf_counter()
        alpha, sigma = self.noise.alpha(lam), self.noise.sigma(lam)
        total = alpha**2 * self.variances + sigma**2
        apart = x[:, None] - alpha * self.means
        logs = -0.5 * np.sum(apart**2 / total, axis=2)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        x0: Array = np.einsum("nk,nkd->nd", shares, self.means + (alpha * self.variances / total) * apart)
        self.seconds += time.perf_counter() - began
        return x0


def plain_chains(cost: Array) -> list[float]:
    """The least costs by NumPy, from point 0 to the last."""
    value = np.where(np.arange(len(cost)) == 0, 0.0, np.inf)
    costs = []
    for _ in range(EDGES):
        value = np.min(value[:, None] + cost, axis=0)
        costs.append(float(value[-1]))
    return costs


def chain_rows() -> list[dict[str, Any]]:
    """All chains of 1 to `EDGES` edges through random costs."""
    rows = []
    for points in POINTS:
        cost = np.random.default_rng(points).uniform(size=(points, points))
        cost[np.tril_indices(points)] = np.inf
        found = [chain.cost for chain in hso.chain.shortest_chains(cost, max_edges=EDGES)]
        if not np.allclose(found, plain_chains(cost), rtol=1e-12):
            raise SystemExit(f"the chains through {points} points are not the cheapest")
        timed = time_calls(partial(hso.chain.shortest_chains, cost, max_edges=EDGES))
        rows.append({"what": f"chains of 1..{EDGES} edges through {points} points", **timed})
    return rows


def profile_rows(noise: hso.NoiseSchedule) -> list[dict[str, Any]]:
    """Calibrations, less the time in the network, and schedules from their profiles."""
    rows = []
    for solver in SOLVERS:
        for budget in BUDGETS:
            model = Mixture(noise)
            began = time.perf_counter()
            profile = hso.calibrate(model, noise, solver=solver, shape=(DIMENSIONS,), budget=budget)
            elapsed = time.perf_counter() - began
            row = {"solver": solver, "budget": budget, "samples": profile.samples}
            rows.append({"what": "calibrate, without the network", **row, "runs": 1, "median": elapsed - model.seconds})
            for nfe in NFE:
                ours, found = hso.optimize(noise, nfe, gap=None), hso.optimize(profile, nfe=nfe)
                if not profile.error(found) <= profile.error(ours):
                    raise SystemExit(f"the schedule of {nfe} calls is worse than HSO's own by the profile's measure")
                timed = time_calls(partial(hso.optimize, profile, nfe), most=201)
                rows.append({"what": f"optimize(profile, nfe={nfe})", **row, **timed})
    return rows


def main() -> None:
    """Runs all and writes the report."""
    hold_blas_to_one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    rows = chain_rows() + profile_rows(hso.NoiseSchedule.preset("sd21"))
    for row in rows:
        where = f"{row['solver']}, budget {row['budget']}: " if "solver" in row else ""
        print(f"{where}{row['what']}: {as_time(row['median'])}")
    write_report(out, "bench_calibration.py", __doc__.splitlines()[0], {"rows": rows})


if __name__ == "__main__":
    main()
