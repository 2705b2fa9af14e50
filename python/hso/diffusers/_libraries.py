"""torch and diffusers, imported when they are first used.

They are typed as ``Any``: the adapter must type-check where neither is installed.
"""

from __future__ import annotations

import importlib
from typing import Any


def load(name: str) -> Any:
    """Return the module ``name``, "torch" or "diffusers".

    Raises ImportError that says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"hso.diffusers needs {name}, which cannot be imported ({error}): pip install torch diffusers"
        ) from error
