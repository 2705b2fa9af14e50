"""The first files of the corpus: what this hso writes. Usage: python tests/fuzz/schedule_file_seeds.py FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import hso
from hso._multistep import Multistep
from hso.calibration import Profile
from hso.calibration._check import Signature
from hso.calibration._reduction import Rows

SD = hso.NoiseSchedule.preset("sd21")
TABLE = hso.NoiseSchedule.from_table([0.01, 0.3, 0.7, 1.0], [0.99, 0.8, 0.5, 0.1], [0.05, 0.5, 1.0, 2.0])
NOISES = {
    "vp_linear": hso.NoiseSchedule.vp_linear(),
    "cosine": hso.NoiseSchedule.vp_cosine(),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "edm": hso.NoiseSchedule.edm(),
    "table": TABLE,
    "alphas": hso.NoiseSchedule.from_alphas_cumprod(np.linspace(0.99, 0.01, 12)),
}


def schedules() -> dict[str, hso.Schedule]:
    """Schedules of every family, terminal and kind of options."""
    return {
        "exact": hso.optimize(SD, 5),
        "t_min": hso.optimize(SD, 3, terminal="t_min"),
        "skip": hso.optimize(SD, 2, terminal="skip", gamma=1e3),
        "one": hso.optimize(SD, 1),
        "flow": hso.optimize(NOISES["flow"], 4, limits="published"),
        "edm_heun": hso.optimize(NOISES["edm"], 5, solver="heun"),
        "paper": hso.optimize(SD, 3, search="paper", rho=(4, 9)),
        "dm_nonuni": hso.optimize(SD, 4, objective="dm_nonuni"),
        "proxy": hso.optimize(SD, 3, proxy=hso.ErrorProxy([-5.0, 0.0, 5.0], [1.0, 2.0, 3.0])),
        "gain": hso.optimize(SD, 2).with_gain(1.02),
        "karras": hso.schedules.karras(SD, 3),
        "general": hso.optimize(TABLE, 3, d_min=0.01, t_min=(0.02, 0.05)),
    }


def profile(noise: hso.NoiseSchedule, solver: str) -> Profile:
    """A profile as small as one can be: four nodes, two numbers to a row."""
    random = np.random.default_rng(7)
    low, high = noise.lambda_range
    lambdas = np.linspace(low + 0.1 * (high - low), high - 0.1 * (high - low), 4)
    rows = Rows(
        lambdas,
        random.normal(size=(4, 2)),
        random.normal(size=(4, 2)),
        np.array([1.0, 0.5]),
        lambdas[1:3],
        0.1 * random.normal(size=(2, 2)),
        0.1 * random.normal(size=(2, 2)),
    )
    signature = Signature("0123456789abcdef", lambdas, random.uniform(size=(3, 2)))
    return Profile(
        noise=noise,
        multistep=Multistep.of(solver, None),
        rows=rows,
        signature=signature,
        samples=4,
        evaluations=60,
        seed=0,
    )


def main() -> None:
    """Writes them."""
    folder = Path(sys.argv[1])
    made = schedules()
    for name, schedule in made.items():
        schedule.save(folder / f"schedule_{name}.json")
    first = json.loads(made["exact"].to_json())
    lacking = ("conventions", "solver", "gain", "num_train_timesteps", "shift", "options", "version")
    older = {key: value for key, value in first.items() if key not in lacking} | {"format": "hso-schedule/1"}
    (folder / "schedule_first_format.json").write_text(json.dumps(older))
    for i, (name, noise) in enumerate(NOISES.items()):
        profile(noise, ("ddim", "unipc", "dpm-solver++")[i % 3]).save(folder / f"profile_{name}.json")


if __name__ == "__main__":
    main()
