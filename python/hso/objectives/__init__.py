"""Other people's objectives for schedules, each from its paper.

From a teacher's trajectories (`hso.trajectories.teacher`), by the cheapest chain of its one-step errors:
    ve_jump        the errors in y = x / alpha, summed as they are
    gits           the same, discounted: Chen et al. 2024 (2405.11326)
    boss           their squares in flow matching's coordinates: Nguyen et al. 2024 (2312.16414)
From statistics of the network on noisy data (`measure`):
    klub           Align Your Steps' upper bound: Sabour et al. 2024 (2404.14507)
    entropic       equal shares of the data's entropy: Stancevic et al. 2025 (2504.13612)
    score_optimal  equal lengths along the path of distributions: Williams et al. 2024 (2412.07877)
From the data's covariance:
    spectral       what the solver makes of Gaussian data: Benita, Elad and Keshet 2025 (2502.00180)
From nothing but the noise schedule:
    mep_limit      MEP's optimum for many steps, as a density of nodes; `hso.schedules.kl_optimal` is another such law

Chains are the optimum over their grid, `spectral` is a local one. All take `nfe` as one number or several, which one
search serves, and return `hso.Schedule`s. DM-NonUni's bound, which is no sum over single steps, is
`hso.schedules.dm_nonuni`.
"""

from .densities import from_density, mep_limit
from .jumps import JumpCosts, boss, gits, jump_costs, ve_jump
from .spectral import power_spectrum, predicted_gain, spectral, transfer
from .statistics import Statistics, entropic, klub, measure, score_optimal

__all__ = [
    "JumpCosts",
    "Statistics",
    "boss",
    "entropic",
    "from_density",
    "gits",
    "jump_costs",
    "klub",
    "measure",
    "mep_limit",
    "power_spectrum",
    "predicted_gain",
    "score_optimal",
    "spectral",
    "transfer",
    "ve_jump",
]
