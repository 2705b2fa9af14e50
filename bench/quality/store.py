"""Finished measurements, kept by the content of what was measured: a run that is cut short goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import whole_file

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

    def kept(self, key: str, make: Callable[[], Mapping[str, Any]]) -> Measured:
        """What is kept under the key; where nothing is, what `make` gives, which is kept first."""
        found = self.get(key)
        if found is None:
            self.put(key, make())
            found = self.get(key)
        if found is None:
            raise whole_file.StorageError(
                f"{self._path(key)} cannot be read back: something else changes {self.folder}"
            )
        return found

    def get(self, key: str) -> Measured | None:
        """What was measured, numbers as floats; None where nothing was, or where the file is damaged."""
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(BytesIO(content), allow_pickle=False) as file:
                return {name: file[name] if file[name].ndim else float(file[name]) for name in file.files}
        except Exception:
            # Bytes that were cut short or changed: NumPy and zipfile have a dozen words for it.
            return None

    def put(self, key: str, measured: Mapping[str, Any]) -> None:
        """Keep a measurement. Raises StorageError where there is no room; what is there already stays."""
        content = BytesIO()
        np.savez(content, **measured)
        whole_file.write(self._path(key), content.getvalue())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
