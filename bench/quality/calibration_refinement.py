"""What gradients through the sampler add to calibrated schedules."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import hso
from calibration_counts import Counts
from calibration_errors import means, subjects_of
from calibration_source import SEED, SOLVERS, Source, optimized
from mixture import ImageMixture
from store import Measured

Row = dict[str, Any]


def rows(source: Source, counts: Counts) -> list[Row]:
    """What gradients through the sampler add to HSO's and to calibrated schedules."""
    subjects = subjects_of(source, counts)
    found = []
    for solver in counts.solvers:
        calibrated = optimized(source.calibrated(solver, counts.uses_budget, SEED), counts.nfe).schedules
        for nfe in counts.nfe[:2]:
            for name, start in (("HSO", hso.optimize(source.noise, nfe, gap=None)), ("calibrated", calibrated[nfe])):
                refined = _refined(source, counts, solver, start)
                t, seconds, evaluations = refined["t"], refined["seconds"], refined["evaluations"]
                schedule = hso.Schedule.from_nodes(source.noise, t, search="refined")
                cell = {"model": source.name, "solver": solver, "nfe": nfe, "start": name}
                found.append(
                    cell
                    | {"rmse_start": means(subjects, solver, start)["rmse"]}
                    | {"rmse": means(subjects, solver, schedule)["rmse"]}
                    | {"seconds": seconds, "evaluations": evaluations}
                )
    return found


def _refined(source: Source, counts: Counts, solver: str, start: hso.Schedule) -> Measured:
    solver_name: Any = SOLVERS[solver][0]

    def make() -> dict[str, Any]:
        began = time.perf_counter()
        options: dict[str, Any] = {"pairs": counts.refine_pairs, "steps": counts.refine_steps, "seed": SEED}
        options |= {"shape": source.model.shape, "solver": solver_name, "batch": min(counts.refine_pairs, 16)}
        denoise = differentiable(source)
        refined = hso.refine.against_teacher(denoise, start, source.noise, **options)
        seconds = time.perf_counter() - began
        return {"t": refined.schedule.t[:-1], "seconds": seconds, "evaluations": refined.evaluations}

    parts = {"pairs": counts.refine_pairs, "steps": counts.refine_steps, "solver": solver_name, "start": start.t}
    return source.kept("refined", "refine", make, **parts)


def differentiable(source: Source) -> Callable[[Any, Any], Any]:
    """The model's x0-prediction with gradients in x and in lambda."""
    if source.name in ("mixture", "edm"):
        return _torch_mixture(source.model.mixture, hso.refine.TorchNoise(source.noise))
    unet = source.model.pipeline.unet.requires_grad_(False)
    prediction = "flow_prediction" if source.model.predicts_velocity else "epsilon"
    made: Callable[[Any, Any], Any] = hso.refine.denoiser(
        lambda x, t: unet(x, t).sample, source.noise, prediction=prediction
    )
    return made


def _torch_mixture(mixture: ImageMixture, levels: hso.refine.TorchNoise) -> Callable[[Any, Any], Any]:
    latent = mixture.latent
    variances, axes = (torch.from_numpy(each) for each in np.linalg.eigh(latent.covariances))
    weights, means = torch.from_numpy(latent.weights), torch.from_numpy(latent.means)
    mean, components = torch.from_numpy(mixture.mean), torch.from_numpy(mixture.components)

    def denoise(x: Any, lam: Any) -> Any:
        alpha, sigma = levels.alpha(lam), levels.sigma(lam)
        z = (x.flatten(1).double() - alpha * mean) @ components.T
        noisy = alpha**2 * variances + sigma**2
        turned = torch.einsum("knd,kde->kne", z - alpha * means[:, None], axes)
        squares = (turned**2 / noisy[:, None]).sum(-1)
        shares = torch.softmax(weights.log() - 0.5 * (squares.T + noisy.log().sum(1)), dim=1)
        moved = torch.einsum("kne,kde->knd", turned * (alpha * variances / noisy)[:, None], axes)
        x0 = torch.einsum("nk,knd->nd", shares, means[:, None] + moved)
        return (mean + x0 @ components).view(x.shape).to(x.dtype)

    return denoise
