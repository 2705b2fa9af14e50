"""`hso demo`: what HSO does, on models that need no download."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ._console import result, result_json
from ._options import JsonOption
from ._progress import waiting
from ._table import table
from ._text import number, numbers

if TYPE_CHECKING:
    from .. import Schedule

EXAMPLES = "Examples: hso demo; hso demo --solver unipc --seed 1"

_PRESETS = ("sd21", "sdxl", "sd3", "flux-dev", "wan2.1", "edm-imagenet")
_NFE = (4, 5, 6, 8)
_SAMPLES = 256
_BUDGET = 1024
_LEVELS = "noise levels (VE sigma; flow: sigma)"


def run(
    solver: Annotated[
        Literal["ddim", "dpm-solver++", "unipc"], typer.Option("--solver", help="What samples the small model.")
    ] = "ddim",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the small model and of the noise.")] = 0,
    json: JsonOption = False,
) -> None:
    """Optimize for some models, and sample one that is known exactly: a few seconds, no download."""
    with waiting("optimizing"):
        optimized = _optimized()
    with waiting("sampling"):
        measured = _measured(solver, seed)
    if json:
        result_json(
            {
                "presets": {
                    name: {"fitness": schedule.fitness, "gap": schedule.gap, "timesteps": schedule.timesteps.tolist()}
                    for name, schedule in optimized.items()
                },
                "solver": solver,
                "rmse": measured,
            }
        )
        return
    result("\n\n".join([*_of_presets(optimized), *_of_mixture(solver, measured)]))


def _of_presets(optimized: "dict[str, Schedule]") -> list[str]:
    rows = [
        [name, numbers(schedule.sigmas, 4), number(schedule.gap, 1), f"{1e3 * schedule.elapsed:.2f}"]
        for name, schedule in optimized.items()
    ]
    return [
        "1. The best 5 network calls for six models, from their noise schedules alone",
        table(["model", _LEVELS, "gap", "ms"], rows, left=["model", _LEVELS]),
    ]


def _of_mixture(solver: str, measured: dict[int, dict[str, float]]) -> list[str]:
    names = next(iter(measured.values()))
    rows = [[name, *(f"{errors[name]:.4f}" for errors in measured.values())] for name in names]
    return [
        "2. A model known exactly, a Gaussian mixture with the power spectrum of images, under Stable\n"
        f"   Diffusion's noise schedule and {solver}: RMSE of {_SAMPLES} samples to the exact solution",
        table(["schedule", *(f"{nfe} calls" for nfe in measured)], rows, left=["schedule"]),
        f"'hso, calibrated' has asked this model {_BUDGET} times first, as hso calibrate does.",
    ]


def _optimized() -> "dict[str, Schedule]":
    import hso

    return {name: hso.optimize(hso.NoiseSchedule.preset(name), 5) for name in _PRESETS}


def _measured(solver: str, seed: int) -> dict[int, dict[str, float]]:
    """Calls -> schedule -> RMSE."""
    import hso

    from ._mixture import DIMENSIONS, Mixture, errors

    noise = hso.NoiseSchedule.preset("sd21")
    mixture = Mixture(seed)

    def denoise(x: Any, lam: float) -> Any:
        return mixture.denoise(x / noise.alpha(lam), noise.sigma(lam) / noise.alpha(lam))

    profile = hso.calibrate(denoise, noise, solver=solver, shape=(DIMENSIONS,), budget=_BUDGET, seed=seed)
    found = {}
    for nfe in _NFE:
        schedules = {
            "uniform in t": hso.schedules.uniform_t(noise, nfe),
            "uniform in lambda": hso.schedules.uniform_lambda(noise, nfe),
            "Karras": hso.schedules.karras(noise, nfe),
            "hso": hso.optimize(noise, nfe),
            "hso, calibrated": hso.optimize(profile, nfe),
        }
        found[nfe] = errors(mixture, noise, solver, schedules, samples=_SAMPLES, seed=seed + 1)
    return found
