"""What is published about one model, and the noise schedule that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ._arrays import Array
from .resolution import LinearShift, TokenGrid, shift_from_mu


@dataclass(frozen=True)
class Preset:
    """A published model: its noise configuration in diffusers' words, and the defaults of its model card.

    What is not published is None.

    Attributes:
        name: what NoiseSchedule.preset knows it by.
        hub_id: its repository on the Hugging Face Hub.
        pipeline: diffusers' pipeline class.
        settings: `scheduler_config` as pairs.
        steps: network calls per sample with a first-order or multistep solver; Heun's steps for EDM.
        guidance_scale: of classifier-free guidance or, for guidance-distilled models (Flux, HunyuanVideo), what the
            network is told; for Qwen-Image its pipeline's `true_cfg_scale`. 0 is no guidance.
        width: pixels.
        height: pixels.
        num_frames: of a video.
        grid: set where the shift depends on the size.
    """

    name: str
    hub_id: str | None
    pipeline: str | None
    settings: tuple[tuple[str, Any], ...] = field(repr=False)
    steps: int | None
    guidance_scale: float | None
    width: int | None
    height: int | None
    num_frames: int | None = None
    grid: TokenGrid | None = None

    @property
    def scheduler_config(self) -> dict[str, Any]:
        """The published scheduler_config.json, a new dict every time.

        Keys that its class does not have are left out, and some that say the class's default.
        """
        return dict(self.settings)

    @property
    def scheduler(self) -> str:
        """diffusers' scheduler class."""
        return str(self.scheduler_config["_class_name"])

    @property
    def prediction_type(self) -> str:
        """What the network predicts, in diffusers' words: "epsilon", "v_prediction" or "flow_prediction"."""
        if self.scheduler.startswith("FlowMatch"):
            return "flow_prediction"
        return str(self.scheduler_config.get("prediction_type", "epsilon"))

    def noise_arguments(
        self,
        *,
        shift: float | None = None,
        width: int | None = None,
        height: int | None = None,
        num_frames: int | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """NoiseSchedule's class method and its arguments; see NoiseSchedule.preset."""
        size = {"width": width, "height": height, "num_frames": num_frames}
        given = [f"{name}={value!r}" for name, value in size.items() if value is not None]
        config = self.scheduler_config
        if given and self.grid is None:
            raise ValueError(
                f"{', '.join(given)} must be left out: preset {self.name!r} has the same noise schedule at every size"
            )
        if given and shift is not None:
            raise ValueError(f"{', '.join(given)} must be left out with shift={shift!r}, which overrides the size's")
        if self.scheduler.startswith("FlowMatch") or config.get("use_flow_sigmas", False):
            return "flow", {"shift": self._published_shift(size) if shift is None else shift}
        if shift is not None:
            raise ValueError(f"shift must be left out for preset {self.name!r}, which is no flow model, got {shift!r}")
        if self.scheduler.startswith("EDM"):
            return "edm", {name: config[name] for name in ("sigma_min", "sigma_max")}
        if "snr_shift_scale" in config:
            return "from_alphas_cumprod", {"alphas_cumprod": _cogvideox_table(config)}
        return "from_betas", {"betas": _betas(config)}

    def _published_shift(self, size: dict[str, int | None]) -> float:
        config = self.scheduler_config
        if self.grid is None:
            return float(config["shift"] if "shift" in config else config["flow_shift"])
        rule = LinearShift(**{key.name: config[key.name] for key in fields(LinearShift)})
        tokens = self.grid.tokens(
            **{name: getattr(self, name) if value is None else value for name, value in size.items()}
        )
        return shift_from_mu(rule.mu(tokens), config["time_shift_type"])


def _betas(config: dict[str, Any]) -> Array:
    power = {"linear": 1.0, "scaled_linear": 0.5}[config["beta_schedule"]]
    ends = (config["beta_start"] ** power, config["beta_end"] ** power)
    return np.asarray(np.linspace(*ends, config["num_train_timesteps"]) ** (1.0 / power))


def _cogvideox_table(config: dict[str, Any]) -> Array:
    """alpha^2 with its signal-to-noise ratio divided by `snr_shift_scale`, rescaled to zero terminal SNR.

    Yang et al. 2024 (CogVideoX); the rescaling is Lin et al. 2024, algorithm 1.
    """
    squared = np.cumprod(1.0 - _betas(config))
    scale = config["snr_shift_scale"]
    root = np.sqrt(squared / (scale + (1.0 - scale) * squared))
    return np.asarray(((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2)
