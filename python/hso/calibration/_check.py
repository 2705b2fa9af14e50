"""Whether schedules that were calibrated for a model still fit what has become of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._arrays import Array
from .._multistep import Multistep
from ..network import Network, as_network
from ..noise_schedule import NoiseSchedule
from ._recording import Recording, run_alone
from ._reduction import Rows

SAMPLES = 4
_TOLERANCE = 0.05
_NOTHING = 1e-30  # for a model whose predictions do not change at all


@dataclass(frozen=True)
class Fit:
    """How a model compares with the one that a profile was made of.

    Attributes:
        changed: How differently its x0-prediction moves from node to node of one run: RMS of the differences,
            relative to the movements. 0 for the same model. Images may be wholly different and a schedule still fit.
        loss: What the old schedule is estimated to cost, relative to the best one. A step's error goes as the square of
            its length times a weight, and the old schedule made it the same in all K steps. Where predictions move
            rho_k times as far in step k as before, its error is rho_k times the old one; moving the nodes would bring
            the sum of the errors from sum rho down to (sum sqrt(rho))^2 / K.
        fits: Whether the loss is at most 5 %.
        evaluations: Network evaluations that this took.
    """

    changed: float
    loss: float
    fits: bool
    evaluations: int


@dataclass(frozen=True, eq=False)
class Signature:
    """What a profile remembers of the model to compare another with.

    Attributes:
        fingerprint: a digest of all that was measured.
        lambdas: nodes of a run.
        changes: (nodes - 1, samples), how far the x0-prediction moved from node to node (RMS), for the first samples.
    """

    fingerprint: str
    lambdas: Array
    changes: Array

    @classmethod
    def of(cls, rows: Rows, recording: Recording) -> Signature:
        """From a calibration's answers; the run is the longest of HSO's own schedules."""
        digest = hashlib.sha256()
        for row in vars(rows).values():
            digest.update(np.ascontiguousarray(row, dtype=np.float32).tobytes())
        run = max(recording.runs, key=lambda each: len(each.lambdas))
        return cls(digest.hexdigest()[:16], run.lambdas, run.changes[:, :SAMPLES])


def check(
    signature: Signature,
    noise: NoiseSchedule,
    multistep: Multistep,
    seed: int,
    source: Any,
    options: Mapping[str, Any],
) -> Fit:
    """The signature's run with the model that `source` is now, on the same noise."""
    network = as_network(source, None if isinstance(source, Network) else noise, **options)
    if network.noise != noise:
        raise ValueError(f"source must have the noise schedule {noise.fingerprint}, got {network.noise.fingerprint}")
    before = network.evaluations
    program = run_alone(noise, signature.lambdas, multistep)
    now = np.concatenate(network.run(program, signature.changes.shape[1], seed), axis=1)
    changed = np.linalg.norm(now - signature.changes) / (np.linalg.norm(signature.changes) + _NOTHING)
    ratios = np.sqrt((np.mean(now**2, axis=1) + _NOTHING) / (np.mean(signature.changes**2, axis=1) + _NOTHING))
    loss = len(ratios) * float(ratios.sum()) / float(np.sqrt(ratios).sum()) ** 2 - 1.0
    return Fit(float(changed), loss, loss <= _TOLERANCE, network.evaluations - before)
