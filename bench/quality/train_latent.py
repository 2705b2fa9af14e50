"""Train a tiny latent-diffusion model on Fashion-MNIST, on the latents of train_autoencoder.py's autoencoder.

The result is a pipeline folder (float16 weights) plus `training.json`. The table is Stable
Diffusion's, and so are the latents' 4 channels.

    python bench/quality/train_autoencoder.py --out FOLDER
    python bench/quality/train_latent.py --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel

import noising
from diffusion_trainer import Trainer, add_arguments, check_arguments, held_out_loss, load_unet, options_given
from pipelines import FashionPipeline
from train_autoencoder import encode_all, load_autoencoder
from train_unet import image_tensor

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_UNet: Any = UNet2DModel


def build_model() -> Any:
    """Build the U-Net: (n, 4, 8, 8) latents and (n,) timesteps to (n, 4, 8, 8) noise, at 8x8 and 4x4."""
    return _UNet(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=2,
        block_out_channels=(64, 96),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
    )


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline, with its vae already there")
    add_arguments(parser)
    args = parser.parse_args(arguments)
    check_arguments(parser, args)
    if not (args.out / "vae").is_dir():
        parser.error(f"--out must hold the vae that train_autoencoder.py writes, got {args.out}")
    return args


def main(arguments: list[str] | None = None) -> None:
    """Train, write the pipeline, measure it on the test images and record the run."""
    args = parse(arguments)
    vae = load_autoencoder(args.out)
    torch.manual_seed(args.seed)
    family = noising.build("sd")
    trainer = Trainer(build_model(), family, args)
    if args.resume:
        trainer.load(args.checkpoint)
    trainer.train(encode_all(vae, image_tensor("train", args.data)[: args.limit]))
    test = encode_all(vae, image_tensor("test", args.data)[: args.limit])
    FashionPipeline(unet=trainer.averaged(), scheduler=family.scheduler, vae=vae.half()).save_pretrained(args.out)
    record = {
        "noise": "sd",
        **trainer.record(),
        # of the written weights, run in float32: what their users will get
        "held_out_loss": held_out_loss(load_unet(args.out).to(args.device), family, test),
        "held_out_images": len(test),
        "command": f"python bench/quality/train_latent.py {options_given(args)}",
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
