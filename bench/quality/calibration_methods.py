"""The schedules that are compared with calibrated ones: what else can be made of a model's answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import fashion_mnist
import hso
from calibration_source import SEED, Made, Source
from hso import objectives, oss, trajectories

Array = npt.NDArray[np.float64]
Schedules = dict[int, hso.Schedule]

_IMAGES = 1000  # of the training set, for its covariance


def analytic(noise: hso.NoiseSchedule, nfe: Sequence[int]) -> dict[str, Schedules]:
    """MEP's limit, between the noise schedule's ends and HSO's; the rest is in the lab's catalogue."""
    return _with_both_ends("MEP limit", noise, nfe, lambda n, **ends: objectives.mep_limit(noise, n, **ends))


def from_trajectories(source: Source, nfe: Sequence[int], budget: int) -> dict[str, Made]:
    """The cheapest chains of one-step errors on a teacher's trajectories: GITS, BOSS, squared VE jumps."""

    @cache
    def taught() -> trajectories.Trajectories:
        return trajectories.teacher(source.network(), count=budget // trajectories.NODES, seed=SEED)

    def chains(start: Any) -> dict[str, Callable[[], list[hso.Schedule]]]:
        many = list(nfe)
        return {
            "GITS": lambda: objectives.gits(taught(), many, start=start),
            "BOSS": lambda: objectives.boss(taught(), many, start=start),
            "VE jumps, squares": lambda: objectives.ve_jump(taught(), many, norm="squares", start=start),
        }

    found = {}
    for start in ("fixed", "free"):
        for name, make in chains(start).items():
            full = f"{name}, {start} start"

            def run(make: Callable[[], list[hso.Schedule]] = make) -> tuple[Schedules, int]:
                schedules = make()
                return dict(zip(nfe, schedules, strict=True)), trajectories.NODES * len(taught().eps)

            found[full] = source.made(full, "objectives", run, nfe=list(nfe), budget=budget)
    return found


def statistics(source: Source, count: int) -> tuple[objectives.Statistics, float]:
    """Of the network on its own samples, and the seconds that they took."""

    def make() -> dict[str, Any]:
        began = time.perf_counter()
        found = objectives.measure(source.network(), count=count, seed=SEED)
        names = ("lambdas", "mmse", "fisher", "evaluations")
        return {name: getattr(found, name) for name in names} | {"seconds": time.perf_counter() - began}

    kept = source.kept("timed statistics", "objectives", make, count=count)
    seconds = kept.pop("seconds")
    return objectives.Statistics(**kept | {"evaluations": int(kept["evaluations"])}), seconds


def from_statistics(source: Source, nfe: Sequence[int], count: int) -> dict[str, Made]:
    """KLUB, entropic and score-optimal schedules, between the noise schedule's ends and HSO's."""
    measured, seconds = statistics(source, count)
    noise = source.noise
    makers: dict[str, Callable[..., Any]] = {
        "KLUB": objectives.klub,
        "entropic, rescaled": lambda *args, **ends: objectives.entropic(*args, rescaled=True, **ends),
        "score-optimal": objectives.score_optimal,
    }
    found: dict[str, Made] = {}
    for name, maker in makers.items():
        both = _with_both_ends(name, noise, nfe, lambda n, maker=maker, **ends: maker(measured, noise, n, **ends))
        found |= {each: Made(schedules, measured.evaluations, seconds) for each, schedules in both.items()}
    return found


def spectral(source: Source, nfe: Sequence[int], solver: str) -> dict[str, Made]:
    """Those of Gaussian data with the training images' covariance; for second-order solvers also by 2M's steps."""
    variances, energy = covariance(source)
    names = {"spectral": "ddim"} | ({} if solver in ("DDIM", "Euler") else {"spectral, 2M": "dpm-solver++"})
    found = {}
    for name, steps in names.items():

        def run(steps: Any = steps) -> tuple[Schedules, int]:
            made = objectives.spectral(source.noise, list(nfe), variances, mean_energy=energy, solver=steps)
            return dict(zip(nfe, made, strict=True)), 0

        found[name] = source.made(name, "objectives", run, nfe=list(nfe))
    return found


def covariance(source: Source) -> tuple[Array, Array]:
    """Eigenvalues of the training images' covariance, and their mean's energy along each eigenvector."""

    def make() -> dict[str, Any]:
        images, _ = fashion_mnist.load("train")
        import torch

        pixels = torch.from_numpy(fashion_mnist.to_unit_range(images[:_IMAGES])).unsqueeze(1)
        with torch.no_grad():
            data = source.model.encode(pixels.to(source.model.dtype)).flatten(1).double().cpu().numpy()
        mean = data.mean(axis=0)
        _, spread, axes = np.linalg.svd(data - mean, full_matrices=False)
        return {"variances": spread**2 / (len(data) - 1), "energy": (axes @ mean) ** 2}

    kept = source.kept("covariance", "objectives", make)
    return kept["variances"], kept["energy"]


def distilled(source: Source, nfe: Sequence[int], *, count: int, steps: int, combine: Any) -> Made:
    """Optimal stepsize distillation, order 1."""

    def run() -> tuple[Schedules, int]:
        found = oss.distill(
            source.network(), nfe=max(nfe), count=count, teacher_steps=steps, combine=combine, seed=SEED
        )
        return {n: found.schedule(n) for n in nfe}, found.evaluations

    return source.made("OSS", "oss", run, nfe=list(nfe), count=count, steps=steps, combine=combine)


def teacher_steps(budget: int, count: int, most: int) -> int:
    """The teacher's steps M with which a distillation of up to `most` steps stays within a budget.

    A sample takes 2 M - 1 evaluations, and M - k for each k = 1..most - 1.
    """
    return (budget // count + 1 + most * (most - 1) // 2) // (most + 1)


def _with_both_ends(
    name: str, noise: hso.NoiseSchedule, nfe: Sequence[int], make: Callable[..., hso.Schedule]
) -> dict[str, Schedules]:
    """make(nfe) and, between HSO's ends, make(nfe, t_min=, t_max=)."""
    own, ours = {}, {}
    for n in nfe:
        ends = hso.optimize(noise, n, gap=None).psi
        own[n] = make(n)
        ours[n] = make(n, t_min=ends.t_min, t_max=ends.t_max)
    return {name: own, f"{name}, HSO's ends": ours}
