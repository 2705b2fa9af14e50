"""Noise levels as torch tensors, and networks as x0-predictions that have gradients in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import one_of
from ..noise_schedule import NoiseSchedule, core_noise

_STEP = 1e-5  # of central differences in lambda
PREDICTIONS = ("epsilon", "v_prediction", "flow_prediction", "sample")


class TorchNoise:
    """A noise schedule's alpha, sigma and timestep at a tensor lam of no dimensions, with first derivatives in it."""

    def __init__(self, noise: NoiseSchedule) -> None:
        core_noise(noise)
        self.noise = noise

    def alpha(self, lam: Any) -> Any:
        """Signal scale."""
        return self._linear(self.noise.alpha, lam)

    def sigma(self, lam: Any) -> Any:
        """Noise scale."""
        return self._linear(self.noise.sigma, lam)

    def timestep(self, lam: Any) -> Any:
        """What the network is told, fractional."""
        return self._linear(self.noise.timestep, lam)

    def _linear(self, function: Callable[[float], float], lam: Any) -> Any:
        """The tangent at lam: right in value and in first derivative, whatever table is behind it."""
        low, high = self.noise.lambda_range
        at = min(max(float(lam.detach()), low), high)
        left, right = max(at - _STEP, low), min(at + _STEP, high)
        slope = (function(right) - function(left)) / (right - left)
        return function(at) + slope * (lam - lam.detach())


def denoiser(
    network: Callable[[Any, Any], Any], noise: NoiseSchedule, *, prediction: str = "epsilon"
) -> Callable[..., Any]:
    """What `against_teacher` takes, from a network(x, timesteps) -> output of torch tensors.

    Args:
        network: gets x (n, *shape) and fractional timesteps (n,) of x's type on x's device.
        noise: the noise schedule that it was trained on.
        prediction: what it predicts: "epsilon" (the noise), "v_prediction" (alpha eps - sigma x0, VP),
            "flow_prediction" (eps - x0, flow) or "sample" (x0).

    Returns:
        denoise(x, lam, told=None) -> x0: x has the noise level lam, the network is told `told`, or lam. Gradients pass
        through all three.
    """
    levels = TorchNoise(noise)
    one_of("prediction", prediction, PREDICTIONS)
    for name, family in (("v_prediction", "vp"), ("flow_prediction", "flow")):
        if prediction == name and noise.family != family:
            raise ValueError(f"prediction={name!r} is for family {family!r}, got a noise schedule of {noise.family!r}")

    def denoise(x: Any, lam: Any, told: Any = None) -> Any:
        timestep = levels.timestep(lam if told is None else told)
        output = network(x, timestep.to(x.device, x.dtype).expand(len(x)))
        if prediction == "sample":
            return output
        alpha, sigma = levels.alpha(lam), levels.sigma(lam)
        if prediction == "flow_prediction":
            return x - sigma * output
        return alpha * x - sigma * output if prediction == "v_prediction" else (x - sigma * output) / alpha

    return denoise
