"""Fit the exact model: a full-covariance Gaussian mixture in Fashion-MNIST's principal components.

Expectation maximization from a k-means++ start.

    python bench/quality/fit_mixture.py --out bench/quality/models/fashion_mnist_mixture
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from tqdm import tqdm

import fashion_mnist
from mixture import Array, GaussianMixture, ImageMixture

ROOT = Path(__file__).parent / "models" / "fashion_mnist_mixture"
FILE = "mixture.npz"
LLOYD_STEPS = 5


def principal_components(images: Array, count: int) -> tuple[Array, Array]:
    """The mean (pixels,) and the `count` leading principal axes (count, pixels) of flat images (n, pixels)."""
    mean = images.mean(axis=0)
    covariance = np.cov(images, rowvar=False)
    _, vectors = np.linalg.eigh(covariance)
    return mean, np.ascontiguousarray(vectors[:, ::-1][:, :count].T)


def start(points: Array, count: int, rng: np.random.Generator) -> Array:
    """Hard responsibilities (n, count) by k-means++ (Arthur and Vassilvitskii 2007) and a few Lloyd steps."""
    centers = points[rng.integers(len(points))][None]
    nearest = _square_distances(points, centers)[:, 0]
    while len(centers) < count:
        chosen = points[rng.choice(len(points), p=nearest / nearest.sum())][None]
        centers = np.concatenate([centers, chosen])
        nearest = np.minimum(nearest, _square_distances(points, chosen)[:, 0])
    for _ in range(LLOYD_STEPS):
        member = _square_distances(points, centers).argmin(axis=1)
        centers = np.stack(
            [points[member == k].mean(axis=0) if np.any(member == k) else centers[k] for k in range(count)]
        )
    member = _square_distances(points, centers).argmin(axis=1)
    hard: Array = np.eye(count)[member]
    return hard


def maximize(points: Array, responsibilities: Array, floor: float) -> GaussianMixture:
    """The mixture of greatest likelihood for these responsibilities, with `floor` added to every variance."""
    d = points.shape[1]
    totals = responsibilities.sum(axis=0) + 10.0 * np.finfo(np.float64).eps
    means = responsibilities.T @ points / totals[:, None]
    covariances = np.empty((len(totals), d, d))
    for k, total in enumerate(totals):
        centred = points - means[k]
        covariances[k] = (responsibilities[:, k, None] * centred).T @ centred / total
    covariances = 0.5 * (covariances + covariances.transpose(0, 2, 1)) + floor * np.eye(d)
    return GaussianMixture(totals / totals.sum(), means, covariances)


def log_joint(mixture: GaussianMixture, points: Array) -> Array:
    """log w_k N(x; k) of clean points (n, d), (n, k)."""
    columns = []
    for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        factor = cholesky(covariance, lower=True)
        whitened = solve_triangular(factor, (points - mean).T, lower=True, check_finite=False)
        determinant = 2.0 * np.log(np.diagonal(factor)).sum()
        squares = np.square(whitened).sum(axis=0)
        columns.append(np.log(weight) - 0.5 * (squares + determinant + mixture.dimensions * np.log(2.0 * np.pi)))
    return np.stack(columns, axis=1)


def fit(
    points: Array, components: int, floor: float, iterations: int, tolerance: float, seed: int
) -> tuple[GaussianMixture, list[float]]:
    """EM until the mean log-likelihood gains less than `tolerance`; the mixture and that history."""
    if len(points) < components:
        raise ValueError(f"components must be at most the {len(points)} points, got {components}")
    mixture = maximize(points, start(points, components, np.random.default_rng(seed)), floor)
    history: list[float] = []
    for _ in tqdm(range(iterations), mininterval=10.0):
        joint = log_joint(mixture, points)
        totals = logsumexp(joint, axis=1)
        history.append(float(totals.mean()))
        if len(history) > 1 and history[-1] - history[-2] < tolerance:
            break
        mixture = maximize(points, np.exp(joint - totals[:, None]), floor)
    return mixture, history


def flat_images(split: fashion_mnist.Split, folder: Path) -> Array:
    """All images of a split, (n, 784) in [-1, 1]."""
    images, _ = fashion_mnist.load(split, folder)
    return fashion_mnist.to_unit_range(images).reshape(len(images), -1).astype(np.float64)


def _square_distances(points: Array, centers: Array) -> Array:
    """Squared distances (n, k), not below 0."""
    products = points @ centers.T
    squares = np.square(points).sum(axis=1)[:, None] - 2.0 * products + np.square(centers).sum(axis=1)
    distances: Array = np.maximum(squares, 0.0)
    return distances


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description="Fit a Gaussian mixture to Fashion-MNIST.")
    parser.add_argument("--out", type=Path, default=ROOT, help="folder for mixture.npz and training.json")
    parser.add_argument("--data", type=Path, default=fashion_mnist.DEFAULT_FOLDER)
    parser.add_argument("--components", type=int, default=60)
    parser.add_argument("--dimensions", type=int, default=64, help="principal components kept")
    parser.add_argument("--floor", type=float, default=1e-2, help="added to every variance, pixels being in [-1, 1]")
    parser.add_argument("--iterations", type=int, default=40, help="of EM, at most")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="gain of mean log-likelihood to go on for")
    parser.add_argument("--limit", type=int, help="use this many images only")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if min(options.components, options.dimensions, options.iterations) < 1 or options.dimensions > 784:
        parser.error("--components, --dimensions (up to 784) and --iterations must be at least 1")
    if not options.floor > 0.0:
        parser.error(f"--floor must be above 0, got {options.floor}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Fit, write the mixture, measure what was written on the test images and record the run."""
    args = parse(arguments)
    started = time.perf_counter()
    images = flat_images("train", args.data)[: args.limit]
    mean, axes = principal_components(images, args.dimensions)
    points = (images - mean) @ axes.T
    fitted, history = fit(points, args.components, args.floor, args.iterations, args.tolerance, args.seed)
    seconds = time.perf_counter() - started
    ImageMixture(fitted, mean, axes).save(args.out / FILE)
    written = ImageMixture.load(args.out / FILE)
    test = flat_images("test", args.data)
    projected = (test - written.mean) @ written.components.T
    residual = test - written.mean - projected @ written.components
    record = {
        "components": args.components,
        "dimensions": args.dimensions,
        "covariance_floor": args.floor,
        "images": len(images),
        "seed": args.seed,
        "iterations": len(history),
        "wall_clock_seconds": round(seconds, 1),
        "log_likelihood_per_image": history[-1],
        "held_out_log_likelihood_per_image": float(written.latent.log_density(projected, 1.0, 0.0).mean()),
        "held_out_variance_kept": 1.0 - float(np.square(residual).sum() / np.square(test - written.mean).sum()),
        "held_out_images": len(test),
        "command": f"python bench/quality/fit_mixture.py --components {args.components} "
        f"--dimensions {args.dimensions} --floor {args.floor:g} --iterations {args.iterations} "
        f"--tolerance {args.tolerance:g} --seed {args.seed}",
    }
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
