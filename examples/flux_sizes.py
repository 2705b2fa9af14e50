"""Flux in several sizes: its noise schedule, and so its optimal schedule, is a function of width and height.

    python examples/flux_sizes.py --sizes 1024x1024 1536x640 512x512 --nfe 8
    python examples/flux_sizes.py --schedules-only          # no model, no torch: what the sizes change

Flux shifts its noise levels with the number of image tokens, one for 16 x 16 pixels. So:

* sizes with as many tokens share one schedule: 1536x640 and 640x1536, too;
* a larger image stops at more noise before the last step, and the nodes between follow; the first stays;
* the objective (MEP) does not see the shift: with ends of your own (`t_min=`, `t_max=`) all sizes get one schedule.

A search takes a tenth of a millisecond and is done once for each number of tokens.
"""

import argparse
import functools
from collections.abc import Sequence
from typing import Any

import hso


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.schedules_only:
        for width, height in options.sizes:
            noise = hso.NoiseSchedule.preset("flux-dev", width=width, height=height)
            describe(width, height, noise, schedule_for(noise.shift, options.nfe))
    else:
        pipe = load(options.model, options.device, options.offload)
        for width, height in options.sizes:
            generate(pipe, width, height, options)
    reused = schedule_for.cache_info()
    print(f"{reused.misses} searches for {reused.misses + reused.hits} images")


@functools.lru_cache(maxsize=256)
def schedule_for(shift: float, nfe: int, timestep_dtype: str = "float32") -> hso.Schedule:
    """The schedule of every size with this shift.

    Flux hands its network the timesteps in the latents' type: in bfloat16 they are 4 apart. Rounding moves the nodes to
    where network and latents agree on the noise.
    """
    noise = hso.NoiseSchedule.flow(shift=shift)
    schedule = hso.optimize(noise, nfe)
    if timestep_dtype == "float32":
        return schedule
    return hso.diffusers.round_timesteps(noise, schedule, timestep_dtype)


def generate(pipe: Any, width: int, height: int, options: argparse.Namespace) -> None:
    """One image of this size under its own schedule."""
    import torch

    noise = hso.diffusers.noise_schedule(pipe, width=width, height=height)
    schedule = schedule_for(noise.shift, options.nfe, str(pipe.transformer.dtype).removeprefix("torch."))
    describe(width, height, noise, schedule)
    hso.diffusers.apply(pipe, schedule)
    image = pipe(
        options.prompt,
        width=width,
        height=height,
        num_inference_steps=schedule.steps,
        generator=torch.Generator().manual_seed(options.seed),
    ).images[0]
    image.save(f"{options.out}-{width}x{height}.png")
    hso.diffusers.restore(pipe)


def describe(width: int, height: int, noise: hso.NoiseSchedule, schedule: hso.Schedule) -> None:
    levels = " ".join(f"{sigma:.4f}" for sigma in schedule.sigmas)
    print(f"{width}x{height}: shift {noise.shift:.4f}, sigmas {levels}")


def load(model: str, device: str | None, offload: bool) -> Any:
    """The pipeline; in bfloat16, which it was trained in, on CUDA alone."""
    import torch
    from diffusers import FluxPipeline

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    half = {"torch_dtype": torch.bfloat16} if device.startswith("cuda") else {}
    pipe = FluxPipeline.from_pretrained(model, **half)
    if offload:
        pipe.enable_model_cpu_offload(device=device)  # one network at a time on the GPU
        return pipe
    return pipe.to(device)


def size(text: str) -> tuple[int, int]:
    """'1024x768' as width and height; Flux wants multiples of 16."""
    try:
        width, height = (int(side) for side in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size, write it as 1024x768") from None
    if min(width, height) < 16 or width % 16 or height % 16:
        raise argparse.ArgumentTypeError(f"{text}: both sides must be positive multiples of 16")
    return width, height


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Flux in several sizes, each under the schedule of its size")
    parser.add_argument(
        "--model", default=hso.presets.get("flux-dev").hub_id, help="id on the Hub, or folder (%(default)s)"
    )
    parser.add_argument("--prompt", default="an astronaut cat")
    parser.add_argument(
        "--sizes", type=size, nargs="+", metavar="WxH", default=[(1024, 1024), (1536, 640), (640, 1536), (512, 512)]
    )
    parser.add_argument("--nfe", type=int, default=8, help="network calls per image (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the initial noise (%(default)s)")
    parser.add_argument("--device", help="cuda where there is one, else cpu")
    parser.add_argument("--offload", action="store_true", help="keep only the network at work on the GPU")
    parser.add_argument("--schedules-only", action="store_true", help="print the schedules and load no model")
    parser.add_argument("--out", default="flux", help="start of the pictures' names (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
