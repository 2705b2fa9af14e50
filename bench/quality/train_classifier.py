"""Train the Fashion-MNIST classifier whose features the sample quality is measured in.

python bench/quality/train_classifier.py --out bench/quality/models/fashion_mnist_classifier
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import fashion_mnist
from classifier import FOLDER, Classifier, load_classifier, save_classifier


def tensors(split: fashion_mnist.Split, args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Images float32 (n, 1, 28, 28) in [-1, 1] and labels int64 (n,)."""
    images, labels = fashion_mnist.load(split, args.data)
    scaled = torch.from_numpy(fashion_mnist.to_unit_range(images)).unsqueeze(1)
    return scaled[: args.limit], torch.from_numpy(labels.astype(np.int64))[: args.limit]


@torch.inference_mode()
def accuracy(model: Classifier, images: torch.Tensor, labels: torch.Tensor, batch: int = 1000) -> float:
    """The share of images that the model gives their own class, in [0, 1]."""
    found = [model(part).argmax(dim=1) for part in torch.split(images, batch)]
    return float((torch.cat(found) == labels).float().mean())


def train(model: Classifier, images: torch.Tensor, labels: torch.Tensor, args: argparse.Namespace) -> float:
    """Cross-entropy with label smoothing, random left-right flips, one cosine; returns the last epoch's mean loss."""
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.05)
    per_epoch = len(images) // args.batch
    steps = args.steps or args.epochs * per_epoch
    warmup = min(100, steps)
    losses: list[float] = []
    order = torch.randperm(len(images), generator=generator)
    model.train()
    for step in tqdm(range(steps), mininterval=10.0):
        position = step % per_epoch
        if position == 0:
            order = torch.randperm(len(images), generator=generator)
        indices = order[position * args.batch : (position + 1) * args.batch]
        batch = images[indices]
        flipped = torch.rand(len(batch), 1, 1, 1, generator=generator) < 0.5
        batch = torch.where(flipped, batch.flip(3), batch).contiguous(memory_format=torch.channels_last)
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * cosine * min(1.0, (step + 1) / warmup)
        loss = torch.nn.functional.cross_entropy(model(batch), labels[indices], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    last = losses[-per_epoch:]
    return sum(last) / len(last)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description="Train the Fashion-MNIST classifier.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the weights and training.json")
    parser.add_argument("--data", type=Path, default=fashion_mnist.DEFAULT_FOLDER)
    parser.add_argument("--limit", type=int, help="use this many images only, of either split")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, help="train this many steps instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="its peak")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < options.batch:
        parser.error(f"--limit must be at least --batch, {options.batch}, got {options.limit}")
    if min(options.epochs, options.batch, options.threads, 1 if options.steps is None else options.steps) < 1:
        parser.error("--epochs, --steps, --batch and --threads must be at least 1")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Train, write the weights, measure what was written on the test images and record the run."""
    args = parse(arguments)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model: Classifier = Classifier().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    started = time.perf_counter()
    loss = train(model, *tensors("train", args), args)
    seconds = time.perf_counter() - started
    save_classifier(model, args.out)
    budget = f"--epochs {args.epochs}" if args.steps is None else f"--steps {args.steps}"
    test = tensors("test", args)
    record = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seed": args.seed,
        "wall_clock_seconds": round(seconds, 1),
        "last_epoch_loss": loss,
        "test_accuracy": accuracy(load_classifier(args.out), *test),
        "test_images": len(test[0]),
        "command": f"python bench/quality/train_classifier.py {budget} --seed {args.seed} --batch {args.batch} "
        f"--learning-rate {args.learning_rate:g} --threads {args.threads}",
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
