"""A diffusers scheduler of your own that runs a schedule: what pipelines need of it, in one class.

    python examples/own_scheduler.py --prompt "an astronaut cat" --nfe 6 --out mine.png

`hso.diffusers.apply` knows diffusers' schedulers. For one that it does not know, take the noise levels from the
schedule yourself, as ScheduledDDIM does: `set_timesteps` installs them, `step` goes from one to the next. The script
samples Stable Diffusion with it and with diffusers' own first-order solver under the same schedule, and prints how
far the two are apart: rounding.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, DPMSolverMultistepScheduler, SchedulerMixin, StableDiffusionPipeline
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput

import hso


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    pipe = load(options.model, options.device)
    noise = hso.diffusers.noise_schedule(pipe)
    schedule = hso.optimize(noise, options.nfe)
    prediction = pipe.scheduler.config.prediction_type

    theirs = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, solver_order=1)
    pipe.scheduler = hso.diffusers.apply(theirs, schedule)
    expected = sample(pipe, options)

    pipe.scheduler = ScheduledDDIM.on(noise, schedule, prediction_type=prediction)
    found = sample(pipe, options)
    print("timesteps", pipe.scheduler.timesteps.tolist())
    print(f"largest difference of a pixel in 0..1 from diffusers' solver: {np.abs(found - expected).max():.1e}")
    pipe.numpy_to_pil(found)[0].save(options.out)
    pipe.scheduler.save_config(options.scheduler_out)  # ScheduledDDIM.from_config reads it: hso is not needed again
    print(f"{options.out} written, the scheduler with its schedule in {options.scheduler_out}/")


@dataclass
class Step(BaseOutput):
    """What pipelines take from a step with return_dict=True."""

    prev_sample: torch.Tensor
    pred_original_sample: torch.Tensor


class ScheduledDDIM(SchedulerMixin, ConfigMixin):
    """DDIM without added noise on fixed noise levels.

    Args:
        timesteps: what the network is told at the nfe nodes.
        alphas: signal scale at the nfe nodes and at the end, nfe + 1 numbers.
        sigmas: noise scale, as many; the last is 0 for terminals "zero" and "skip".
        prediction_type: what the network predicts, "epsilon", "v_prediction", "flow_prediction" or "sample".
    """

    order = 1  # network calls for each timestep
    init_noise_sigma = 1.0  # pipelines multiply their noise by it

    @register_to_config
    def __init__(
        self, timesteps: list[float], alphas: list[float], sigmas: list[float], prediction_type: str = "epsilon"
    ) -> None:
        self.timesteps = torch.tensor(timesteps, dtype=torch.float32)
        self._index = 0

    @classmethod
    def on(cls, noise: hso.NoiseSchedule, schedule: hso.Schedule, **config: Any) -> "ScheduledDDIM":
        lam = schedule.lambdas[np.isfinite(schedule.lambdas)]
        end = schedule.steps + 1 - lam.size  # 1 where the last level has no noise: an infinite lambda
        alphas = [*noise.alpha(lam).tolist(), *[1.0] * end]
        sigmas = [*noise.sigma(lam).tolist(), *[0.0] * end]
        return cls(timesteps=schedule.timesteps.tolist(), alphas=alphas, sigmas=sigmas, **config)

    def set_timesteps(self, num_inference_steps: int, device: Any = None, **others: Any) -> None:
        """Pipelines ask for a number of steps; the schedule has its own, and nothing else can be run."""
        steps = len(self.config.timesteps)
        if num_inference_steps != steps or any(value is not None for value in others.values()):
            raise ValueError(f"num_inference_steps must be {steps}, alone, got {num_inference_steps} and {others}")
        self.timesteps = self.timesteps.to(device)
        self._index = 0

    def scale_model_input(self, sample: torch.Tensor, timestep: Any = None) -> torch.Tensor:
        return sample

    def step(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, return_dict: bool = True
    ) -> Step | tuple[torch.Tensor, torch.Tensor]:
        """From node i to node i + 1; the steps are counted, since a timestep may have been rounded on its way."""
        i = self._index
        alpha, sigma = self.config.alphas[i], self.config.sigmas[i]
        x = sample.float()  # half precision is too coarse for the difference of two terms
        x0 = self._x0(model_output.float(), x, alpha, sigma)
        x = self.config.alphas[i + 1] * x0 + self.config.sigmas[i + 1] / sigma * (x - alpha * x0)
        self._index += 1
        result = (x.to(sample.dtype), x0.to(sample.dtype))
        return Step(*result) if return_dict else result

    def _x0(self, output: torch.Tensor, x: torch.Tensor, alpha: float, sigma: float) -> torch.Tensor:
        if self.config.prediction_type == "epsilon":
            return (x - sigma * output) / alpha
        if self.config.prediction_type == "v_prediction":
            return alpha * x - sigma * output
        if self.config.prediction_type == "flow_prediction":
            return x - sigma * output
        return output


def load(model: str, device: str) -> Any:
    """The pipeline on the device; in half precision on CUDA alone."""
    half = {"torch_dtype": torch.float16} if device.startswith("cuda") else {}
    return StableDiffusionPipeline.from_pretrained(model, **half).to(device)


def sample(pipe: Any, options: argparse.Namespace) -> np.ndarray:
    """One image, (1, height, width, 3) in 0..1."""
    generator = torch.Generator().manual_seed(options.seed)
    return pipe(options.prompt, num_inference_steps=options.nfe, generator=generator, output_type="np").images


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="Stable Diffusion with a scheduler of one's own under HSO's schedule")
    parser.add_argument(
        "--model", default=hso.presets.get("sd15").hub_id, help="id on the Hub, or folder (%(default)s)"
    )
    parser.add_argument("--prompt", default="an astronaut cat")
    parser.add_argument("--nfe", type=int, default=6, help="network calls per image (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the initial noise (%(default)s)")
    parser.add_argument("--device", default=default, help="%(default)s here")
    parser.add_argument("--out", default="own-scheduler.png", help="picture to write (%(default)s)")
    parser.add_argument("--scheduler-out", default="own-scheduler", help="folder of its configuration (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
