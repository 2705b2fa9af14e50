"""Refinement towards what many steps give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_integer, as_positive, one_of
from ..noise_schedule import NoiseSchedule
from ..schedule import Schedule
from ._descent import Progress, descend
from ._nodes import Nodes
from ._refined import Refined
from ._sampler import SOLVERS, RefinedSolver
from ._start import as_start
from ._student import Asked, Student, as_loss, takes_told, taught, unit_noise


def against_teacher(
    denoise: Callable[..., Any],
    schedule: Schedule,
    noise: NoiseSchedule,
    *,
    shape: Sequence[int],
    solver: RefinedSolver = "dpm-solver++",
    teacher: int | Callable[[Any], Any] = 100,
    pairs: int = 64,
    validation: float = 0.25,
    steps: int = 100,
    learning_rate: float = 0.02,
    patience: int = 25,
    batch: int | None = None,
    decouple: bool | None = None,
    free_ends: bool = True,
    gain: bool = False,
    lambda_range: tuple[float, float] | None = None,
    loss: str | Callable[[Any, Any], Any] = "l2",
    recompute: bool = True,
    seed: int = 0,
    device: Any = "cpu",
    dtype: Any = "float32",
    progress: Progress | None = None,
) -> Refined:
    """Moves a schedule's nodes down the gradient of the distance to the samples of many steps (needs torch).

    After LD3 (Tong et al., ICLR 2025, 2405.15506): pairs of noise and the teacher's sample are made once, the student
    is the few-step solver, the loss is differentiated through it, and the network may be told other noise levels than
    its input has. Adam on logits of gaps in lambda; nodes keep 0.02 in lambda, or half the start's least gap. Part of
    the pairs only judges: what was best on them is kept, and where nothing beats the start, that is returned.

    Args:
        denoise: denoise(x, lam) -> x0 or denoise(x, lam, told) -> x0: torch tensors (n, *shape) on `device`; lam and
            told are float64 tensors of no dimensions on the CPU, and gradients must pass through x, lam and told (see
            `TorchNoise`, and `denoiser`, which makes one of a network). Turn the gradients of its own weights off.
        schedule: where to start: 2 nodes or more; of terminal "skip" the result has "zero". Its gain is kept.
        noise: the noise schedule that it was made for.
        shape: of one sample.
        solver: the one that will run it: "ddim" (Euler), "dpm-solver++" (2M) or "unipc" (order 2, bh2).
        teacher: steps of the teacher, DPM-Solver++(2M) uniform in lambda over all noise levels and on to sigma 0; or a
            function from unit noise (n, *shape) to samples. With terminal "t_min" the student's last x, noise and all,
            is held against them.
        pairs: of noise and sample, 2 or more.
        validation: share of the pairs that judges, above 0 and below 1; at least one pair is on either side.
        steps: of the optimizer, at most.
        learning_rate: of Adam.
        patience: steps without a better validation loss after which it ends.
        batch: pairs for each step, and the most that the network gets at once; None: all of them.
        decouple: whether told levels move too, each by at most half of the smaller gap beside it, not those of the
            first and last node. None: if denoise has a parameter `told`. To hand such a schedule to a scheduler, give
            `hso.diffusers.apply` a tolerance as large as the shifts.
        free_ends: whether the first and the last node move, within `lambda_range`.
        gain: whether the factor on the initial noise is refined too.
        lambda_range: where nodes may lie; the noise schedule's range if None.
        loss: "l2" (the mean over samples of the root mean square difference), or a function (student, teacher), tensors
            (n, *shape), to a tensor of no dimensions, a mean over samples.
        recompute: keep no activations of the network but compute them again going back: memory of one network call
            for about a third more time.
        seed: of the noise (sample i's depends on seed and i alone) and of batches.
        device: of the samples.
        dtype: of the samples: "float32", "float64" or another floating-point torch type.
        progress: called after every step with its number, the loss and the validation loss.

    Raises:
        ValueError: an argument is impossible, denoise has no gradient in lam, or the start's loss is not finite.
        ImportError: torch is missing.
    """
    import torch

    one_of("solver", solver, SOLVERS)
    start = as_start(schedule, noise, lambda_range)
    count = as_integer("pairs", pairs, least=2)
    share = as_positive("validation", validation)
    if not share < 1.0:
        raise ValueError(f"validation must be below 1, got {validation}")
    training = count - min(max(1, round(share * count)), count - 1)
    size = count if batch is None else as_integer("batch", batch, least=1)
    decoupled = takes_told(denoise) if decouple is None else decouple
    if decoupled and not takes_told(denoise):
        raise ValueError("decouple=True needs a denoise(x, lam, told) with a parameter of that name")
    steps, patience = as_integer("steps", steps, least=0), as_integer("patience", patience, least=1)
    rate, seed = as_positive("learning_rate", learning_rate), as_integer("seed", seed, least=0)

    compare = as_loss(loss)
    asked = Asked(denoise, recompute=recompute)
    eps = unit_noise(count, shape, seed, device, dtype)
    nodes = Nodes(start, free_ends=free_ends, decouple=decoupled, gain=gain)
    student = Student(asked, start, nodes, solver)
    student.check_gradient(eps[:1])
    samples = taught(asked, noise, eps, teacher, size)

    def loss_of(part: npt.NDArray[np.intp]) -> Any:
        indices = torch.from_numpy(part).to(eps.device)
        return compare(student(eps[indices]), samples[indices])

    def judged() -> float:
        judges = np.arange(training, count)
        with torch.no_grad():
            parts = [judges[first : first + size] for first in range(0, judges.size, size)]
            return sum(float(loss_of(part)) * part.size for part in parts) / judges.size

    best, history = descend(
        nodes,
        loss_of,
        judged,
        training=training,
        batch=size,
        steps=steps,
        learning_rate=rate,
        patience=patience,
        seed=seed,
        progress=progress,
    )
    if best is None:
        return Refined(schedule, None, history, asked.samples)
    lambdas, told, factor = best
    told = None if told is None else told[: schedule.steps]
    made = start.moved(lambdas, gain=factor if gain else schedule.gain, solver=solver, told=told)
    return Refined(made, told, history, asked.samples)
