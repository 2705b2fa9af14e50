"""Known models by name: their noise schedules and the defaults of their model cards.

hso.presets.names()
hso.presets.get("flux-dev").steps
hso.NoiseSchedule.preset("flux-dev", width=768, height=512)
"""

from __future__ import annotations

from ._preset import Preset
from ._preset_catalogue import ALIASES, PRESETS
from .checks import one_of

__all__ = ["Preset", "get", "names"]


def names() -> list[str]:
    """All names that `get` and NoiseSchedule.preset know, sorted."""
    return sorted([*PRESETS, *ALIASES])


def get(name: str) -> Preset:
    """What is published about a model; ValueError listing the known names for any other."""
    known = one_of("name", name, names())
    return PRESETS[ALIASES.get(known, known)]
