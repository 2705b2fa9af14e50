"""Write tests/python/data/oracle.json: answers of the SciPy reference that the tests compare with.

Run from the repository root: python bench/python/make_oracle.py [--output FILE]
The result is a function of the seeds below and of the versions in the file's header. It takes
about a minute.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from reference_lower import Lower
from reference_objectives import BETAS, Array, VpTable, dm_nonuni, dm_nonuni_gradient
from scipy_reference import SearchResult, Setting, dm_nonuni_schedule, published_search

ROOT = Path(__file__).resolve().parents[2]
STEPS = (1, 2, 3, 4, 5, 8, 10, 20)
PER_STEPS = 7
LOCAL_NFE = (4, 5, 6, 8, 10)
SEARCHES: tuple[tuple[int, Setting, Lower], ...] = (
    (4, "unipc", "slsqp"),
    (5, "unipc", "slsqp"),
    (6, "unipc", "slsqp"),
    (4, "ddim", "slsqp"),
    (4, "unipc", "trust-constr"),
    (4, "ddim", "trust-constr"),
)
SEED = 0

ABOUT = (
    "float64 answers of the NumPy and SciPy reference in bench/python. t is continuous time, "
    "table index i sits at t = (i+1)/1000; lam rises. dm_nonuni: the signed multistep objective "
    "(p = 2) and its gradient at random schedules. dm_nonuni_schedule: where its own local "
    "search stops (trust-constr from uniform t between t = 1 and 0.001): a smooth minimum for "
    "nfe 4 and 5, a point on a kink a little above one for nfe 6, and for nfe 8 and 10 no "
    "minimum at all: the objective falls further as the first two nodes merge, so these two "
    "vary with SciPy's version. published_search: seed 0; with gamma = 1e9 a node's rounding "
    "of 1e-7 is 1e-4 of the fitness wherever the penalty is not zero."
)


def random_lambdas(table: VpTable, steps: int, rng: np.random.Generator) -> Array:
    """steps + 1 lambdas to six digits at random t in [0.001, 1], no two nodes very close."""
    low, high = np.sort(rng.uniform(0.001, 1, 2))
    if high - low < 0.3:
        low, high = 0.001, 1.0
    gaps = 0.2 + rng.exponential(size=steps)
    t = high - (high - low) * np.concatenate([[0], np.cumsum(gaps) / gaps.sum()])
    return np.asarray(np.round(table.lam(t), 6))


def objective_values(table: VpTable, rng: np.random.Generator) -> list[dict[str, Any]]:
    """DM-NonUni's objective and gradient at `PER_STEPS` schedules for each of `STEPS`."""
    rows = []
    for steps in STEPS:
        for _ in range(PER_STEPS):
            lam = random_lambdas(table, steps, rng)
            gradient = [float(f"{g:.12g}") for g in dm_nonuni_gradient(lam)]
            row = {"lam": lam.tolist(), "value": dm_nonuni(lam), "gradient": gradient}
            rows.append(row)
    return rows


def described(result: SearchResult) -> dict[str, Any]:
    """What the tests need of a search, without its timing."""
    return {
        "objective": result.objective,
        "fitness": result.fitness,
        "psi": result.psi,
        "t": result.t.tolist(),
        "lam": result.lambdas.tolist(),
        "indices": result.indices,
        "searches": result.searches,
        "evaluations": result.evaluations,
        "generations": result.generations,
    }


def searches(table: VpTable) -> list[dict[str, Any]]:
    """The published search in each of `SEARCHES`."""
    rows = []
    for nfe, setting, lower in SEARCHES:
        result = published_search(table, nfe, setting, SEED, lower=lower)
        rows.append({"nfe": nfe, "setting": setting, "lower": lower, **described(result)})
    return rows


def oracle() -> dict[str, Any]:
    """The whole file as a dictionary."""
    tables: dict[str, Any] = {}
    for name in BETAS:
        table = VpTable.named(name)
        tables[name] = {
            "dm_nonuni": objective_values(table, np.random.default_rng(SEED)),
            "dm_nonuni_schedule": [{"nfe": nfe, **described(dm_nonuni_schedule(table, nfe))} for nfe in LOCAL_NFE],
        }
        if name != "ddpm_linear":
            tables[name]["published_search"] = searches(table)
    return {
        "about": ABOUT,
        "command": "python bench/python/make_oracle.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "tables": tables,
    }


def as_text(data: dict[str, Any]) -> str:
    """JSON with one line per record, so that a change shows up as one line."""
    head = {key: value for key, value in data.items() if key != "tables"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    lines.append('"tables": {')
    for i, (name, kinds) in enumerate(data["tables"].items()):
        lines.append(f"{', ' if i else ''}{json.dumps(name)}: {{")
        for j, (kind, rows) in enumerate(kinds.items()):
            lines.append(f"{', ' if j else ''}{json.dumps(kind)}: [")
            lines.append(",\n".join(json.dumps(row) for row in rows))
            lines.append("]")
        lines.append("}")
    return "\n".join(["{", *lines, "}", "}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = ROOT / "tests" / "python" / "data" / "oracle.json"
    parser.add_argument("--output", type=Path, default=default)
    path = parser.parse_args().output
    path.write_text(as_text(oracle()), encoding="utf-8")


if __name__ == "__main__":
    main()
