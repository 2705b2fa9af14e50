"""From what a network gives to x0, and from latents to what it is shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ._noise import FLOW_CLASSES
from ._target import class_names, setting

if TYPE_CHECKING:
    from hso import NoiseSchedule

_TYPES = ("epsilon", "v_prediction", "sample", "flow_prediction")
_VE_TYPES = ("epsilon", "v_prediction")


class Prediction:
    """What the network of one scheduler predicts; tensors of any shape, computed in their own type.

    Args:
        scheduler: its ``prediction_type`` is read, and its ``sigma_data``.
        noise: gives alpha and sigma at lambda.

    Raises:
        ValueError: the prediction type is not known, or not with this noise schedule.
    """

    def __init__(self, scheduler: Any, noise: NoiseSchedule) -> None:
        flow = bool(FLOW_CLASSES.intersection(class_names(scheduler)))
        self._kind = str(setting(scheduler, "prediction_type", "flow_prediction" if flow else "epsilon"))
        self._noise = noise
        self._data = float(setting(scheduler, "sigma_data", 1.0))
        known = _VE_TYPES if noise.family == "ve" else _TYPES
        if self._kind not in known or (self._kind == "flow_prediction") != (noise.family == "flow"):
            raise ValueError(
                f"scheduler.config.prediction_type={self._kind!r} of {type(scheduler).__name__} cannot be converted to "
                f"x0 with a noise schedule of family {noise.family!r}"
            )

    def first_scale(self, lam: float) -> float:
        """What unit noise is multiplied with where sampling starts: ``init_noise_sigma``."""
        return float(self._noise.sigma(lam)) if self._noise.family == "ve" else 1.0

    def input_scale(self, lam: float) -> float:
        """What x is multiplied with for the network: 1, for VE c_in of Karras et al. 2022, table 1."""
        return 1.0 / math.hypot(float(self._noise.sigma(lam)), self._data) if self._noise.family == "ve" else 1.0

    def x0(self, x: Any, output: Any, lam: float) -> Any:
        """x0 for the latents ``x`` that the network was shown and its ``output``."""
        alpha, sigma = float(self._noise.alpha(lam)), float(self._noise.sigma(lam))
        if self._noise.family == "ve":
            return self._preconditioned(x, output, sigma)
        if self._kind == "epsilon":
            return (x - sigma * output) / alpha
        if self._kind == "v_prediction":
            return alpha * x - sigma * output
        if self._kind == "flow_prediction":
            return x - sigma * output
        return output

    def _preconditioned(self, x: Any, output: Any, sigma: float) -> Any:
        """c_skip x + c_out F of Karras et al. 2022, table 1; diffusers' v_prediction is -F."""
        variance = sigma**2 + self._data**2
        out = sigma * self._data / math.sqrt(variance)
        return self._data**2 / variance * x + (out if self._kind == "epsilon" else -out) * output
