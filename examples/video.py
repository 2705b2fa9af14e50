"""A video model at few network calls: Wan's or LTX's own timesteps on the left, HSO's on the right.

    python examples/video.py --nfe 12 --num-frames 33 --out cat.gif
    python examples/video.py --preset ltx --nfe 10

Both are flow models, and differ in what the noise schedule depends on:

* Wan runs UniPC with one shift, which you choose: 3 for 480p and 5 for 720p. Size and length change nothing. Guidance
  costs a second network call for each step, so a step less saves two. Older versions of diffusers need ftfy for it.
* LTX runs Euler, and shifts with the number of latent tokens: width, height and the number of frames.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline, UniPCMultistepScheduler
from PIL import Image

import hso


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    pipe = load(options.model, options.device)
    if options.shift is not None:
        # another shift is another noise schedule: set it before the schedule is made
        pipe.scheduler = UniPCMultistepScheduler.from_config(
            pipe.scheduler.config, use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=options.shift
        )
    noise = noise_schedule(pipe, options)
    schedule = hso.optimize(noise, options.nfe)
    levels = " ".join(f"{sigma:.4f}" for sigma in schedule.sigmas)
    print(f"{type(pipe.scheduler).__name__}, shift {noise.shift:.4f}, sigmas {levels}")

    stock, seconds = sample(pipe, options.nfe, options)
    print(f"stock {seconds:7.2f} s (the first run, so with what warming up takes)")
    hso.diffusers.apply(pipe, schedule)
    ours, seconds = sample(pipe, schedule.steps, options)
    print(f"HSO   {seconds:7.2f} s")
    hso.diffusers.restore(pipe)

    frames = [beside(left, right) for left, right in zip(stock, ours, strict=True)]
    frames[0].save(options.out, save_all=True, append_images=frames[1:], duration=1000 // options.fps, loop=0)
    print(f"{options.out}: {len(frames)} frames, stock left, HSO right")


def noise_schedule(pipe: Any, options: argparse.Namespace) -> hso.NoiseSchedule:
    """What the scheduler runs; only models that shift with the video's size are given it."""
    if not pipe.scheduler.config.get("use_dynamic_shifting"):
        return hso.diffusers.noise_schedule(pipe)
    return hso.diffusers.noise_schedule(pipe, width=options.width, height=options.height, num_frames=options.num_frames)


def load(model: str, device: str) -> Any:
    """The pipeline whose class the model names; in bfloat16 on CUDA alone."""
    half = {"torch_dtype": torch.bfloat16} if device.startswith("cuda") else {}
    return DiffusionPipeline.from_pretrained(model, **half).to(device)


def sample(pipe: Any, steps: int, options: argparse.Namespace) -> tuple[list[Image.Image], float]:
    """The frames from the same noise whatever the schedule, and seconds."""
    began = time.perf_counter()
    output = pipe(
        options.prompt,
        width=options.width,
        height=options.height,
        num_frames=options.num_frames,
        num_inference_steps=steps,
        guidance_scale=options.guidance,
        generator=torch.Generator().manual_seed(options.seed),
        output_type="pil",
    )
    return output.frames[0], time.perf_counter() - began


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (left.width + right.width, left.height))
    frame.paste(left)
    frame.paste(right, (left.width, 0))
    return frame


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="a video model under the stock schedule and HSO's, side by side")
    parser.add_argument("--preset", choices=("wan2.1", "wan2.1-720p", "ltx"), default="wan2.1", help="(%(default)s)")
    parser.add_argument("--model", help="id on the Hub, or folder (the preset's)")
    parser.add_argument("--shift", type=float, help="Wan: flow_shift (the model's)")
    parser.add_argument("--prompt", default="an astronaut cat walks on the moon")
    parser.add_argument("--width", type=int, help="(the preset's)")
    parser.add_argument("--height", type=int, help="(the preset's)")
    parser.add_argument("--num-frames", type=int, help="Wan: 4 n + 1, LTX: 8 n + 1 (the preset's)")
    parser.add_argument("--guidance", type=float, help="guidance scale (the preset's)")
    parser.add_argument(
        "--nfe", type=int, default=12, help="steps; guidance asks the network twice in each (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the initial noise (%(default)s)")
    parser.add_argument("--fps", type=int, default=16, help="frames a second of the file (%(default)s)")
    parser.add_argument("--device", default=default, help="%(default)s here")
    parser.add_argument(
        "--out", default="video.gif", help=".gif or .webp (%(default)s); for mp4 see diffusers' export_to_video"
    )
    options = parser.parse_args(arguments)
    preset = hso.presets.get(options.preset)
    options.model = options.model or preset.hub_id
    options.guidance = preset.guidance_scale if options.guidance is None else options.guidance
    for name in ("width", "height", "num_frames"):
        setattr(options, name, getattr(options, name) or getattr(preset, name))
    if options.shift is not None and options.preset == "ltx":
        parser.error("--shift is Wan's: LTX's shift follows from size and length")
    return options


if __name__ == "__main__":
    main()
