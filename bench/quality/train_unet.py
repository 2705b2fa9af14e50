"""Train a small unconditional diffusion model on Fashion-MNIST.

--noise chooses Stable Diffusion's table, DDPM's, or flow matching. The result is a diffusers
pipeline folder (float16 weights) plus `training.json`. With --minutes the learning rate decays
over wall-clock time, so the run always ends on time but its number of steps depends on the
machine; with --steps a run depends on the seed alone, as far as the kernels used are
deterministic. --start begins at another folder's weights: what one table has taught is most of
what the next one needs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMPipeline, UNet2DModel

import fashion_mnist
import noising
from diffusion_trainer import Trainer, add_arguments, check_arguments, held_out_loss, load_unet, options_given
from pipelines import FashionPipeline

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_DDPMPipeline: Any = DDPMPipeline
_UNet: Any = UNet2DModel


def build_model() -> Any:
    """Build the U-Net: (n, 1, 28, 28) images and (n,) timesteps to (n, 1, 28, 28) noise or velocity.

    Resolutions are 28, 14 and 7; only the middle block, at 7x7, has attention.
    """
    return _UNet(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 64, 96),
        down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
    )


def image_tensor(split: fashion_mnist.Split, folder: Path) -> torch.Tensor:
    """All images of a split as float32 (n, 1, 28, 28) in [-1, 1]."""
    images, _ = fashion_mnist.load(split, folder)
    return torch.from_numpy(fashion_mnist.to_unit_range(images)).unsqueeze(1)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pipeline")
    parser.add_argument("--noise", choices=noising.NAMES, default="sd", help="the noise levels and the target")
    parser.add_argument("--start", type=Path, help="pipeline folder whose network to begin with")
    add_arguments(parser)
    args = parser.parse_args(arguments)
    check_arguments(parser, args)
    if args.start is not None and not (args.start / "unet").is_dir():
        parser.error(f"--start must be a pipeline folder with a unet, got {args.start}")
    return args


def main(arguments: list[str] | None = None) -> None:
    """Train, write the pipeline, measure it on the test images and record the run."""
    args = parse(arguments)
    torch.manual_seed(args.seed)
    model = build_model() if args.start is None else load_unet(args.start)
    family = noising.build(args.noise)
    trainer = Trainer(model, family, args)
    if args.resume:
        trainer.load(args.checkpoint)
    trainer.train(image_tensor("train", args.data)[: args.limit])
    pipeline_class = FashionPipeline if args.noise == "flow" else _DDPMPipeline
    pipeline_class(unet=trainer.averaged(), scheduler=family.scheduler).save_pretrained(args.out)
    test = image_tensor("test", args.data)[: args.limit]
    start = None if args.start is None else args.start.resolve().name
    started = "" if start is None else f" --start bench/quality/models/{start}"
    record = {
        "noise": args.noise,
        "start": start,
        **trainer.record(),
        # of the written weights, run in float32: what their users will get
        "held_out_loss": held_out_loss(load_unet(args.out).to(args.device), family, test),
        "held_out_images": len(test),
        "command": f"python bench/quality/train_unet.py --noise {args.noise}{started} {options_given(args)}",
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
