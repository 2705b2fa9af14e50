"""Calibration: schedules from the model itself.

    profile = hso.calibrate(denoise, noise, solver="ddim", shape=(64,), budget=1024)
    schedule = hso.optimize(profile, nfe=5)

A few teacher trajectories and some questions beside them tell how a solver's error depends on the schedule; after
that no network is called: docs/calibration.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._multistep import Multistep
from ..checks import as_integer
from ..network import Program, as_network
from ..noise_schedule import NoiseSchedule
from ._check import Fit, Signature
from ._plan import plan
from ._profile import Profile
from ._progress import reported, reporting
from ._recording import Recording, joined, more_runs, recording
from ._reduction import reduced

__all__ = ["Fit", "Profile", "calibrate"]


def calibrate(
    source: Any,
    noise: NoiseSchedule | None = None,
    *,
    solver: str = "ddim",
    order: int | None = None,
    shape: Sequence[int] | None = None,
    budget: int | None = None,
    seed: int = 0,
    device: Any = None,
    dtype: Any = None,
    batch: int | None = None,
    call: Mapping[str, Any] | None = None,
    progress: bool | Callable[[int, int], object] = False,
) -> Profile:
    """Measures a model, so that `hso.optimize(profile, nfe)` finds schedules for it and one solver.

    Args:
        source: A function denoise(x, lam) -> x0, the prediction for x = alpha x0 + sigma eps, (n, *shape), at half
            log-SNR lam; or a diffusers pipeline.
        noise: The noise schedule; needed for a function. A pipeline's is read from its scheduler.
        solver: "ddim" ("euler" is the same), "dpm-solver++" or "unipc".
        order: Of the solver; default 2 for the last two.
        shape: Of one sample, for a function.
        budget: Network evaluations of single samples, at most; at least some 300. Default: 1024 for solvers of order 1,
            which serve them, and 8192 for the others, for which 1024 are too few and more are better still.
        seed: Of the noise.
        device: For a function that wants torch tensors: where.
        dtype: Of these; default float32.
        batch: The most samples in one call, see `hso.network.as_network`. Where memory runs out smaller ones are tried.
        call: What a pipeline is called with: prompt=, guidance_scale=, height=, ...
        progress: True for a progress bar (needs rich), or a function that is called with the evaluations done and
            their total.

    Raises:
        ValueError: An argument makes no sense, the budget is too small to measure, or the network's answers have
            another shape or hold NaN or infinity.
        MemoryError: There is too little memory for a single sample.
    """
    multistep = Multistep.of(solver, order)
    network = as_network(source, noise, shape=shape, device=device, dtype=dtype, batch=batch, call=call)
    noise = network.noise
    planned = plan(noise, budget, multistep.order)
    seed = as_integer("seed", seed, least=0, most=2**63 - 1)
    with reporting(progress, planned.evaluations) as report:

        def run(program: Program[Recording]) -> Recording:
            return joined(network.run(reported(program, report), planned.samples, seed))

        before = network.evaluations
        found = run(recording(noise, planned.nodes, planned.questions, multistep))
        profile = _made_of(found, multistep, seed, network.evaluations - before)
        for calls in planned.again:
            again = [schedule.lambdas[:-1] for schedule in profile.optimize(calls)]
            more = run(more_runs(found, again, multistep))
            found = Recording(found.teacher, found.probes + more.probes, found.runs + more.runs)
            profile = _made_of(found, multistep, seed, network.evaluations - before)
    return profile


def _made_of(found: Recording, multistep: Multistep, seed: int, evaluations: int) -> Profile:
    rows = reduced(found)
    return Profile(
        noise=found.teacher.noise,
        multistep=multistep,
        rows=rows,
        signature=Signature.of(rows, found),
        samples=len(found.teacher.eps),
        evaluations=evaluations,
        seed=seed,
    )
