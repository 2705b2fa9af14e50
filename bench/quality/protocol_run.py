"""Samples a protocol run's images and turns them into features, shared among processes and resumable.

Images are cut into batches before they are dealt to processes, and a batch that lacks an image is sampled again as a
whole: neither the number of processes nor an interruption changes what is computed together, which rounding depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from accelerate import PartialState

from protocol_fid import Extractor, Features
from protocol_inputs import Job, file_key
from protocol_model import Model
from protocol_store import Pixels, digest, read_image, write_array, write_image

Done = Callable[[], object]
T = TypeVar("T")


@dataclass(frozen=True)
class Set:
    """All images of one solver and schedule, in the folder that their content names."""

    key: str
    jobs: Sequence[Job]
    nfe: int
    guidance_scale: float


@dataclass(frozen=True)
class Worker:
    """One process of a run: its share of the batches, and where the files lie."""

    state: PartialState
    extractor: Extractor
    folder: Path
    batch: int
    keep_images: bool

    def sampled(self, model: Model, images: Set, after_batch: Done) -> None:
        """Make this process's share of a set's features, sampling the images that are not there yet."""
        for batch in self._share(images.jobs):
            path = self._features(images.key, [job.key for job in batch])
            if not path.is_file():
                files = [self.folder / "images" / images.key / f"{job.key}.png" for job in batch]
                self._extract(path, _read_or_sample(model, images, batch, files))
                if not self.keep_images:
                    for file in files:
                        file.unlink()
            after_batch()

    def real(self, paths: Sequence[Path], size: tuple[int, int], after_batch: Done) -> None:
        """Make this process's share of the real images' features."""
        for batch in self._share(paths):
            path = self._features(_real_key(size), [file_key(file) for file in batch])
            if not path.is_file():
                self._extract(path, np.stack([read_image(file, size) for file in batch]))
            after_batch()

    def sampled_features(self, images: Set) -> Features:
        """All features of a finished set, in the order of its jobs."""
        return self._gather(images.key, [[job.key for job in batch] for batch in self._batches(images.jobs)])

    def real_features(self, paths: Sequence[Path], size: tuple[int, int]) -> Features:
        """All features of the real images, in the order of `paths`."""
        return self._gather(_real_key(size), [[file_key(file) for file in batch] for batch in self._batches(paths)])

    def share(self, count: int) -> int:
        """How many batches of `count` images this process has."""
        return len(self._share(range(count)))

    def _batches(self, items: Sequence[T]) -> list[Sequence[T]]:
        return [items[start : start + self.batch] for start in range(0, len(items), self.batch)]

    def _share(self, items: Sequence[T]) -> list[Sequence[T]]:
        return self._batches(items)[self.state.process_index :: self.state.num_processes]

    def _features(self, key: str, names: list[str]) -> Path:
        return self.folder / "features" / key / f"{digest([self.extractor.name, *names])}.npy"

    def _extract(self, path: Path, pixels: Pixels) -> None:
        tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().to(self.state.device)
        with torch.inference_mode():
            features = self.extractor(tensor)
        write_array(path, features.float().cpu().numpy())

    def _gather(self, key: str, batches: list[list[str]]) -> Features:
        return np.concatenate([np.load(self._features(key, names), allow_pickle=False) for names in batches])


def _real_key(size: tuple[int, int]) -> str:
    return f"real_{size[0]}x{size[1]}"


def _read_or_sample(model: Model, images: Set, batch: Sequence[Job], files: list[Path]) -> Pixels:
    if all(file.is_file() for file in files):
        return np.stack([read_image(file) for file in files])
    pixels = model.sample(batch, images.nfe, images.guidance_scale)
    for file, image in zip(files, pixels, strict=True):
        write_image(file, image)
    return pixels
