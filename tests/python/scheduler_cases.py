"""What a scheduler with some settings should compute: the float64 reference behind each case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import diffusers
import numpy as np
import torch

import hso
from diffusers_helpers import SHAPE, Array, denoise, gaussian, start
from reference_multistep import deis, dpm_solver_multistep, lms, lowered, sa_solver
from reference_singlestep import dpm_solver_singlestep, grouped, heun, kdpm2
from reference_solvers import Gaussian, Levels, Predictor, ddim, unipc
from reference_stochastic import boundary_scalings, ddpm, euler_ancestral, kdpm2_ancestral, lcm

NFE = (1, 2, 3, 5, 10, 20)
SEED = 11


@dataclass(frozen=True)
class Problem:
    """One run: from unit noise through ``levels``, with one noise a step for samplers that add it."""

    levels: Levels
    timesteps: Array
    data: Gaussian = field(default_factory=gaussian)
    x: Array = field(default_factory=start)

    @property
    def steps(self) -> int:
        return self.levels.steps

    @property
    def predict(self) -> Predictor:
        return self.data.predictor(self.levels)

    @property
    def ends_at_zero(self) -> bool:
        return bool(self.levels.sigma[-1] == 0.0)

    @property
    def noises(self) -> list[Array]:
        """What a scheduler draws from a generator with SEED."""
        generator = torch.Generator().manual_seed(SEED)
        return [torch.randn(SHAPE, generator=generator).double().numpy() for _ in range(self.steps)]

    @property
    def ve_sigmas(self) -> Array:
        return self.levels.sigma / self.levels.alpha


Reference = Callable[[Problem], Array]


@dataclass(frozen=True)
class Case:
    """A scheduler class with settings.

    Attributes:
        name: the class in diffusers.
        reference: the sample that it should return, in its own variables.
        config: settings.
        refused: terminals that ``apply`` must refuse.
        stochastic: ``step`` takes a generator.
        two_calls: 2 steps - 1 network calls.
        options: passed to ``step``.
    """

    name: str
    reference: Reference
    config: dict[str, Any] = field(default_factory=dict)
    refused: Sequence[str] = ()
    stochastic: bool = False
    two_calls: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, **config: Any) -> Any:
        return getattr(diffusers, self.name)(**{**config, **self.config})

    def calls(self, steps: int) -> int:
        return 2 * steps - 1 if self.two_calls else steps

    def run(self, scheduler: Any, network: Any) -> Array:
        """diffusers' own steps, in float32."""
        options = dict(self.options)
        if self.stochastic:
            options["generator"] = torch.Generator().manual_seed(SEED)
        result = denoise(scheduler, network, torch.from_numpy(start()).float(), **options)
        assert result.dtype == torch.float32
        return np.asarray(result.double().numpy())


def refused(case: Case, scheduler: Any, schedule: Any) -> str:
    """Assert that ``apply`` refuses and leaves everything as it was; return what it says."""
    before = {key: id(value) for key, value in vars(scheduler).items()}
    cls = type(scheduler)
    try:
        hso.diffusers.apply(scheduler, schedule)
    except ValueError as error:
        assert type(scheduler) is cls
        assert {key: id(value) for key, value in vars(scheduler).items()} == before
        return str(error)
    raise AssertionError(f"{case.name} took a schedule that it cannot run")


def dpm_multistep(order: int, *, lower_order_final: bool = True, **options: Any) -> Reference:
    """Order 3 is that of diffusers."""

    def sample(p: Problem) -> Array:
        orders = lowered(p.steps, order, ends_at_zero=p.ends_at_zero, lower_order_final=lower_order_final)
        return dpm_solver_multistep(
            p.levels, p.predict, p.x, orders=orders, noises=p.noises, diffusers_third=True, **options
        )

    return sample


def dpm_singlestep(order: int, *, lower_order_final: bool = False, **options: Any) -> Reference:
    def sample(p: Problem) -> Array:
        orders = grouped(p.steps, order, ends_at_zero=p.ends_at_zero, lower_order_final=lower_order_final)
        return dpm_solver_singlestep(
            p.levels, p.predict, p.x, orders=orders, noises=p.noises, diffusers_third=True, **options
        )

    return sample


def deis_multistep(order: int, *, lower_order_final: bool = True) -> Reference:
    def sample(p: Problem) -> Array:
        orders = lowered(p.steps, order, ends_at_zero=False, lower_order_final=lower_order_final)
        return deis(p.levels, p.predict, p.x, orders=orders)

    return sample


def unipc_multistep(order: int, **options: Any) -> Reference:
    return lambda p: unipc(p.levels, p.predict, p.x, order=order, **options)


def sa_multistep(predictor: int, corrector: int, tau: Callable[[float], float], **options: Any) -> Reference:
    """``tau`` as a function of the timestep."""

    def sample(p: Problem) -> Array:
        taus = [float(tau(t)) for t in p.timesteps]
        orders = {"predictor_order": predictor, "corrector_order": corrector}
        return sa_solver(p.levels, p.predict, p.x, taus=taus, noises=p.noises, **orders, **options)

    return sample


def in_ve(solver: Callable[..., Array], *, noisy: bool = False) -> Reference:
    """A solver of x/alpha, whose result stays so."""

    def sample(p: Problem) -> Array:
        noises = (p.noises,) if noisy else ()
        return solver(p.ve_sigmas, p.data.denoise, p.x / p.levels.alpha[0], *noises)

    return sample


EULER: Reference = lambda p: ddim(p.levels, p.predict, p.x) / p.levels.alpha[-1]  # noqa: E731
EULER_ANCESTRAL = in_ve(euler_ancestral, noisy=True)
HEUN = in_ve(heun)
KDPM2 = in_ve(kdpm2)
KDPM2_ANCESTRAL = in_ve(kdpm2_ancestral, noisy=True)
LMS = in_ve(lms)


def posterior(p: Problem) -> Array:
    """DDPM."""
    return ddpm(p.levels, p.predict, p.x, p.noises)


def consistency(p: Problem) -> Array:
    """LCM."""
    c_skip, c_out = boundary_scalings(p.timesteps)
    return lcm(p.levels, p.predict, p.x, p.noises, c_skip=c_skip, c_out=c_out)
