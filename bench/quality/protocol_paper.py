"""The FIDs that the paper prints (Zhu et al., Hierarchical Schedule Optimization), by table, and its setting.

Model: Stable Diffusion 2.1-base at 512 x 512. Solvers: UniPC, which stops at t_min, and DDIM, whose last step goes
to sigma 0. About 30,000 prompts of LAION-Aesthetics 6.5+, 30,000 captions of MS-COCO 2017, 50,000 of ImageNet
(section 5.1). Its text does not state the guidance scale, the implementation of FID, or how real images are resized.
"""

from __future__ import annotations

from dataclasses import dataclass

DATASETS = {"laion": "LAION-Aesthetics 6.5+", "coco": "MS-COCO", "imagenet": "ImageNet 512"}


@dataclass(frozen=True)
class Published:
    """One printed FID; `schedule` is the name it has in `protocol_schedules`."""

    table: int
    dataset: str
    solver: str
    nfe: int
    schedule: str
    fid: float


def _table_2() -> list[Published]:
    """DM-NonUni ("CVPR") and HSO."""
    printed = {
        ("laion", "UniPC", 4): (18.96, 15.71),
        ("laion", "UniPC", 5): (13.91, 11.94),
        ("laion", "DDIM", 4): (68.92, 24.77),
        ("laion", "DDIM", 5): (35.38, 17.17),
        ("coco", "UniPC", 4): (27.50, 23.26),
        ("coco", "UniPC", 5): (23.10, 19.59),
        ("coco", "DDIM", 4): (60.06, 29.55),
        ("coco", "DDIM", 5): (30.12, 23.15),
        ("imagenet", "UniPC", 4): (20.75, 17.20),
        ("imagenet", "UniPC", 5): (17.63, 15.90),
        ("imagenet", "DDIM", 4): (41.51, 19.78),
        ("imagenet", "DDIM", 5): (22.89, 16.02),
    }
    return [
        Published(2, *cell, schedule, fid)
        for cell, fids in printed.items()
        for schedule, fid in zip(("dm-nonuni", "hso-paper"), fids, strict=True)
    ]


PUBLISHED = (
    *_table_2(),
    # Table 3 names no data set; its FID at nfe 4 is that of LAION and UniPC in Table 2.
    *(Published(3, "laion", "UniPC", nfe, "hso-paper", fid) for nfe, fid in ((6, 11.17), (8, 8.79), (10, 8.32))),
    # "Baseline": the scheduler's own timesteps.
    Published(4, "coco", "UniPC", 5, "default", 24.06),
    # Configurations A, B and the full method at nfe 4; A and the full method differ from Table 2's in print.
    Published(7, "laion", "UniPC", 4, "dm-nonuni", 18.07),
    Published(7, "laion", "DDIM", 4, "dm-nonuni", 71.57),
    Published(7, "laion", "UniPC", 4, "dm-nonuni-bilevel", 11.44),
    Published(7, "laion", "DDIM", 4, "dm-nonuni-bilevel", 29.22),
    Published(7, "laion", "UniPC", 4, "hso-paper", 15.70),
    Published(7, "laion", "DDIM", 4, "hso-paper", 24.80),
)
"""Left out: Table 5 (no data set named), configuration C of Table 7 (its start is not given), PixArt-alpha's row."""


def published(dataset: str, solver: str, nfe: int, schedule: str) -> str:
    """What the paper prints for one cell, with the tables' numbers; empty where it prints nothing."""
    cell = (dataset, solver, nfe, schedule)
    found = [entry for entry in PUBLISHED if (entry.dataset, entry.solver, entry.nfe, entry.schedule) == cell]
    return ", ".join(f"{entry.fid:.2f} (Table {entry.table})" for entry in found)
