"""One model with one bank of noise: what a schedule gives there, measured once and kept."""

from __future__ import annotations

import hashlib
import time
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import fashion_mnist
import hso
import models
from classifier import Classifier, load_classifier
from measures import Moments, distances, frechet_distance, kernel_distance, kernel_mean, moments
from run import MANY_STEPS, Images, draw_noise, kept_as, load, many_steps, sample, scheduler_for, solution
from store import Measured, Store, content_key

Features = npt.NDArray[np.float64]

BATCH = 256
MEASURES = ("rmse", "fid_test", "fid_solution", "kid_test", "kid_solution", "seconds_per_image")


def fingerprint(name: str, folder: Path = models.FOLDER) -> str:
    """A digest of a model's files, configurations included."""
    digest = hashlib.sha256()
    for path in sorted((folder / f"fashion_mnist_{name}").rglob("*")):
        if path.is_file() and path.name != "training.json":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def features_of(classifier: Classifier, images: npt.NDArray[np.float32]) -> Features:
    """The classifier's features (n, d) of images (n, 28, 28) in [-1, 1]."""
    parts = np.array_split(images, 1 + len(images) // 512)
    found = torch.cat([classifier.features(torch.from_numpy(part).unsqueeze(1)) for part in parts])
    features: Features = found.double().numpy()
    return features


def test_features(classifier: Classifier) -> Features:
    """Features of the 10,000 test images."""
    images, _ = fashion_mnist.load("test")
    return features_of(classifier, fashion_mnist.to_unit_range(images))


class Subject:
    """A model and `count` starts drawn from `seed`; results go to, and come from, a store.

    Two processes that measure different schedules of the same subject share what both need through
    the store, and get the same numbers as one process.
    """

    def __init__(
        self, name: str, seed: int, count: int, store: Store, *, device: str = "cpu", against: Features | None = None
    ) -> None:
        self.name, self.seed, self.count = name, seed, count
        self.model: Any = load(name, device)
        self.noise = draw_noise(self.model, count, seed).to(device)
        self.store = store
        self._classifier = load_classifier()
        self._against = against
        files = {"model": fingerprint(kept_as(name)), "classifier": fingerprint("classifier")}
        self._recipe = many_steps(self.model.noise)
        # A key names the recipe where it is not the first that there was: what is kept from then stays good.
        recipe = {} if self._recipe == MANY_STEPS else {"recipe": list(self._recipe)}
        self._identity: dict[str, Any] = files | {"seed": seed, "count": count} | recipe

    @cached_property
    def against(self) -> Features:
        """Features of the test set."""
        return test_features(self._classifier) if self._against is None else self._against

    @cached_property
    def solution(self) -> Images:
        """The many-step solution of every start."""
        key = content_key(kind="solution", steps=self._recipe.steps, **self._identity)

        def make() -> Measured:
            return {"images": self._in_batches(lambda noise: solution(self.name, self.model, noise))}

        images: Images = self.store.kept(key, make)["images"]
        return images

    @cached_property
    def solution_features(self) -> Features:
        """Its features."""
        return features_of(self._classifier, self.solution)

    @cached_property
    def _own_moments(self) -> dict[str, Moments]:
        return {"test": moments(self.against), "solution": moments(self.solution_features)}

    @cached_property
    def _own_means(self) -> dict[str, float]:
        return {"test": kernel_mean(self.against), "solution": kernel_mean(self.solution_features)}

    def images(self, solver: str, schedule: hso.Schedule) -> Images:
        """What the schedule gives from every start."""
        return self._in_batches(lambda noise: sample(self.name, self.model, solver, schedule, noise))

    def first_images(self, solver: str, schedule: hso.Schedule, count: int) -> Images:
        """What the schedule gives from the first `count` starts, to be looked at; kept as measurements are."""
        first = self.noise[:count]
        key = content_key(kind="images", first=len(first), **self._parts(solver, schedule))

        def make() -> Measured:
            return {"images": sample(self.name, self.model, solver, schedule, first)}

        images: Images = self.store.kept(key, make)["images"]
        return images

    def check(self, solver: str, schedule: hso.Schedule) -> None:
        """Raise ValueError for a schedule that the scheduler refuses: nodes that have merged, say."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
            # a flow model's gain is none of the scheduler's business
            hso.diffusers.apply(scheduler_for(self.name, solver), schedule.with_gain(1.0))

    def can_run(self, solver: str, schedule: hso.Schedule) -> bool:
        """Whether the scheduler takes it."""
        try:
            self.check(solver, schedule)
        except ValueError:
            return False
        return True

    def measure(self, solver: str, schedule: hso.Schedule) -> Measured:
        """MEASURES of the schedule, "rmse" as one number a start; measured now or found in the store."""
        return self.store.kept(self.key("measured", solver, schedule), lambda: self._measure(solver, schedule))

    def key(self, kind: str, solver: str, schedule: hso.Schedule) -> str:
        """What a result of this kind is kept under. Equal schedules of two names are measured once."""
        return content_key(kind=kind, **self._parts(solver, schedule))

    def _measure(self, solver: str, schedule: hso.Schedule) -> Measured:
        began = time.perf_counter()
        images = self.images(solver, schedule)
        seconds = (time.perf_counter() - began) / self.count
        found = features_of(self._classifier, images)
        measured: Measured = {"rmse": distances(images, self.solution), "seconds_per_image": seconds}
        for against, rival in (("test", self.against), ("solution", self.solution_features)):
            measured[f"fid_{against}"] = frechet_distance(found, rival, own_moments=self._own_moments[against])
            measured[f"kid_{against}"] = kernel_distance(
                found, rival, paired=against == "solution", own_mean=self._own_means[against]
            )
        return measured

    def _parts(self, solver: str, schedule: hso.Schedule) -> dict[str, Any]:
        """All that a result depends on."""
        # A key names the gain where there is one: what is kept from before there were any stays good.
        gain = {} if schedule.gain == 1.0 else {"gain": schedule.gain}
        return {"solver": solver, "sigmas": schedule.sigmas, "timesteps": schedule.timesteps} | gain | self._identity

    def _in_batches(self, make: Any) -> Images:
        return np.concatenate([make(part) for part in torch.split(self.noise, BATCH)])
