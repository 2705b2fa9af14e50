"""How much memory a server holds over time, and whether that is flat."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

KIB, MIB = 2**10, 2**20
GROWTH = 0.01, 256 * KIB
"""Growth that the fitted line may show from end to end: part of the mean, or bytes where that is more."""
SPREAD = 0.05, 1 * MIB
"""The same for the most minus the least."""


def resident(pid: int) -> int:
    """Bytes in memory of a process and of its children, shared pages counted for each; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


def judge(seconds: Sequence[float], sizes: Sequence[int]) -> dict[str, Any]:
    """Whether `sizes` (bytes at `seconds` from the start) are flat after the first minute, or quarter of a shorter run.

    Flat: the least-squares line grows by no more than `GROWTH` over that time, and the sizes lie within `SPREAD`.
    """
    time, size = np.asarray(seconds, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    settled = min(60.0, float(time[-1]) / 4.0)
    time, size = time[time >= settled], size[time >= settled]
    slope = float(np.polyfit(time, size, 1)[0])
    growth, spread, mean = slope * float(time[-1] - time[0]), float(np.ptp(size)), float(size.mean())
    allowed_growth, allowed_spread = (max(part * mean, least) for part, least in (GROWTH, SPREAD))
    return {
        "from_second": settled,
        "mean_mib": mean / MIB,
        "slope_kib_per_minute": 60.0 * slope / KIB,
        "growth_kib": growth / KIB,
        "growth_allowed_kib": allowed_growth / KIB,
        "spread_kib": spread / KIB,
        "spread_allowed_kib": allowed_spread / KIB,
        "flat": bool(growth <= allowed_growth and spread <= allowed_spread),
    }
