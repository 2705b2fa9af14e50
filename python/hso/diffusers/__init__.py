"""Hand a schedule to the schedulers and pipelines of Hugging Face diffusers.

    noise = hso.diffusers.noise_schedule(pipe)
    schedule = hso.optimize(noise, nfe=5)
    hso.diffusers.apply(pipe, schedule)
    image = pipe("...", num_inference_steps=5).images[0]
    hso.diffusers.restore(pipe)

diffusers' own doors (``timesteps=``, ``sigmas=``) truncate, interpolate, shift or drop a schedule,
each class in its own way. Here the scheduler keeps its type, its solver and its place in the
pipeline; only its ``set_timesteps`` is overridden, so that the noise levels and the timesteps of
the schedule are what ``step`` and the network really get, whatever the pipeline asks for.

Importing this module needs neither torch nor diffusers; calling its functions does.
"""

from ._apply import apply, realised, restore
from ._noise import noise_schedule
from ._registry import supported
from ._rounding import round_timesteps
from ._stand_in import HsoWarning, equivalent

__all__ = [
    "HsoWarning",
    "apply",
    "equivalent",
    "noise_schedule",
    "realised",
    "restore",
    "round_timesteps",
    "supported",
]
