"""The hso package, which lives in ComfyUI's Python and not in this folder."""

import importlib
import sys


def missing():
    """None where hso can be imported, else what to do about it."""
    try:
        importlib.import_module("hso")
    except ImportError as error:
        return (
            f"The HSO nodes need the hso package in ComfyUI's Python ({error}). Install it and restart ComfyUI: "
            f'"{sys.executable}" -m pip install hso'
        )
    return None


def hso():
    """The module; ImportError with what to do where it is missing."""
    problem = missing()
    if problem:
        raise ImportError(problem)
    return importlib.import_module("hso")
