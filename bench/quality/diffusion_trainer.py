"""The training loop of the diffusion models: resumable, averaged weights, a budget of steps or of time."""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention, AttnProcessor
from diffusers.training_utils import EMAModel
from tqdm import tqdm

import fashion_mnist
from noising import TRAIN_TIMESTEPS, Noising
from pipelines import load_part

_UNet: Any = UNet2DModel

WARMUP_STEPS = 200
EMA_DECAY = 0.999
LOSS_SMOOTHING = 0.995
HELD_OUT_SEED = 20_000
CHECKPOINT_SECONDS = 300.0


@dataclass
class Progress:
    """How far a run has come: optimizer steps, images, seconds, smoothed MSE."""

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


def batch_indices(step: int, batch: int, count: int, seed: int) -> torch.Tensor:
    """Pick a step's images, (batch,) in [0, count), from a fresh permutation per epoch."""
    steps_per_epoch = count // batch
    epoch, position = divmod(step, steps_per_epoch)
    order = torch.randperm(count, generator=seeded(seed, 2 * epoch))
    return order[position * batch : (position + 1) * batch]


def stratified(batch: int, generator: torch.Generator) -> torch.Tensor:
    """Numbers (batch,) in [0, 1000], one from each of `batch` equal strata.

    Every step then sees the whole range of noise levels, which lowers the gradient's variance.
    """
    offset = torch.rand(batch, generator=generator)
    return (torch.arange(batch) + offset) * (TRAIN_TIMESTEPS / batch)


def learning_rate(peak: float, step: int, fraction: float) -> float:
    """Linear warm-up over the first steps, then cosine decay; fraction in [0, 1] of the run."""
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    return peak * warmup * 0.5 * (1.0 + math.cos(math.pi * min(fraction, 1.0)))


@torch.no_grad()
def held_out_loss(model: Any, noising: Noising, images: torch.Tensor, batch: int = 250) -> float:
    """Mean squared error per element of what the network predicts, in float32.

    `images` is (n, channels, height, width). Noise and timesteps are fixed, so that two calls
    agree; the timesteps cover their range evenly within every batch.
    """
    device = next(model.parameters()).device
    generator = seeded(HELD_OUT_SEED, 1)
    total = 0.0
    for start in range(0, len(images), batch):
        clean = images[start : start + batch]
        timesteps = noising.timesteps(stratified(len(clean), generator))
        noise = torch.randn(clean.shape, generator=generator)
        noisy = noising.noisy(clean, noise, timesteps)
        predicted = model(noisy.to(device), timesteps.to(device)).sample.cpu()
        total += float((predicted - noising.target(clean, noise)).square().mean()) * len(clean)
    return total / len(images)


class Trainer:
    """Everything that a checkpoint holds, and the training loop."""

    def __init__(self, model: Any, noising: Noising, args: argparse.Namespace) -> None:
        self.args = args
        self.device = torch.device(args.device)
        self.model = model.to(self.device)
        # Eager attention: on a CPU the fused kernel's backward pass is several times slower.
        for module in self.model.modules():
            if isinstance(module, Attention):
                module.set_processor(AttnProcessor())
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=args.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.ema = EMAModel(self.model.parameters(), decay=EMA_DECAY, foreach=True)
        self.noising = noising
        self.progress = Progress()

    def fraction(self) -> float:
        """How much of the run is done, in [0, 1]: by steps if --steps is given, else by time."""
        steps: int | None = self.args.steps
        minutes: float = self.args.minutes
        if steps is not None:
            return min(1.0, self.progress.step / steps)
        return min(1.0, self.progress.seconds / (60.0 * minutes))

    def train(self, images: torch.Tensor) -> None:
        """Run to the end of the budget on images or latents (n, channels, height, width)."""
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
        if self.args.checkpoint:
            self.save(self.args.checkpoint)

    def _step(self, images: torch.Tensor) -> None:
        """One optimizer step. All randomness comes from (seed, step), so a resume repeats it."""
        args, step = self.args, self.progress.step
        generator = seeded(args.seed, 2 * step + 1)
        clean = images[batch_indices(step, args.batch, len(images), args.seed)]
        noise = torch.randn(clean.shape, generator=generator)
        timesteps = self.noising.timesteps(stratified(len(clean), generator))
        noisy = self.noising.noisy(clean, noise, timesteps)
        target = self.noising.target(clean, noise).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(args.learning_rate, step, self.fraction())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            predicted = self.model(noisy.to(self.device), timesteps.to(self.device)).sample
        loss = (predicted.float() - target).square().mean()
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

    def averaged(self) -> Any:
        """The network with the averaged weights, in float16; training cannot go on after it."""
        self.ema.copy_to(self.model.parameters())
        return self.model.eval().half()

    def record(self) -> dict[str, Any]:
        """What training.json says of the run."""
        return {
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "seed": self.args.seed,
            "images_seen": self.progress.images_seen,
            "steps": self.progress.step,
            "wall_clock_seconds": round(self.progress.seconds, 1),
            "device": self.args.device,
            "final_training_loss": self.progress.smoothed_loss,
        }


def seeded(seed: int, stream: int) -> torch.Generator:
    """Seed a CPU generator for one of many streams of a seed: the same numbers on every device."""
    return torch.Generator().manual_seed(seed * 1_000_003 + stream)


def load_unet(folder: Path) -> Any:
    """The network of a pipeline folder, in float32 and ready for evaluation."""
    return load_part(_UNet, folder, "unet")


def add_arguments(parser: argparse.ArgumentParser, *, minutes: float = 60.0, peak: float = 1e-3) -> None:
    """The options that every training has, with two of their defaults."""
    parser.add_argument("--data", type=Path, default=fashion_mnist.DEFAULT_FOLDER)
    parser.add_argument("--limit", type=int, help="use this many images only, of either split")
    parser.add_argument("--minutes", type=float, default=minutes, help="training time")
    parser.add_argument("--steps", type=int, help="train this many steps, whatever the time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=peak, help="its peak")
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


def check_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what cannot run, choose the device and set the threads."""
    if args.resume and args.checkpoint is None:
        parser.error("--resume needs --checkpoint")
    for name in ("limit", "steps", "batch", "threads"):
        value: int | None = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1, got {value}")
    if args.limit is not None and args.limit < args.batch:
        parser.error(f"--limit must be at least --batch, {args.batch}, got {args.limit}")
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(args.threads)


def options_given(args: argparse.Namespace) -> str:
    """The options that bear on the weights, no file paths."""
    budget = f"--minutes {args.minutes:g}" if args.steps is None else f"--steps {args.steps}"
    if args.limit is not None:
        budget += f" --limit {args.limit}"
    return (
        f"{budget} --seed {args.seed} --batch {args.batch} --learning-rate {args.learning_rate:g} "
        f"--precision {args.precision} --threads {args.threads} --device {args.device}"
    )
