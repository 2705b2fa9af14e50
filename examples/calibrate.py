"""Calibrates schedules to one model and tells how many steps it needs; by default a small model of this repository.

    python examples/calibrate.py
    python examples/calibrate.py --model stable-diffusion-v1-5/stable-diffusion-v1-5 --prompt "a cat" "a street"

MEP uses one formula for all models. A calibration asks yours, at `--budget` places, and gives a schedule for every
number of calls from then on. The errors printed are expectations, on the samples that the calibrated schedules were
chosen on: that column looks better than it is, the more so the smaller the budget and the more calls.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler

import hso

SMALL = Path(__file__).resolve().parents[1] / "bench/quality/models/fashion_mnist_sd"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    half = {"torch_dtype": torch.float16} if options.device.startswith("cuda") and options.prompt else {}
    pipe = DiffusionPipeline.from_pretrained(options.model, **half).to(options.device)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    call = {"prompt": options.prompt} if options.prompt else None

    profile = hso.calibrate(pipe, call=call, solver="dpm-solver++", budget=options.budget, progress=True)
    print(profile)
    noise = hso.diffusers.noise_schedule(pipe)
    for nfe, error in profile.curve().items():
        ours = profile.error(hso.optimize(noise, nfe))
        print(f"{nfe:3d} calls: error {error:.4f}, HSO's schedule from the noise table alone {ours:.4f}")
    profile.save(options.out)

    schedule = hso.optimize(hso.Profile.load(options.out), nfe=options.nfe)
    print("timesteps", schedule.timesteps.round(1))
    fit = profile.check(pipe, call=call)
    print(f"the model has changed by {100 * fit.changed:.1f} %, the schedule {'fits' if fit.fits else 'does not fit'}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="calibrate schedules to a model")
    parser.add_argument("--model", default=SMALL, help="id on the Hub, or folder (a small model of this repository)")
    parser.add_argument("--prompt", nargs="+", help="prompts to measure with, as many and as varied as you can")
    parser.add_argument(
        "--budget", type=int, default=1024, help="network evaluations (%(default)s: a first look; 8192 for use)"
    )
    parser.add_argument("--nfe", type=int, default=5, help="network calls of the schedule printed (%(default)s)")
    parser.add_argument("--device", default=default, help="%(default)s here")
    parser.add_argument("--out", default="profile.json", help="file of the profile (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
