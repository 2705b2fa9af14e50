"""Samplers made of torch operations, with gradients in nodes and told levels.

In x, as the schedulers have them: x/alpha, in which the steps are simpler, is a million times the noise where flow
models start, too much for float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ._levels import TorchNoise

RefinedSolver: TypeAlias = Literal["ddim", "dpm-solver++", "unipc"]
SOLVERS = ("ddim", "dpm-solver++", "unipc")
FEW_STEPS = 15
"""Below so many, DPM-Solver++(2M) ends with a step of order 1 in diffusers."""


def sample(
    ask: Callable[[Any, int], Any], levels: TorchNoise, lam: Any, x: Any, *, solver: RefinedSolver, ends_at_zero: bool
) -> Any:
    """The sample that a solver makes of x, the noise at the first node.

    DDIM (Song et al. 2021, eq. 12), DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2) or UniPC-2 with B_2 (Zhao et al.
    2023, Algorithm 1), all predicting x0; the orders of the first and last steps are those of diffusers' schedulers.

    Args:
        ask: ask(x, i) -> x0 at node i, called once for each step.
        levels: alpha and sigma.
        lam: (K + 1,), increasing half log-SNR of the nodes; a tensor in float64 on the CPU.
        x: (n, *shape).
        ends_at_zero: whether a last step goes from the last node to sigma 0; else the last node is the end.
    """
    steps = len(lam) - (not ends_at_zero)
    outputs: list[Any] = []
    before, order = x, 0
    for i in range(steps):
        output = ask(x, i)
        if solver == "unipc" and i > 0:
            x = _step(levels, lam, i - 1, before, _corrector(lam, i - 1, outputs, output, order))
        outputs.append(output)
        if ends_at_zero and i == steps - 1:
            return output
        order = _order(solver, i, steps)
        before, x = x, _step(levels, lam, i, x, _predictor(lam, i, outputs, order))
    return x


def _order(solver: RefinedSolver, i: int, steps: int) -> int:
    if solver == "ddim" or i == 0:
        return 1
    last = i == steps - 1
    return 1 if last and (solver == "unipc" or steps < FEW_STEPS) else 2


def _step(levels: TorchNoise, lam: Any, i: int, x: Any, direction: Any) -> Any:
    """From node i to i + 1, with x0 = `direction` on the way."""
    start, end = lam[i], lam[i + 1]
    kept = levels.sigma(end) / levels.sigma(start)
    return kept * x - levels.alpha(end) * (start - end).expm1() * direction


def _predictor(lam: Any, i: int, outputs: list[Any], order: int) -> Any:
    """2M's direction, which is that of UniPC's predictor of order 2 too."""
    if order == 1:
        return outputs[i]
    r = (lam[i] - lam[i - 1]) / (lam[i + 1] - lam[i])
    return outputs[i] + (outputs[i] - outputs[i - 1]) / (2.0 * r)


def _corrector(lam: Any, i: int, outputs: list[Any], end: Any, order: int) -> Any:
    """UniPC's direction from node i to i + 1, given the output at its end."""
    if order == 1:
        return outputs[i] + 0.5 * (end - outputs[i])
    z = lam[i] - lam[i + 1]
    place = (lam[i] - lam[i - 1]) / z
    phi_2 = (z.expm1() - z) / z**2
    phi_3 = (phi_2 - 0.5) / z
    first, second = z * phi_2 / z.expm1(), 2.0 * z * phi_3 / z.expm1()
    weight = (first - second) / (1.0 - place)
    return outputs[i] + weight / place * (outputs[i - 1] - outputs[i]) + (first - weight) * (end - outputs[i])
