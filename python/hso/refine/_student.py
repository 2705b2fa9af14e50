"""The few-step sampler that is differentiated, and the many-step one that it is held against."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import as_integer
from ..noise_schedule import NoiseSchedule
from ..schedules import uniform_lambda
from ._levels import TorchNoise
from ._nodes import Nodes
from ._sampler import RefinedSolver, sample
from ._start import Start


def takes_told(denoise: Callable[..., Any]) -> bool:
    """Whether the function has a parameter `told`: any other third one may be something else."""
    try:
        return "told" in inspect.signature(denoise).parameters
    except (TypeError, ValueError):
        return False


class Asked:
    """A denoise function that counts the samples it is given and, for gradients, keeps no activations."""

    def __init__(self, denoise: Callable[..., Any], *, recompute: bool) -> None:
        self.samples = 0
        self._denoise = denoise
        self._takes_told = takes_told(denoise)
        self._recompute = recompute

    def __call__(self, x: Any, lam: Any, told: Any = None) -> Any:
        """x0 (n, *shape) at `lam`, where the network is told `told` if it can be, or `lam`."""
        import torch
        from torch.utils.checkpoint import checkpoint

        if self._recompute and torch.is_grad_enabled():
            return checkpoint(self._call, x, lam, told, use_reentrant=False)
        return self._call(x, lam, told)

    def _call(self, x: Any, lam: Any, told: Any) -> Any:
        self.samples += len(x)
        x0 = self._denoise(x, lam, told=lam if told is None else told) if self._takes_told else self._denoise(x, lam)
        if getattr(x0, "shape", None) != x.shape:
            shape = getattr(x0, "shape", None)
            raise ValueError(
                f"denoise must give a tensor of shape {tuple(x.shape)}, got {type(x0).__name__} of {shape}"
            )
        return x0


class Student:
    """The few-step sampler as a function of its nodes."""

    def __init__(self, asked: Asked, start: Start, nodes: Nodes, solver: RefinedSolver) -> None:
        self._asked = asked
        self._levels = TorchNoise(start.noise)
        self._nodes = nodes
        self._solver = solver
        self._ends_at_zero = start.terminal == "zero"

    def __call__(self, eps: Any) -> Any:
        """Samples (n, *shape) from unit noise."""
        lam = self._nodes.lambdas()
        told = self._nodes.told(lam)

        def ask(x: Any, i: int) -> Any:
            return self._asked(x, lam[i], None if told is None else told[i])

        x = self._nodes.gain() * initial(self._levels, eps, lam[0])
        return sample(ask, self._levels, lam, x, solver=self._solver, ends_at_zero=self._ends_at_zero)

    def check_gradient(self, eps: Any) -> None:
        """Raise ValueError if the network's answer has no gradient in its input or in what moves its noise level."""
        import torch

        with torch.enable_grad():
            lam = self._nodes.lambdas().detach()[0].requires_grad_()
            told = None if self._nodes.told(self._nodes.lambdas()) is None else lam.detach().clone().requires_grad_()
            x = initial(self._levels, eps, lam.detach()).detach().requires_grad_()
            x0 = self._asked(x, lam, told)
            name, level = ("lam", lam) if told is None else ("told", told)
            found = torch.autograd.grad(x0.sum(), (x, level), allow_unused=True) if x0.requires_grad else (None, None)
        for argument, gradient in zip(("x", name), found, strict=True):
            if gradient is None:
                raise ValueError(
                    f"denoise must have a gradient in {argument}: make it of torch operations, without no_grad, and "
                    "noise levels of hso.refine.TorchNoise"
                )


def initial(levels: TorchNoise, eps: Any, lam: Any) -> Any:
    """Where sampling starts from unit noise: sigma eps for VE, else eps itself, as pipelines do."""
    return levels.sigma(lam) * eps if levels.noise.family == "ve" else eps


def unit_noise(count: int, shape: Sequence[int], seed: int, device: Any, dtype: Any) -> Any:
    """(count, *shape); sample i depends on the seed and i alone."""
    import torch

    sizes = tuple(as_integer(f"shape[{i}]", size, least=1) for i, size in enumerate(shape))
    kind = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        raise ValueError(f"dtype must be a floating-point torch.dtype or its name, got {dtype!r}")
    eps = np.stack([np.random.default_rng([seed, i]).standard_normal(sizes) for i in range(count)])
    return torch.from_numpy(eps).to(dtype=kind).to(device)


def taught(asked: Asked, noise: NoiseSchedule, eps: Any, teacher: int | Callable[[Any], Any], batch: int) -> Any:
    """What the teacher makes of unit noise (n, *shape)."""
    import torch

    make = teacher if callable(teacher) else _many_steps(asked, noise, as_integer("teacher", teacher, least=2))
    with torch.no_grad():
        samples = torch.cat([make(part) for part in eps.split(batch)])
    if samples.shape != eps.shape:
        raise ValueError(f"teacher must give shape {tuple(eps.shape)}, got {tuple(samples.shape)}")
    if not bool(torch.isfinite(samples).all()):
        raise ValueError("teacher gave NaN or infinity")
    return samples


def _many_steps(asked: Asked, noise: NoiseSchedule, steps: int) -> Callable[[Any], Any]:
    import torch

    levels = TorchNoise(noise)
    lam = torch.from_numpy(np.array(uniform_lambda(noise, steps).lambdas[:-1]))

    def run(eps: Any) -> Any:
        x = initial(levels, eps, lam[0])
        return sample(lambda x, i: asked(x, lam[i]), levels, lam, x, solver="dpm-solver++", ends_at_zero=True)

    return run


def as_loss(loss: str | Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The loss function; "l2" is the mean over samples of the root mean square difference."""
    if callable(loss):
        return loss
    if loss != "l2":
        raise ValueError(f"loss must be 'l2' or a function (student, teacher), got {loss!r}")
    return _l2


def _l2(student: Any, teacher: Any) -> Any:
    squares = (student - teacher).flatten(1).square().mean(1)
    return (squares + 1e-24).sqrt().mean()  # the root has no derivative at 0
