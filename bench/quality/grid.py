"""A labelled PNG of sample grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_TILE = 56  # pixels of one image, twice its own size
_STEP = _TILE + 4
_LABEL = 150
_TITLE = 36
_GAP = 28


@dataclass(frozen=True)
class Block:
    """A titled group of rows: each a label and images, (columns, 28, 28) in [-1, 1]."""

    title: str
    rows: Sequence[tuple[str, npt.NDArray[np.float32]]]


def _width(block: Block) -> int:
    return _LABEL + max(len(images) for _, images in block.rows) * _STEP


def _height(block: Block | None) -> int:
    return 0 if block is None else _TITLE + len(block.rows) * _STEP


def _draw(canvas: Image.Image, block: Block, left: int, top: int) -> None:
    pen = ImageDraw.Draw(canvas)
    pen.text((left, top + 4), block.title, fill="black", font=ImageFont.load_default(size=22))
    for row, (label, images) in enumerate(block.rows):
        y = top + _TITLE + row * _STEP
        # the mark of the least distance, see comparison.Result.mark
        color = "darkgreen" if label.endswith("*") else "black"
        pen.multiline_text((left, y + 8), label, fill=color, font=ImageFont.load_default(size=16))
        for column, image in enumerate(images):
            pixels = np.rint((np.clip(image, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
            tile = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.NEAREST)
            canvas.paste(tile, (left + _LABEL + column * _STEP, y))


def save_grid(path: Path, columns: Sequence[Sequence[Block]]) -> None:
    """Writes `png` of the columns."""
    path.write_bytes(png(columns))


def png(columns: Sequence[Sequence[Block]]) -> bytes:
    """Lays columns of blocks side by side, blocks of one place at one height: a PNG file's bytes."""
    widths = [max(_width(block) for block in column) for column in columns]
    heights = [max(_height(block) for block in blocks) for blocks in zip_longest(*columns)]
    size = (sum(widths) + _GAP * (len(widths) + 1), sum(heights) + _GAP * (len(heights) + 1))
    canvas = Image.new("RGB", size, "white")
    left = _GAP
    for column, width in zip(columns, widths, strict=True):
        top = _GAP
        for block, height in zip(column, heights, strict=False):
            _draw(canvas, block, left, top)
            top += height + _GAP
        left += width + _GAP
    buffer = BytesIO()
    canvas.save(buffer, format="PNG")
    return buffer.getvalue()
