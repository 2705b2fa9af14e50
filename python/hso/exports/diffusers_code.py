"""diffusers without hso: code that makes a pipeline's scheduler run the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hso._arrays import Array

from ._common import Target, heading, remaining_noise, sentences
from ._numbers import python_list, python_list_in

if TYPE_CHECKING:
    from hso import NoiseSchedule, Schedule

_SCHEDULERS = {
    "vp": ("DPMSolverMultistep", "UniPCMultistep", "EulerDiscrete", "EulerAncestralDiscrete"),
    "flow": ("FlowMatchEulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"),
    "ve": ("EDMEuler", "EDMDPMSolverMultistep"),
}

_CODE = '''\
# {heading}
# {instructions}
import torch

SIGMAS = {sigmas}
TIMESTEPS = {timesteps}
SCHEDULERS = {schedulers}


def use_schedule(pipe):
    """Makes the scheduler of `pipe`, or a scheduler itself, run SIGMAS and TIMESTEPS; returns `pipe`."""
    scheduler = getattr(pipe, "scheduler", pipe)
    stock, config = getattr(scheduler, "stock", type(scheduler)), scheduler.config
    if stock.__name__.removesuffix("Scheduler") not in SCHEDULERS:
        raise ValueError(f"the schedule runs with {{SCHEDULERS}}, not with {{stock.__name__}}{hint}")
{checks}
    class Fixed(stock):
        def set_timesteps(self, num_inference_steps=None, device=None, *, timesteps=None, sigmas=None, mu=None):
            asked = next((len(x) for x in (timesteps, sigmas) if x is not None), num_inference_steps)
            if asked != len(TIMESTEPS):
                raise ValueError(f"num_inference_steps must be {{len(TIMESTEPS)}}, got {{asked}}")
            shift = {{"mu": mu or 1.0}} if config.get("use_dynamic_shifting") else {{}}
            stock.set_timesteps(self, len(TIMESTEPS), device=device, **shift)  # clears the solver's state
            {sigma_tensor}
            self.timesteps = torch.tensor(TIMESTEPS, dtype=torch.float32, device=device)

    Fixed.__name__, Fixed.__module__, Fixed.stock = stock.__name__, stock.__module__, stock{initial}
    scheduler.__class__ = Fixed
    if "final_sigmas_type" in config:
        scheduler.register_to_config(final_sigmas_type="{final}")
    return pipe
'''

_DDIM_HINT = (
    ". For DDIM: pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, solver_order=1, "
    "algorithm_type='dpmsolver++', solver_type='midpoint')"
)

_CHECK_TABLE = """\
    table = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().tolist()
    for sigma, t in zip(SIGMAS, TIMESTEPS):
        if config.get("use_flow_sigmas") or not 0.999 * table[int(t)] <= sigma <= 1.001 * table[-int(-t // 1)]:
            raise ValueError(f"the noise table is another one: timestep {t} is not sigma {sigma} in it")
"""

_CHECK_FLOW = """\
    if not stock.__name__.startswith("FlowMatch") and not config.get("use_flow_sigmas"):
        raise ValueError(f"{stock.__name__} has to be configured with use_flow_sigmas for a flow model")
    if config.get("invert_sigmas"):
        raise ValueError("invert_sigmas, time running the other way, is not supported")
"""

_CHECK_ZERO = """\
    wrong = {"solver_type": "bh1", "predict_x0": False, "lower_order_final": False}
    if config.get("algorithm_type") in ("dpmsolver", "sde-dpmsolver") or any(config.get(k) == wrong[k] for k in wrong):
        raise ValueError(f"the last step to sigma 0 needs dpmsolver++, or UniPC's bh2, not {wrong} or dpmsolver")
"""

# Multistep solvers take differences of log(sigma): all digits, on the CPU. FlowMatchEuler mixes whole arrays.
_FLOW_TENSOR = """\
whole = stock.__name__.startswith("FlowMatch")
            precision = torch.float32 if whole or "mps" in str(device) else torch.float64
            self.sigmas = torch.tensor(SIGMAS, dtype=precision, device=device if whole else "cpu")"""
_TENSOR = """\
precision = torch.float32 if "mps" in str(device) else torch.float64
            self.sigmas = torch.tensor(SIGMAS, dtype=precision)"""

# Solvers on x/alpha: the network first sees unit noise, as with every other scheduler.
_INITIAL_VE = """
    if "Euler" in stock.__name__ or stock.__name__.startswith("EDM"):
        Fixed.init_noise_sigma = torch.tensor((SIGMAS[0] ** 2 + config.get("sigma_data", 1.0) ** 2) ** 0.5)"""


def _write(schedule: Schedule) -> str:
    if schedule.nfe != schedule.steps:
        raise ValueError(
            f"schedule.solver must be one with a network call a step for 'diffusers', got {schedule.solver!r}: the "
            "exported code installs no second calls. Use hso.diffusers.apply, or optimize for another solver"
        )
    ends_at_zero = schedule.terminal != "t_min"
    checks = _CHECK_TABLE if schedule.family == "vp" else _CHECK_FLOW if schedule.family == "flow" else ""
    return _CODE.format(
        heading=heading(schedule),
        instructions=_instructions(schedule),
        sigmas=python_list(schedule.sigmas),
        timesteps=python_list(schedule.timesteps),
        schedulers=repr(_SCHEDULERS[schedule.family]).replace("'", '"'),
        hint=_DDIM_HINT if schedule.family == "vp" else "",
        checks=checks + (_CHECK_ZERO if ends_at_zero else ""),
        sigma_tensor=_FLOW_TENSOR if schedule.family == "flow" else _TENSOR,
        initial="" if schedule.family == "flow" else _INITIAL_VE,
        final="zero" if ends_at_zero else "sigma_min",
    )


def _read(text: str, noise: NoiseSchedule) -> Array:
    return python_list_in(text, "SIGMAS")


def _instructions(schedule: Schedule) -> str:
    return sentences(
        f"Needs torch and diffusers alone: use_schedule(pipe), then pipe(..., num_inference_steps={schedule.steps}).",
        remaining_noise(schedule),
    )


TARGET = Target(write=_write, read=_read, instructions=_instructions, families=("vp", "flow", "ve"))
