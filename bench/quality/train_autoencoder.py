"""Train the small autoencoder of the latent-diffusion model on Fashion-MNIST.

It is written in float16, with the shift and the scale that give its latents mean 0 and variance 1,
as the `vae` of a pipeline folder; train_latent.py completes the folder.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from diffusion_trainer import add_arguments, batch_indices, check_arguments, learning_rate, options_given
from pipelines import crop, decode, encode, load_part, pad
from train_unet import image_tensor

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_Autoencoder: Any = AutoencoderKL

KL_WEIGHT = 2e-5
ENCODING_BATCH = 500
SCALED_BY = 10_000
"""Images whose latents set the scale."""


def build_autoencoder() -> Any:
    """Images (n, 1, 32, 32) to latents (n, 4, 8, 8) and back."""
    return _Autoencoder(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
        mid_block_add_attention=False,
    )


def load_autoencoder(folder: Path) -> Any:
    """The autoencoder of a pipeline folder, in float32 and ready for evaluation."""
    return load_part(_Autoencoder, folder, "vae")


def train(model: Any, images: torch.Tensor, args: argparse.Namespace) -> int:
    """L1 plus L2 plus a small KL, on samples of the posterior; returns the number of steps taken."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.99))
    model.train()
    started = time.monotonic()
    step = 0
    with tqdm(total=args.steps, mininterval=10.0) as bar:
        while True:
            elapsed = (time.monotonic() - started) / (60.0 * args.minutes)
            fraction = elapsed if args.steps is None else step / args.steps
            if fraction >= 1.0:
                return step
            batch = pad(images[batch_indices(step, args.batch, len(images), args.seed)]).to(args.device)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(args.learning_rate, step, fraction)
            with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
                posterior = model.encode(batch).latent_dist
                decoded = model.decode(posterior.sample()).sample
            difference = crop(decoded.float() - batch)
            loss = difference.abs().mean() + difference.square().mean()
            loss = loss + KL_WEIGHT * posterior.kl().float().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            bar.update()
            bar.set_postfix_str(f"{fraction:.1%} loss {float(loss.detach()):.5f}", refresh=False)


def encode_all(vae: Any, images: torch.Tensor) -> torch.Tensor:
    """Latents (n, 4, 8, 8) of any number of images."""
    return torch.cat([encode(vae, part) for part in torch.split(images, ENCODING_BATCH)])


def set_scale(vae: Any, images: torch.Tensor) -> None:
    """Put the shift and the scale that give the latents of `images` mean 0 and variance 1 into the configuration."""
    vae.register_to_config(shift_factor=0.0, scaling_factor=1.0)
    raw = encode_all(vae, images)
    vae.register_to_config(shift_factor=float(raw.mean()), scaling_factor=1.0 / float(raw.std()))


def reconstruction_rmse(vae: Any, images: torch.Tensor) -> float:
    """Root mean square error per pixel, in units where black is -1 and white 1, of images through their latents."""
    parts = [decode(vae, encode(vae, part)) - part for part in torch.split(images, ENCODING_BATCH)]
    return float(torch.cat(parts).square().mean().sqrt())


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline whose vae it becomes")
    add_arguments(parser, minutes=10.0, peak=2e-3)
    args = parser.parse_args(arguments)
    check_arguments(parser, args)
    return args


def main(arguments: list[str] | None = None) -> None:
    """Train, write the autoencoder, measure it on the test images and record the run."""
    args = parse(arguments)
    torch.manual_seed(args.seed)
    images = image_tensor("train", args.data)[: args.limit]
    model = build_autoencoder().to(args.device)
    started = time.monotonic()
    steps = train(model, images, args)
    seconds = time.monotonic() - started
    # what is scaled and measured are the float16 weights that are written
    vae = model.half().float().eval().cpu()
    set_scale(vae, images[:SCALED_BY])
    test = image_tensor("test", args.data)[: args.limit]
    record = {
        "parameters": sum(p.numel() for p in vae.parameters()),
        "seed": args.seed,
        "steps": steps,
        "images_seen": steps * args.batch,
        "wall_clock_seconds": round(seconds, 1),
        "device": args.device,
        "reconstruction_rmse": reconstruction_rmse(vae, test),
        "held_out_images": len(test),
        "command": f"python bench/quality/train_autoencoder.py {options_given(args)}",
    }
    vae.half().save_pretrained(args.out / "vae")
    (args.out / "vae" / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
