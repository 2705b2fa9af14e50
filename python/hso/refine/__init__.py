"""Schedules moved from where they are to where a model wants them.

    refined = hso.refine.against_teacher(denoise, schedule, noise, shape=(4, 64, 64), solver="unipc", device="cuda")
    refined = hso.refine.by_metric(fid, schedule, noise, budget=200, validate=fid_of_other_images)
    refined.schedule  # never worse than `schedule` on what decides

`against_teacher` follows gradients through the sampler towards what many steps give (LD3: Tong et al. 2025),
`by_metric` needs nothing but a number for each schedule. A refined schedule is made for one solver: run it with that.
"""

from ._levels import TorchNoise, denoiser
from ._metric import by_metric
from ._refined import History, Refined
from ._teacher import against_teacher

__all__ = ["History", "Refined", "TorchNoise", "against_teacher", "by_metric", "denoiser"]
