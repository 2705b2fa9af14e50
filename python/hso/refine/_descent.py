"""Gradient descent that another set of samples watches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arrays import Array
from ._nodes import Nodes
from ._refined import History

Progress = Callable[[int, float, float], None]
CLIP = 1.0
"""Largest norm of a gradient."""


def descend(
    nodes: Nodes,
    loss_of: Callable[[npt.NDArray[np.intp]], Any],
    judged: Callable[[], float],
    *,
    training: int,
    batch: int,
    steps: int,
    learning_rate: float,
    patience: int,
    seed: int,
    progress: Progress | None,
) -> tuple[tuple[Array, Array | None, float] | None, History]:
    """Moves `nodes` with Adam until `judged` has not fallen for `patience` steps, or `steps` are made.

    `loss_of(indices)` is the loss of some of `training` pairs.

    Returns:
        `nodes.values()` where `judged` was least, None for the start; and the losses.
    """
    import torch

    optimizer = torch.optim.Adam(nodes.parameters, lr=learning_rate)
    random = np.random.default_rng([seed, training])
    least, best, waited = judged(), None, 0
    if not math.isfinite(least):
        raise ValueError(f"loss must be finite at the start, got {least}")
    history = [(math.nan, least)]
    for number in range(1, steps + 1):
        loss = loss_of(np.sort(random.permutation(training)[:batch]))
        gradients = torch.autograd.grad(loss, nodes.parameters)
        if not all(bool(torch.isfinite(value).all()) for value in (loss, *gradients)):
            break  # nothing to follow from here
        for parameter, gradient in zip(nodes.parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(nodes.parameters, CLIP)
        optimizer.step()
        nodes.project()
        history.append((float(loss.detach()), judged()))
        if progress is not None:
            progress(number, *history[-1])
        waited += 1
        if history[-1][1] < least:
            least, best, waited = history[-1][1], nodes.values(), 0
        if waited >= patience:
            break
    train, validation = np.array(history).T
    return best, History(train, validation)
