"""How much of a study is done on each model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Counts:
    """What is measured on one model.

    Attributes:
        solvers: of the lab.
        nfe: network calls.
        images, seeds: of the tests: so many images from each bank of noise.
        budgets: of calibrations, each with its number of calibration seeds.
        oss: whether distillations with the published 200 steps of 16 samples are made, and by which `combine`.
        statistics: noisy samples for KLUB and its like.
        search_images, search: images and evaluations of a direct search; 0 for none.
        judge_images: other ones, which decide what it found.
        random, random_images: random schedules of a rank correlation, and the images that each is measured on.
        random_nfe: where.
        ends: how random schedules have theirs.
        every_variant: of searches on a profile and of distillations; or one.
        uses_budget: of the calibrations for other solvers, other models and gains.
        refine_pairs, refine_steps: of a refinement by gradients: pairs of noise and sample, steps of the optimizer.
    """

    solvers: tuple[str, ...]
    nfe: tuple[int, ...]
    images: int
    seeds: int
    budgets: dict[int, int] = field(default_factory=lambda: {1024: 3, 8192: 1})
    oss: tuple[str, ...] = ("median",)
    statistics: int = 16
    search_images: int = 16
    search: int = 60
    judge_images: int = 16
    random: int = 60
    random_images: int = 8
    random_nfe: tuple[int, ...] = (5,)
    ends: tuple[str, ...] = ("published", "measured")
    refine_pairs: int = 16
    refine_steps: int = 20
    every_variant: bool = False
    uses_budget: int = 1024


_TWO = ("DDIM", "UniPC-2")
_NFE = (4, 5, 6, 8)
_FEW_NFE = (4, 5, 8)
COUNTS = {
    "mixture": Counts(
        ("DDIM", "DPM++ 2M", "UniPC-2"),
        (*_NFE, 10),
        images=64,
        seeds=3,
        budgets={1024: 3, 8192: 3, 32768: 3},
        oss=("median", "mean_error"),
        statistics=64,
        search_images=128,
        judge_images=512,
        search=240,
        random=350,
        random_images=64,
        random_nfe=(4, 6, 10),
        ends=("published", "measured", "free"),
        refine_pairs=64,
        refine_steps=60,
        every_variant=True,
        uses_budget=8192,
    ),
    "edm": Counts(
        ("Euler", "DPM++ 2M"),
        _FEW_NFE,
        64,
        3,
        {1024: 2, 8192: 1},
        (),
        search=30,
        search_images=32,
        judge_images=64,
        uses_budget=8192,
    ),
    "sd": Counts(_TWO, _FEW_NFE, 16, 2, {1024: 2, 8192: 1}, (), search=21),
    "latent": Counts(_TWO, _NFE, 32, 2, {1024: 3, 8192: 2}, random=150, uses_budget=8192),
    "flow": Counts(("Euler", "UniPC-2"), (4, 8), 16, 2, {1024: 1}, (), statistics=8, search=0),
    "ddpm": Counts(_TWO, (4, 8), 8, 3, {1024: 1}, (), statistics=8, search=0),
}
"""Of the full study, per model; those of `lab`'s tests, so that what is in its store is measured once."""
QUICK = {
    name: replace(
        counts,
        solvers=counts.solvers[:1],
        nfe=(4,),
        images=4,
        seeds=1,
        budgets={1024: 1},
        oss=(),
        statistics=4,
        search_images=4,
        search=12,
        judge_images=4,
        random=4,
        random_images=4,
        random_nfe=(4,),
        refine_pairs=4,
        refine_steps=2,
        uses_budget=1024,
    )
    for name, counts in COUNTS.items()
}
"""A minute's worth, to see that it runs."""
