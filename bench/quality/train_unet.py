"""Train a small unconditional diffusion model on Fashion-MNIST with Stable Diffusion's table.

The result is a diffusers DDPMPipeline folder (float16 weights) plus `training.json`. With
--minutes the learning rate decays over wall-clock time, so the run always ends on time but its
number of steps depends on the machine; with --steps a run depends on the seed alone, as far as
the kernels used are deterministic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.models.attention_processor import Attention, AttnProcessor
from diffusers.training_utils import EMAModel
from tqdm import tqdm

import fashion_mnist

# diffusers annotates its classes only in part; as Any they pass a strict type check.
_Pipeline: Any = DDPMPipeline
_Scheduler: Any = DDPMScheduler
_UNet: Any = UNet2DModel

TRAIN_TIMESTEPS = 1000
WARMUP_STEPS = 200
EMA_DECAY = 0.999
LOSS_SMOOTHING = 0.995
HELD_OUT_SEED = 20_000
CHECKPOINT_SECONDS = 300.0


@dataclass
class Progress:
    """How far a run has come: optimizer steps, images, seconds, smoothed per-pixel MSE."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_weight: float = 0.0

    def add(self, loss: float, images: int) -> None:
        """Count one step over `images` images whose mean squared error was `loss`."""
        self.step += 1
        self.images_seen += images
        self.loss_sum = LOSS_SMOOTHING * self.loss_sum + loss
        self.loss_weight = LOSS_SMOOTHING * self.loss_weight + 1.0

    @property
    def smoothed_loss(self) -> float:
        """Exponential moving average of the loss, unbiased from the first step."""
        return self.loss_sum / self.loss_weight if self.loss_weight else math.nan


def build_model() -> Any:
    """Build the U-Net: (n, 1, 28, 28) images and (n,) timesteps to (n, 1, 28, 28) noise.

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


def build_scheduler() -> Any:
    """Stable Diffusion's noise table: 1000 steps, scaled-linear betas, epsilon prediction."""
    return _Scheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="epsilon",
        clip_sample=False,
    )


def image_tensor(split: fashion_mnist.Split, folder: Path) -> torch.Tensor:
    """All images of a split as float32 (n, 1, 28, 28) in [-1, 1]."""
    images, _ = fashion_mnist.load(split, folder)
    return torch.from_numpy(fashion_mnist.to_unit_range(images)).unsqueeze(1)


def batch_indices(step: int, batch: int, count: int, seed: int) -> torch.Tensor:
    """Pick a step's images, (batch,) in [0, count), from a fresh permutation per epoch."""
    steps_per_epoch = count // batch
    epoch, position = divmod(step, steps_per_epoch)
    order = torch.randperm(count, generator=_generator(seed, 2 * epoch))
    return order[position * batch : (position + 1) * batch]


def stratified_timesteps(batch: int, generator: torch.Generator) -> torch.Tensor:
    """Timesteps (batch,) int64 in [0, 1000), one from each of `batch` equal strata.

    Every step then sees the whole range of noise levels, which lowers the gradient's variance.
    """
    offset = torch.rand(batch, generator=generator)
    return ((torch.arange(batch) + offset) * (TRAIN_TIMESTEPS / batch)).long().clamp_max(TRAIN_TIMESTEPS - 1)


def learning_rate(peak: float, step: int, fraction: float) -> float:
    """Linear warm-up over the first steps, then cosine decay; fraction in [0, 1] of the run."""
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    return peak * warmup * 0.5 * (1.0 + math.cos(math.pi * min(fraction, 1.0)))


@torch.no_grad()
def held_out_loss(model: Any, scheduler: Any, images: torch.Tensor, batch: int = 250) -> float:
    """Mean squared error per pixel of the predicted noise, in float32.

    `images` is (n, 1, 28, 28) in [-1, 1]. Noise and timesteps are fixed, so that two calls
    agree; the timesteps cover their range evenly within every batch.
    """
    device = next(model.parameters()).device
    generator = _generator(HELD_OUT_SEED, 1)
    total = 0.0
    for start in range(0, len(images), batch):
        clean = images[start : start + batch]
        timesteps = stratified_timesteps(len(clean), generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        predicted = model(noisy.to(device), timesteps.to(device)).sample.cpu()
        total += float((predicted - noise).square().mean()) * len(clean)
    return total / len(images)


class Trainer:
    """Everything that a checkpoint holds, and the training loop."""

    def __init__(self, args: argparse.Namespace, device: torch.device) -> None:
        torch.manual_seed(args.seed)
        self.args = args
        self.device = device
        self.model = build_model().to(device)
        # Eager attention: on a CPU the fused kernel's backward pass is several times slower.
        for module in self.model.modules():
            if isinstance(module, Attention):
                module.set_processor(AttnProcessor())
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=args.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.ema = EMAModel(self.model.parameters(), decay=EMA_DECAY, foreach=True)
        self.scheduler = build_scheduler()
        self.progress = Progress()

    def fraction(self) -> float:
        """How much of the run is done, in [0, 1]: by steps if --steps is given, else by time."""
        steps: int | None = self.args.steps
        minutes: float = self.args.minutes
        if steps is not None:
            return min(1.0, self.progress.step / steps)
        return min(1.0, self.progress.seconds / (60.0 * minutes))

    def train(self, images: torch.Tensor) -> None:
        """Run to the end of the budget on images (n, 1, 28, 28) in [-1, 1]."""
        last_time = saved_time = time.monotonic()
        self.model.train()
        with tqdm(total=self.args.steps, initial=self.progress.step, mininterval=10.0) as bar:
            while self.fraction() < 1.0:
                self._step(images)
                now = time.monotonic()
                self.progress.seconds += now - last_time
                last_time = now
                if self.args.checkpoint and now - saved_time > CHECKPOINT_SECONDS:
                    self.save(self.args.checkpoint)
                    saved_time = now
                bar.update()
                bar.set_postfix_str(f"{self.fraction():.1%} loss {self.progress.smoothed_loss:.5f}", refresh=False)

    def _step(self, images: torch.Tensor) -> None:
        """One optimizer step. All randomness comes from (seed, step), so a resume repeats it."""
        args, step = self.args, self.progress.step
        generator = _generator(args.seed, 2 * step + 1)
        clean = images[batch_indices(step, args.batch, len(images), args.seed)]
        noise = torch.randn(clean.shape, generator=generator)
        timesteps = stratified_timesteps(len(clean), generator)
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(args.learning_rate, step, self.fraction())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            predicted = self.model(noisy.to(self.device), timesteps.to(self.device)).sample
        loss = (predicted.float() - noise.to(self.device)).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.model.parameters())
        self.progress.add(float(loss.detach()), len(clean))

    def save(self, path: Path) -> None:
        """Write a checkpoint; the old one stays whole until the new one is."""
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "ema": self.ema.state_dict(),
                "progress": asdict(self.progress),
            },
            partial,
        )
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint that `save` wrote."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.progress = Progress(**state["progress"])

    def export(self, folder: Path) -> None:
        """Write the averaged weights, in float16, as a DDPMPipeline folder."""
        self.ema.copy_to(self.model.parameters())
        self.model.eval().half()
        _Pipeline(unet=self.model, scheduler=self.scheduler).save_pretrained(folder)


def evaluate_folder(folder: Path, images: torch.Tensor, device: torch.device) -> float:
    """Held-out loss of a written pipeline, run in float32: what its users will get."""
    pipeline = _Pipeline.from_pretrained(folder)
    model = pipeline.unet.to(device, torch.float32).eval()
    return held_out_loss(model, pipeline.scheduler, images)


def _generator(seed: int, stream: int) -> torch.Generator:
    """Seed a CPU generator for one of many streams of a seed: the same numbers on every device."""
    return torch.Generator().manual_seed(seed * 1_000_003 + stream)


def _command(args: argparse.Namespace) -> str:
    """Rebuild the command line: every option that bears on the weights, no file paths."""
    budget = f"--minutes {args.minutes:g}" if args.steps is None else f"--steps {args.steps}"
    return (
        f"python bench/quality/train_unet.py {budget} --seed {args.seed} --batch {args.batch} "
        f"--learning-rate {args.learning_rate:g} --precision {args.precision} "
        f"--threads {args.threads} --device {args.device}"
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pipeline")
    parser.add_argument("--data", type=Path, default=fashion_mnist.DEFAULT_FOLDER)
    parser.add_argument("--minutes", type=float, default=60.0, help="training time")
    parser.add_argument("--steps", type=int, help="train this many steps, whatever the time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="its peak")
    parser.add_argument(
        "--precision",
        choices=("bf16", "fp32"),
        default="bf16",
        help="of the network's arithmetic; bf16 pays on CPUs with avx512_bf16 and on GPUs",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default="auto", help="auto: cuda if there is one, else cpu")
    parser.add_argument("--checkpoint", type=Path, help="file to save to every five minutes")
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint")
    args = parser.parse_args(argv)
    if args.resume and args.checkpoint is None:
        parser.error("--resume needs --checkpoint")
    return args


def main(argv: list[str] | None = None) -> None:
    """Train, write the pipeline, measure it on the test images and record the run."""
    args = _parse(argv)
    torch.set_num_threads(args.threads)
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(args.device)
    trainer = Trainer(args, device)
    if args.resume:
        trainer.load(args.checkpoint)
    trainer.train(image_tensor("train", args.data))
    if args.checkpoint:
        trainer.save(args.checkpoint)
    trainer.export(args.out)
    progress = trainer.progress
    record = {
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "seed": args.seed,
        "images_seen": progress.images_seen,
        "steps": progress.step,
        "wall_clock_seconds": round(progress.seconds, 1),
        "device": args.device,
        "final_training_loss": progress.smoothed_loss,
        "held_out_loss": evaluate_folder(args.out, image_tensor("test", args.data), device),
        "held_out_images": 10_000,
        "command": _command(args),
    }
    text = json.dumps(record, indent=2)
    (args.out / "training.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
