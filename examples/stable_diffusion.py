"""Stable Diffusion at few network calls: the scheduler's own timesteps and HSO's side by side, from the same noise.

    python examples/stable_diffusion.py --prompt "an astronaut cat" --nfe 6 --out grid.png

It loads a model of the Hub or a local folder, samples it under each schedule, writes the images as a grid, and prints
seconds and the distance to a many-step solution. That distance is what a schedule can change: how far few steps end
from where the model's own equation leads. It does not say which image is nicer, and with random weights it says
nothing.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UniPCMultistepScheduler,
)
from diffusers.utils import make_image_grid
from PIL import Image

import hso

SOLVERS = {
    "unipc": UniPCMultistepScheduler,
    "dpm-solver++": DPMSolverMultistepScheduler,
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    pipe = load(options.model, options.device)
    noise = hso.diffusers.noise_schedule(pipe)
    schedule = optimize(noise, options.nfe, options.end)
    print(f"{schedule}\nsearched for {1e3 * schedule.elapsed:.2f} ms, certified to {schedule.gap:.0e}")

    config = pipe.scheduler.config  # whatever the solver: the model's noise table
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(config)
    hso.diffusers.apply(pipe, hso.schedules.karras(noise, options.reference))
    rows = {f"solution, {options.reference} steps": sample(pipe, options.reference, options)}

    pipe.scheduler = SOLVERS[options.solver].from_config(config)
    rows[f"stock, {options.nfe} steps"] = sample(pipe, options.nfe, options)
    hso.diffusers.apply(pipe, schedule)
    rows[f"HSO, {options.nfe} steps"] = sample(pipe, schedule.steps, options)
    hso.diffusers.restore(pipe)

    solution, _ = next(iter(rows.values()))
    for name, (images, seconds) in rows.items():
        print(f"{name:20} {seconds:7.2f} s   RMSE to the solution {rmse(images, solution):.4f}")
    images = [image for row, _ in rows.values() for image in row]
    make_image_grid(images, rows=len(rows), cols=options.images).save(options.out)
    print(f"{options.out}: one row each, in this order")


def optimize(noise: hso.NoiseSchedule, nfe: int, end: str) -> hso.Schedule:
    """To sigma 0, or stopping at the VE sigma 1/nfe: a decoder may remove that rest better than the last step."""
    if end == "zero":
        return hso.optimize(noise, nfe)
    last = noise.t(np.log(nfe))
    return hso.optimize(noise, nfe, terminal="t_min", t_min=(last, last))


def load(model: str, device: str) -> Any:
    """The pipeline on the device; in half precision on CUDA alone, other devices are slow or wrong in it."""
    half = {"torch_dtype": torch.float16} if device.startswith("cuda") else {}
    return StableDiffusionPipeline.from_pretrained(model, **half).to(device)


def sample(pipe: Any, steps: int, options: argparse.Namespace) -> tuple[list[Image.Image], float]:
    """Images from the same noise whatever the schedule, and seconds."""
    generator = torch.Generator().manual_seed(options.seed)  # on the CPU: the same noise on every device
    began = time.perf_counter()
    output = pipe(
        [options.prompt] * options.images,
        num_inference_steps=steps,
        guidance_scale=options.guidance,
        generator=generator,
    )
    return output.images, time.perf_counter() - began


def rmse(images: Sequence[Image.Image], others: Sequence[Image.Image]) -> float:
    """Root mean square of the difference of pixels in 0..1, mean over images."""
    pairs = zip(images, others, strict=True)
    return float(np.mean([np.sqrt(np.mean((np.asarray(a) / 255 - np.asarray(b) / 255) ** 2)) for a, b in pairs]))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="Stable Diffusion under the stock schedule and HSO's, side by side")
    parser.add_argument(
        "--model", default=hso.presets.get("sd15").hub_id, help="id on the Hub, or folder (%(default)s)"
    )
    parser.add_argument("--prompt", default="an astronaut cat")
    parser.add_argument("--nfe", type=int, default=6, help="network calls per image (%(default)s)")
    parser.add_argument("--solver", choices=SOLVERS, default="unipc", help="(%(default)s)")
    parser.add_argument("--end", choices=("zero", "early"), default="zero", help="stop at sigma 0, or at 1/nfe")
    parser.add_argument("--reference", type=int, default=50, help="steps of the solution (%(default)s)")
    parser.add_argument("--images", type=int, default=4, help="per row (%(default)s)")
    parser.add_argument("--guidance", type=float, default=7.5, help="guidance scale (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise that every row starts from (%(default)s)")
    parser.add_argument("--device", default=default, help="%(default)s here")
    parser.add_argument("--out", default="stable-diffusion.png", help="picture to write (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
