"""Schedules calibrated for one solver and run with another, or for one model and run on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import hso
from calibration_counts import Counts
from calibration_errors import means, subjects_of
from calibration_source import SEED, Source, optimized
from mixture import GaussianMixture, ImageMixture
from models import MixtureModel

Row = dict[str, Any]
Denoise = Callable[[torch.Tensor, float], torch.Tensor]


def mismatch_rows(source: Source, counts: Counts) -> list[Row]:
    """Schedules calibrated for one solver, run with another."""
    subjects = subjects_of(source, counts)
    found = []
    nfe = _nfe(counts)
    for calibrated in counts.solvers:
        made = optimized(source.calibrated(calibrated, counts.uses_budget, SEED), nfe)
        for solver in counts.solvers:
            for n in nfe:
                ours = hso.optimize(source.noise, n, gap=None)
                cell = {"model": source.name, "calibrated": calibrated, "solver": solver, "nfe": n}
                found.append(
                    cell
                    | {"rmse": means(subjects, solver, made.schedules[n])["rmse"]}
                    | {"rmse_hso": means(subjects, solver, ours)["rmse"]}
                )
    return found


def transfer_rows(source: Source, counts: Counts) -> list[Row]:
    """Schedules of a model that is another than the one they are run with, beside what `Profile.check` says of it.

    The others: half of the mixture's components, the whole at a temperature (its components' spread times a factor),
    and for a network its prediction scaled.
    """
    subjects = subjects_of(source, counts)
    nfe = _nfe(counts)
    found = []
    for solver in counts.solvers:
        own = source.calibrated(solver, counts.uses_budget, SEED)
        fitting = optimized(own, nfe).schedules
        for name, denoise in _others(source).items():
            other = source.calibrated(solver, counts.uses_budget, SEED, denoise=denoise, other=name)
            fit = other.profile.check(source.model.denoise, **source.options)
            for n, schedule in optimized(other, nfe).schedules.items():
                ours = hso.optimize(source.noise, n, gap=None)
                row = {"model": source.name, "solver": solver, "nfe": n, "calibrated_on": name}
                row |= {"rmse": means(subjects, solver, schedule)["rmse"]}
                row |= {"rmse_own": means(subjects, solver, fitting[n])["rmse"]}
                row |= {"rmse_hso": means(subjects, solver, ours)["rmse"]}
                found.append(row | {"changed": fit.changed, "loss": fit.loss, "fits": fit.fits})
    return found


def _nfe(counts: Counts) -> list[int]:
    shown = [nfe for nfe in counts.nfe if nfe in (5, 8)]
    return shown or list(counts.nfe)


def _others(source: Source) -> dict[str, Denoise]:
    """Models like the source's, by name."""
    model = source.model
    if isinstance(model, MixtureModel):
        latent = model.mixture.latent
        half = len(latent.weights) // 2
        made = {f"{name} half of the components": _part(latent, part) for name, part in _halves(half).items()}
        for factor in (0.8, 1.25):
            made[f"spread times {factor}"] = GaussianMixture(
                latent.weights, latent.means, factor**2 * latent.covariances
            )
        return {name: _image_mixture(model, each) for name, each in made.items()}
    found: dict[str, Denoise] = {}
    for factor in (0.9, 1.1):

        def denoise(x: torch.Tensor, level: float, factor: float = factor) -> torch.Tensor:
            x0: torch.Tensor = factor * model.denoise(x, level)
            return x0

        found[f"prediction times {factor}"] = denoise
    return found


def _halves(half: int) -> dict[str, slice]:
    return {"first": slice(None, half), "second": slice(half, None)}


def _part(latent: GaussianMixture, part: slice) -> GaussianMixture:
    weights = latent.weights[part]
    return GaussianMixture(weights / weights.sum(), latent.means[part], latent.covariances[part])


def _image_mixture(model: MixtureModel, latent: GaussianMixture) -> Denoise:
    images = ImageMixture(latent, model.mixture.mean, model.mixture.components)
    return MixtureModel(images, model.noise).denoise
