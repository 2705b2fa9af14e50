"""Calibrates schedules to one model, a small one of this repository, and tells how many steps it needs.

python examples/calibrate.py
"""

from pathlib import Path

from diffusers import DDIMPipeline, DPMSolverMultistepScheduler, UNet2DModel

import hso

FOLDER = Path(__file__).parents[1] / "bench/quality/models/fashion_mnist_sd"


def main() -> None:
    """Measures the model, prints error against network calls, and samples with the schedule of 5."""
    unet = UNet2DModel.from_pretrained(FOLDER / "unet", use_safetensors=True)
    scheduler = DPMSolverMultistepScheduler.from_pretrained(FOLDER / "scheduler")
    pipe = DDIMPipeline(unet, scheduler)
    pipe.set_progress_bar_config(disable=True)

    noise = hso.diffusers.noise_schedule(pipe)
    profile = hso.calibrate(pipe, solver="dpm-solver++", budget=1024, progress=True)
    print(profile)
    for nfe, error in profile.curve().items():
        ours = profile.error(hso.optimize(noise, nfe))
        print(f"{nfe:3d} calls: error {error:.4f}, HSO's schedule from the noise table alone {ours:.4f}")
    profile.save("fashion.json")

    schedule = hso.optimize(hso.Profile.load("fashion.json"), nfe=5)
    print("timesteps", schedule.timesteps.round(1))
    fit = profile.check(pipe)
    print(f"the model has changed by {100 * fit.changed:.1f} %, the schedule {'fits' if fit.fits else 'does not fit'}")


if __name__ == "__main__":
    main()
