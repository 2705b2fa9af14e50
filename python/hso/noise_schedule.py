"""Noise schedules: the maps between time t, half log-SNR lambda, alpha, sigma and the network's timestep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy.typing as npt

from . import _core
from ._arrays import Array, as_table, mapped
from .checks import as_number
from .presets import get as get_preset


class NoiseSchedule:
    """A diffusion model's noise schedule; immutable, equal where its numbers are, safe to share between threads.

    Made by one of the class methods. Evaluations take a number or an array of any shape and give a
    float or a float64 array of that shape; NaN and values outside the range raise ValueError.
    """

    __slots__ = ("_core", "_recipe")

    def __init__(self, *, _core: _core.NoiseSchedule, _recipe: tuple[str, tuple[Any, ...]]) -> None:
        self._core = _core
        self._recipe = _recipe

    @classmethod
    def _make(cls, factory: str, *arguments: Any) -> NoiseSchedule:
        make: Callable[..., _core.NoiseSchedule] = getattr(_core.NoiseSchedule, factory)
        return cls(_core=make(*arguments), _recipe=(factory, arguments))

    @classmethod
    def from_alphas_cumprod(cls, alphas_cumprod: npt.ArrayLike) -> NoiseSchedule:
        """Discrete VP table of alpha^2: shape (n,), n >= 2, strictly decreasing in (0, 1).

        Entry i sits at t = (i+1)/n with log(alpha) linear in t between entries; the network's timestep is
        n t - 1. A last entry of 0 (zero terminal SNR) is taken as 2**-24, as diffusers does.
        """
        return cls._make("from_alphas_cumprod", as_table("alphas_cumprod", alphas_cumprod))

    @classmethod
    def from_betas(cls, betas: npt.ArrayLike) -> NoiseSchedule:
        """Discrete VP table from betas in (0, 1), shape (n,), n >= 2; a last beta of 1 is zero terminal SNR."""
        return cls._make("from_betas", as_table("betas", betas))

    @classmethod
    def vp_linear(cls, *, beta_min: float = 0.1, beta_max: float = 20.0) -> NoiseSchedule:
        """Continuous VP with beta(t) linear in t (Song et al. 2021), on t in [1e-5, 1]."""
        return cls._make("vp_linear", as_number("beta_min", beta_min), as_number("beta_max", beta_max))

    @classmethod
    def vp_cosine(cls, *, s: float = 0.008) -> NoiseSchedule:
        """Continuous VP cosine schedule (Nichol and Dhariwal 2021); t above 1 - 1e-6 is taken as 1 - 1e-6."""
        return cls._make("vp_cosine", as_number("s", s))

    @classmethod
    def flow(cls, *, shift: float = 1.0) -> NoiseSchedule:
        """Rectified flow: alpha = 1 - s, sigma = s, t = s after the shift, network timestep 1000 s.

        `shift` > 0 maps the sampler's clock u to s = shift u / (1 + (shift - 1) u): it moves the default
        ranges of the ends and the uniform schedules. t = 1 is taken as 1 - 1e-6 (alpha = 0 has no
        finite lambda).
        """
        return cls._make("flow", as_number("shift", shift))

    @classmethod
    def edm(cls, *, sigma_min: float = 0.002, sigma_max: float = 80.0) -> NoiseSchedule:
        """EDM (Karras et al. 2022): alpha = 1, network timestep log(sigma)/4.

        t is linear in log(sigma), from sigma_min at t = 0.001 to sigma_max at t = 1.
        """
        return cls._make("edm", as_number("sigma_min", sigma_min), as_number("sigma_max", sigma_max))

    @classmethod
    def from_table(
        cls,
        t: npt.ArrayLike,
        alpha: npt.ArrayLike,
        sigma: npt.ArrayLike,
        *,
        num_train_timesteps: float = 1000.0,
    ) -> NoiseSchedule:
        """Any table, shape (n,) each, n >= 2: t strictly increasing in [0, 1], alpha/sigma strictly decreasing.

        A table that is VP, flow or VE to 1e-9 gets that family's closed forms; any other is linear in
        lambda over t, with log(sigma) a monotone cubic of lambda.
        """
        return cls._make(
            "from_table",
            as_table("t", t),
            as_table("alpha", alpha),
            as_table("sigma", sigma),
            as_number("num_train_timesteps", num_train_timesteps),
        )

    @classmethod
    def preset(
        cls,
        name: str,
        *,
        shift: float | None = None,
        width: int | None = None,
        height: int | None = None,
        num_frames: int | None = None,
    ) -> NoiseSchedule:
        """The noise schedule of a known model, such as "sd21"; see `hso.presets`.

        The shift of some flow models (flux-dev, qwen-image, ltx) depends on the size, in pixels and frames: what is
        left out is the model card's. `shift` overrides a flow model's own.
        """
        factory, arguments = get_preset(name).noise_arguments(
            shift=shift, width=width, height=height, num_frames=num_frames
        )
        make: Callable[..., NoiseSchedule] = getattr(cls, factory)
        return make(**arguments)

    @overload
    def lam(self, t: float) -> float: ...
    @overload
    def lam(self, t: npt.ArrayLike) -> float | Array: ...
    def lam(self, t: npt.ArrayLike) -> float | Array:
        """Half log-SNR lambda = log(alpha/sigma) at t."""
        return mapped(self._core.lam, "t", t)

    @overload
    def t(self, lam: float) -> float: ...
    @overload
    def t(self, lam: npt.ArrayLike) -> float | Array: ...
    def t(self, lam: npt.ArrayLike) -> float | Array:
        """Time t at lambda: the inverse of `lam`."""
        return mapped(self._core.t, "lam", lam)

    @overload
    def alpha(self, lam: float) -> float: ...
    @overload
    def alpha(self, lam: npt.ArrayLike) -> float | Array: ...
    def alpha(self, lam: npt.ArrayLike) -> float | Array:
        """Signal scale at lambda."""
        return mapped(self._core.alpha, "lam", lam)

    @overload
    def sigma(self, lam: float) -> float: ...
    @overload
    def sigma(self, lam: npt.ArrayLike) -> float | Array: ...
    def sigma(self, lam: npt.ArrayLike) -> float | Array:
        """Noise scale at lambda (not the VE sigma, which is exp(-lambda))."""
        return mapped(self._core.sigma, "lam", lam)

    @overload
    def timestep(self, lam: float) -> float: ...
    @overload
    def timestep(self, lam: npt.ArrayLike) -> float | Array: ...
    def timestep(self, lam: npt.ArrayLike) -> float | Array:
        """What the network is told at lambda (fractional)."""
        return mapped(self._core.timestep, "lam", lam)

    def shifted(self, u: float) -> float:
        """The t that u in [0, 1] on the sampler's unshifted clock stands for (u itself but for flow)."""
        return self._core.shifted(as_number("u", u))

    @property
    def family(self) -> str:
        """ "vp", "flow", "ve" or "general"."""
        return self._core.family

    @property
    def num_train_timesteps(self) -> float:
        """Number of timesteps that the network was trained with (1000 for continuous schedules)."""
        return self._core.num_train_timesteps

    @property
    def shift(self) -> float:
        """A flow schedule's shift; 1 for the other families."""
        return self._core.shift

    @property
    def t_range(self) -> tuple[float, float]:
        """Lowest and highest t with a finite lambda."""
        return self._core.t_range

    @property
    def lambda_range(self) -> tuple[float, float]:
        """Lambda at the highest and at the lowest t."""
        return self._core.lambda_range

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the numbers of this schedule."""
        return self._core.fingerprint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseSchedule) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    # Rebuilt from its arguments, which are read-only copies: the core's table itself does not pickle.
    def __reduce__(self) -> tuple[Callable[..., NoiseSchedule], tuple[Any, ...]]:
        factory, arguments = self._recipe
        return NoiseSchedule._make, (factory, *arguments)

    def __repr__(self) -> str:
        low, high = self.lambda_range
        return f"NoiseSchedule(family={self.family!r}, lambda={low:.4g}..{high:.4g}, fingerprint={self.fingerprint!r})"


def core_noise(noise: NoiseSchedule) -> _core.NoiseSchedule:
    """The core's noise schedule; ValueError for anything that is no NoiseSchedule."""
    if not isinstance(noise, NoiseSchedule):
        raise ValueError(f"noise must be an hso.NoiseSchedule, got {noise!r}")
    return noise._core
