"""Finished measurements, kept by the content of what was measured: a run that is cut short goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Measured = dict[str, Any]
"""Arrays and numbers."""


def content_key(**parts: Any) -> str:
    """A digest of everything that a measurement depends on; arrays count with all their digits."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        digest.update(name.encode())
        if isinstance(value, np.ndarray):
            digest.update(str(value.dtype).encode() + str(value.shape).encode() + value.tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
    return digest.hexdigest()[:32]


class Store:
    """A folder of .npz files, one a measurement, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, key: str) -> bool:
        """Whether it has been measured."""
        return self._path(key).is_file()

    def get(self, key: str) -> Measured:
        """What was measured; numbers come back as floats."""
        with np.load(self._path(key), allow_pickle=False) as file:
            return {name: file[name] if file[name].ndim else float(file[name]) for name in file.files}

    def put(self, key: str, measured: Mapping[str, Any]) -> None:
        """Keep a measurement. A full disk leaves no half a file, and what is there already stays."""
        draft = self.folder / f".{key}.{secrets.token_hex(4)}"
        try:
            with draft.open("wb") as file:
                np.savez(file, **measured)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(key))
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise OSError(f"{self.folder} cannot take another result ({error}); what is finished is kept") from error

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
