"""How a flow model's shift follows from the size of the image or video (Esser et al. 2024, section 5.3.2).

Pipelines count the tokens that the transformer sees, take mu linear in that number and shift by exp(mu).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .checks import as_integer


@dataclass(frozen=True)
class TokenGrid:
    """What one token of a model's transformer covers.

    `pixels` is the side of the square that one token stands for. Videos have `frames`: the first frame is one latent
    frame, then every `frames` frames are one; 0 for images.
    """

    pixels: int
    frames: int = 0

    def tokens(self, width: int, height: int, num_frames: int | None = None) -> int:
        """Number of tokens; sizes that are no multiple are rounded down, as pipelines do."""
        columns, rows = (
            as_integer(name, value, least=self.pixels) // self.pixels
            for name, value in (("width", width), ("height", height))
        )
        if self.frames == 0:
            if num_frames is not None:
                raise ValueError(f"num_frames must be left out for an image model, got {num_frames!r}")
            return columns * rows
        if num_frames is None:
            raise ValueError("num_frames must be given: the shift of a video model depends on it")
        return columns * rows * ((as_integer("num_frames", num_frames, least=1) - 1) // self.frames + 1)


@dataclass(frozen=True)
class LinearShift:
    """mu linear in the number of tokens, through two points; the words are those of diffusers' configurations.

    Not clamped outside the points, as no pipeline clamps it.
    """

    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    base_shift: float = 0.5
    max_shift: float = 1.15

    def mu(self, tokens: int) -> float:
        """The logarithm of the shift."""
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        return self.base_shift + slope * (tokens - self.base_image_seq_len)


def shift_from_mu(mu: float, time_shift_type: str = "exponential") -> float:
    """The shift s -> shift s / (1 + (shift - 1) s) that diffusers makes of mu: exp(mu), or for "linear" mu itself."""
    return mu if time_shift_type == "linear" else math.exp(mu)
