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
        random, random_images: random schedules of a rank correlation, and the images that each is measured on.
        random_nfe: where.
        ends: how random schedules have theirs.
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
    random: int = 60
    random_images: int = 8
    random_nfe: tuple[int, ...] = (5,)
    ends: tuple[str, ...] = ("published", "measured")
    refine_pairs: int = 16
    refine_steps: int = 20


_TWO = ("DDIM", "UniPC-2")
_NFE = (4, 5, 6, 8)
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
        search=400,
        random=350,
        random_images=64,
        random_nfe=(4, 6, 10),
        ends=("published", "measured", "free"),
        refine_pairs=64,
        refine_steps=60,
    ),
    "edm": Counts(
        ("Euler", "DPM++ 2M"), _NFE, images=64, seeds=3, budgets={1024: 3, 8192: 3}, search=200, search_images=64
    ),
    "sd": Counts(_TWO, _NFE, images=16, seeds=2),
    "latent": Counts(_TWO, _NFE, images=32, seeds=2, budgets={1024: 3, 8192: 3}, search=150, random=150),
    "flow": Counts(("Euler", "UniPC-2"), _NFE, images=16, seeds=2),
    "ddpm": Counts(_TWO, _NFE, images=8, seeds=3, oss=()),
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
        random=4,
        random_images=4,
        random_nfe=(4,),
        refine_pairs=4,
        refine_steps=2,
    )
    for name, counts in COUNTS.items()
}
"""A minute's worth, to see that it runs."""
