"""Fashion-MNIST from the idx files that Debian's package `dataset-fashion-mnist` installs."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

Split = Literal["train", "test"]
_PREFIX: dict[Split, str] = {"train": "train", "test": "t10k"}
# An idx magic number is 0x0000TTDD: TT the element type (08 = uint8), DD the number of axes.
_MAGIC_IMAGES = 0x0803
_MAGIC_LABELS = 0x0801


class DatasetMissingError(FileNotFoundError):
    """The Fashion-MNIST files are not in the folder that was looked in."""


def load(split: Split, folder: Path = DEFAULT_FOLDER) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read one split: images uint8 (n, 28, 28) in 0..255 and labels uint8 (n,) in 0..9.

    n is 60,000 for "train" and 10,000 for "test". Raises DatasetMissingError if a file is
    absent and ValueError if a file is not what its name says.
    """
    prefix = _PREFIX[split]
    images = _read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", _MAGIC_IMAGES)
    labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", _MAGIC_LABELS)
    if len(images) != len(labels):
        raise ValueError(f"{split}: {len(images)} images but {len(labels)} labels in {folder}")
    return images, labels


def to_unit_range(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale uint8 images of any shape from 0..255 to float32 in [-1, 1], keeping the shape."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def _read_idx(path: Path, magic: int) -> npt.NDArray[np.uint8]:
    """Read one gzip-compressed idx file of uint8 whose magic number must be `magic`."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetMissingError(
            f"{path} not found: install the Debian package dataset-fashion-mnist, "
            "or name the folder that holds the Fashion-MNIST idx .gz files"
        ) from error
    axes = magic & 0xFF
    header_bytes = 4 * (1 + axes)
    if len(raw) < header_bytes:
        raise ValueError(f"{path}: shorter than its idx header")
    found, *shape = struct.unpack(f">{1 + axes}I", raw[:header_bytes])
    if found != magic:
        raise ValueError(f"{path}: idx magic number {found:#06x}, expected {magic:#06x}")
    values = np.frombuffer(raw, dtype=np.uint8, offset=header_bytes)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"{path}: {values.size} bytes of data for shape {tuple(shape)}")
    # frombuffer gives a read-only view; a copy is writable, which torch.from_numpy asks for.
    return values.reshape(shape).copy()
