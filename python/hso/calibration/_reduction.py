"""From recorded images to a few numbers with the same inner products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import _core
from .._arrays import Array
from ..network import FloatArray
from ..noise_schedule import NoiseSchedule, core_noise
from ._recording import Recording
from ._spline import state_scale

_LEAST_SHARE = 0.05  # of the mean error that a sample is taken to have at least, in its weight
_KEPT = 1e-9  # of the largest eigenvalue: a part in 30,000 of the length
_FLAT = 1e-5  # a probe nearer to the trajectory than this, relative to the state, says nothing
_PROBE_LENGTH = 0.1  # that probes are scaled to, beside images of order 1, so that the smallest are kept as precisely
_BLOCK = 1 << 22  # numbers of a block of rows that are multiplied at once


class Rows:
    """The rows of `_core.ErrorModel`: lambdas, x0, states, eps, probe_lambdas, probe_errors, probe_responses."""

    def __init__(
        self,
        lambdas: Array,
        x0: Array,
        states: Array,
        eps: Array,
        probe_lambdas: Array,
        probe_errors: Array,
        probe_responses: Array,
    ) -> None:
        self.lambdas = lambdas
        self.x0 = x0
        self.states = states
        self.eps = eps
        self.probe_lambdas = probe_lambdas
        self.probe_errors = probe_errors
        self.probe_responses = probe_responses

    def model(self, noise: NoiseSchedule) -> _core.ErrorModel:
        """The error model that is fitted to them; ValueError where they make no sense."""
        return _core.ErrorModel(core_noise(noise), **vars(self))


def sample_weights(recording: Recording) -> Array:
    """Shape (n,): 1 / (a sample's error over the mean error), from all runs.

    What matters is the mean over samples of the error's length; sum w |e|^2 with these weights is its square if
    errors keep their proportions (iteratively reweighted least squares). Unweighted, a few samples on the edge
    between two images, whose errors are many times the others', decide alone.
    """
    shares = np.mean([run.error / max(float(run.error.mean()), 1e-300) for run in recording.runs], axis=0)
    weights: Array = 1.0 / np.maximum(shares, _LEAST_SHARE)
    return weights


def reduced(recording: Recording) -> Rows:
    """Rows of as few numbers as keep all inner products, weighted means over samples and pixels."""
    teacher = recording.teacher
    count, size = teacher.eps.shape
    roots = np.sqrt(sample_weights(recording) / (count * size))
    scales = state_scale(teacher.lambdas)
    lengths = [_length(probe.error, roots) for probe in recording.probes]
    floors = [_FLAT / float(state_scale(probe.lam)) for probe in recording.probes]
    kept = [i for i, (length, floor) in enumerate(zip(lengths, floors, strict=True)) if length > floor]
    probes = [recording.probes[i] for i in kept]
    factors = np.array([_PROBE_LENGTH / lengths[i] for i in kept])
    images: list[tuple[FloatArray, float]] = [(teacher.eps, 1.0)]
    images += [(x0, 1.0) for x0 in teacher.x0]
    images += [(state, float(scale)) for state, scale in zip(teacher.states, scales, strict=True)]
    images += [(probe.error, factor) for probe, factor in zip(probes, factors, strict=True)]
    images += [(probe.response, factor) for probe, factor in zip(probes, factors, strict=True)]
    rows = _coordinates(images, roots)
    nodes, asked = len(teacher.lambdas), len(probes)
    eps, x0, states, errors, responses = np.split(rows, np.cumsum([1, nodes, nodes, asked]))
    return Rows(
        teacher.lambdas,
        x0,
        states / scales[:, None],
        eps[0],
        np.array([probe.lam for probe in probes]),
        errors / factors[:, None],
        responses / factors[:, None],
    )


def _length(image: FloatArray, roots: Array) -> float:
    return float(np.sqrt(np.sum(np.square(image, dtype=np.float64).sum(axis=1) * roots**2)))


def _coordinates(images: list[tuple[FloatArray, float]], roots: Array) -> Array:
    """(images, rank): rows whose inner products are those of the images times their factors."""
    gram = sum(block @ block.T for block in _blocks(images, roots))
    values, vectors = np.linalg.eigh(gram)
    kept = values > _KEPT * values[-1]
    coordinates: Array = vectors[:, kept] * np.sqrt(values[kept])
    return coordinates


def _blocks(images: list[tuple[FloatArray, float]], roots: Array) -> Iterator[Array]:
    size = images[0][0].shape[1]
    width = max(1, _BLOCK // len(images))
    for sample, root in enumerate(roots):
        for first in range(0, size, width):
            part = [
                image[sample, first : first + width].astype(np.float64) * (factor * root) for image, factor in images
            ]
            yield np.stack(part)
