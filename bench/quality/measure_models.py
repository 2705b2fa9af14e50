"""Measure how good the models' own samples are, and put that into their training.json.

The Frechet distance in the classifier's features of a model's many-step samples to the test images
says what is the model's own share in the distance of every few-step sample.

    python bench/quality/measure_models.py --models flow latent --samples 2000 --steps 50
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import models
from classifier import load_classifier
from measures import frechet_distance
from run import draw_noise, solution
from subject import features_of, test_features

BATCH = 250


def many_step_distance(name: str, samples: int, steps: int, seed: int, device: str = "cpu") -> dict[str, Any]:
    """The distance of the model's solutions from `samples` starts, and what it was measured with."""
    model = models.load(name, device=device)
    noise = draw_noise(model, samples, seed).to(device)
    parts = [
        solution(name, model, part, steps) for part in tqdm(torch.split(noise, BATCH), desc=name, mininterval=10.0)
    ]
    classifier = load_classifier()
    real = test_features(classifier)
    distance = frechet_distance(features_of(classifier, np.concatenate(parts)), real)
    return {"frechet_distance": distance, "samples": samples, "steps": steps, "seed": seed, "real_images": len(real)}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description="Measure the models' many-step samples.")
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=list(models.NAMES))
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    if options.samples < 2 or options.steps < 2 or options.threads < 1:
        parser.error("--samples and --steps must be at least 2, --threads at least 1")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure one model after another; what is measured is kept when a later one fails."""
    args = parse(arguments)
    torch.set_num_threads(args.threads)
    for name in args.models:
        found = many_step_distance(name, args.samples, args.steps, args.seed, args.device)
        path: Path = models.FOLDER / f"fashion_mnist_{name}" / "training.json"
        record = json.loads(path.read_text())
        record["many_step_samples"] = found
        path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
