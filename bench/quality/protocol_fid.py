"""Frechet Inception distance by torchmetrics, from features that any extractor may have made."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

Features = npt.NDArray[np.float32]
"""(n, d)."""


class Extractor(Protocol):
    """Images (n, 3, height, width), uint8, to features (n, d); `name` tells its features from another's."""

    name: str

    def __call__(self, images: torch.Tensor) -> torch.Tensor: ...


class Inception:
    """The 2048 pooled features of FID's own Inception, with its own resizing (needs torchmetrics[image]).

    The weights are downloaded once, unless `weights` names torch-fidelity's file of them.
    """

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        if weights is not None and not weights.is_file():
            raise ValueError(f"Inception's weights {weights} do not exist")
        missing = [name for name in ("torchmetrics", "torch_fidelity") if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(f"Inception's features need {' and '.join(missing)}: pip install 'torchmetrics[image]'")
        module = importlib.import_module("torchmetrics.image.fid")
        # antialias=False is the resizing of the original FID, which published numbers have
        self._network: Any = module.NoTrainInceptionV3(
            "inception-v3-compat", ["2048"], None if weights is None else str(weights), antialias=False
        ).to(device)
        self.name = "inception-v3-compat 2048"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self._network(images)
        return features


class _Given(torch.nn.Module):
    """Stands where torchmetrics has its network, and passes finished features on."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.num_features = dimension

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def frechet_distance(real: Features, sampled: Features) -> float:
    """FID in float64 of two sets of features, (n, d) and (m, d), at least two of each."""
    for name, values in (("real", real), ("sampled", sampled)):
        if values.ndim != 2 or len(values) < 2 or values.shape[1] != real.shape[1]:
            raise ValueError(f"{name} features must be (n, d) with n >= 2 and d alike, got {values.shape}")
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} features must be finite")
    try:
        module = importlib.import_module("torchmetrics.image.fid")
    except ModuleNotFoundError as error:
        raise ValueError("FID needs torchmetrics: pip install 'torchmetrics[image]'") from error
    # one process has all features and computes alone; by default it would wait for the others' shares
    metric = module.FrechetInceptionDistance(feature=_Given(real.shape[1]), sync_on_compute=False)
    metric.update(torch.from_numpy(real.astype(np.float64)), real=True)
    metric.update(torch.from_numpy(sampled.astype(np.float64)), real=False)
    return float(metric.compute())
