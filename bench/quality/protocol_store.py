"""Files of a protocol run, named by their content."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from whole_file import write

Pixels = npt.NDArray[np.uint8]
"""One image (height, width, 3) or several (n, height, width, 3), RGB."""


def digest(content: Any) -> str:
    """A name for anything that JSON can hold; other contents have other names."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write a readable JSON file."""
    write(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def write_image(path: Path, pixels: Pixels) -> None:
    """Write one image as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    write(path, buffer.getvalue())


def read_image(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """An image in RGB; with `size` (width, height) its middle is cut to that shape and resized (bicubic).

    Raises ValueError for a file that is no image.
    """
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    if size is not None and rgb.size != size:
        rgb = _cut(rgb, size[0] / size[1]).resize(size, Image.Resampling.BICUBIC)
    pixels: Pixels = np.asarray(rgb, dtype=np.uint8)
    return pixels


def _cut(image: Image.Image, ratio: float) -> Image.Image:
    """The largest part around the middle whose width is `ratio` times its height."""
    width = min(image.width, round(image.height * ratio))
    height = min(image.height, round(image.width / ratio))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def write_array(path: Path, values: npt.NDArray[Any]) -> None:
    """Write an array as an .npy file."""
    buffer = BytesIO()
    np.save(buffer, values, allow_pickle=False)
    write(path, buffer.getvalue())
