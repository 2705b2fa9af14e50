"""Pipelines that hand their network its timesteps in the latents' type."""

from __future__ import annotations

from typing import Any, cast

from hso.checks import one_of

from ._handover import Handover
from ._rounding import DTYPES, Dtype, as_dtype, check_distinct
from ._target import is_scheduler

# These call ``t.expand(batch).to(latents.dtype)`` and divide by 1000 in that type. All others keep
# float32 (their networks embed ``timesteps.float()``).
CASTING = (
    "Chroma",
    "DreamLite",
    "Flux",
    "HunyuanImage",
    "LongCatImage",
    "NucleusMoE",
    "OvisImage",
    "QwenImage",
    "SanaPAG",
    "VisualCloze",
)


def check_network_dtype(target: Any, handover: Handover, dtype: Dtype | None) -> None:
    """Raise ValueError if two nodes coincide in what the network is told.

    Args:
        target: a scheduler or a pipeline.
        handover: the schedule.
        dtype: the type, or None: found out from the pipeline.
    """
    kind = network_dtype(target) if dtype is None else cast(Dtype, one_of("timestep_dtype", dtype, DTYPES))
    told = as_dtype(handover.timesteps, kind)
    if kind != "int64" and handover.family == "flow":
        # Divided by 1000 in the pipeline and multiplied again in the network, each time rounded.
        told = as_dtype(1000.0 * as_dtype(told / 1000.0, kind), kind)
    check_distinct(handover.timesteps, told, kind)


def network_dtype(target: Any) -> Dtype:
    """Return the type in which a pipeline's network sees timesteps, "float32" for a bare scheduler."""
    if is_scheduler(target) or not type(target).__name__.startswith(CASTING):
        return "float32"
    network = getattr(target, "transformer", None) or getattr(target, "unet", None)
    name = str(getattr(network, "dtype", "float32")).removeprefix("torch.")
    return cast(Dtype, name) if name in DTYPES else "float32"
