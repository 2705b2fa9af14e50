"""A labelled PNG of sample grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_TILE = 56  # pixels of one image, twice its own size
_LABEL = 250
_TITLE = 34
_GAP = 18


@dataclass(frozen=True)
class Block:
    """A titled group of rows: each a label and images, (columns, 28, 28) in [-1, 1]."""

    title: str
    rows: Sequence[tuple[str, npt.NDArray[np.float32]]]


def _size(block: Block) -> tuple[int, int]:
    columns = max(len(images) for _, images in block.rows)
    return _LABEL + columns * _TILE, _TITLE + len(block.rows) * _TILE


def _draw(canvas: Image.Image, block: Block, left: int, top: int) -> None:
    pen = ImageDraw.Draw(canvas)
    pen.text((left, top + 8), block.title, fill="black", font=ImageFont.load_default(size=17))
    for row, (label, images) in enumerate(block.rows):
        y = top + _TITLE + row * _TILE
        pen.multiline_text((left, y + 10), label, fill="black", font=ImageFont.load_default(size=14))
        for column, image in enumerate(images):
            pixels = np.rint((np.clip(image, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
            tile = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.NEAREST)
            canvas.paste(tile, (left + _LABEL + column * _TILE, y))


def save_grid(path: Path, columns: Sequence[Sequence[Block]]) -> None:
    """Lays columns of blocks side by side and writes them as a PNG."""
    widths = [max(_size(block)[0] for block in column) for column in columns]
    heights = [sum(_size(block)[1] + _GAP for block in column) for column in columns]
    canvas = Image.new("RGB", (sum(widths) + _GAP * (len(columns) + 1), max(heights) + _GAP), "white")
    left = _GAP
    for column, width in zip(columns, widths, strict=True):
        top = _GAP
        for block in column:
            _draw(canvas, block, left, top)
            top += _size(block)[1] + _GAP
        left += width + _GAP
    canvas.save(path)
