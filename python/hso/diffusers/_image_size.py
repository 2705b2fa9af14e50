"""The mu that pipelines pass to schedulers with dynamic shifting, from the size of the image or video.

Each rule restates what the pipelines of diffusers 0.42 compute; those that are not named here depend on more than the
size (Flux 2 on the number of steps, HiDream on its transformer) or have rules of their own.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from hso.checks import as_integer
from hso.resolution import LinearShift, TokenGrid

from ._source import Source
from ._target import setting

# Latents are packed in squares of 2 x 2.
_PACKED = frozenset(
    {
        "ChromaImg2ImgPipeline",
        "ChromaPipeline",
        "FluxControlNetPipeline",
        "FluxControlPipeline",
        "FluxFillPipeline",
        "FluxImg2ImgPipeline",
        "FluxInpaintPipeline",
        "FluxKontextPipeline",
        "FluxPipeline",
        "QwenImageControlNetPipeline",
        "QwenImageEditPipeline",
        "QwenImageEditPlusPipeline",
        "QwenImageImg2ImgPipeline",
        "QwenImageInpaintPipeline",
        "QwenImagePipeline",
        "ZImageImg2ImgPipeline",
        "ZImagePipeline",
    }
)
# The transformer's own patches.
_PATCHED = frozenset({"StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline", "StableDiffusion3Pipeline"})
# Every latent is a token.
_VIDEO = frozenset({"LTXImageToVideoPipeline", "LTXPipeline"})

ASSUMED_GRID = TokenGrid(16)
"""For a scheduler without its pipeline: the geometry of Flux, Qwen-Image, SD3, Chroma and Z-Image."""


def mu_for_size(source: Source, width: int | None, height: int | None, num_frames: int | None) -> float:
    """Return the mu of the scheduler's pipeline for this size; ValueError where that is not known."""
    name = type(source.scheduler).__name__
    if width is None or height is None:
        raise ValueError(
            f"mu must be given, or width and height: {name} has use_dynamic_shifting, its shift depends on the image "
            "size (pipelines compute mu with calculate_shift and pass it to set_timesteps)"
        )
    if source.pipeline == "Lumina2Pipeline":
        # It takes the latents' second dimension for their number, which is that of their channels at any size.
        channels = as_integer("transformer.config.in_channels", _of_transformer(source, "in_channels", 16), least=1)
        return _linear(source).mu(channels)
    if source.pipeline == "CogView4Pipeline":
        return _square_root_mu(source, _image_grid(source).tokens(width, height, num_frames))
    return _linear(source).mu(_grid(source, num_frames).tokens(width, height, num_frames))


def _grid(source: Source, num_frames: int | None) -> TokenGrid:
    if source.pipeline is None:
        if num_frames is not None:
            raise ValueError(
                f"num_frames={num_frames!r}: how many tokens a video has depends on its pipeline, which a "
                "scheduler alone does not tell: pass the pipeline, the model's folder, or mu"
            )
        return ASSUMED_GRID
    if source.pipeline in _PACKED | _PATCHED:
        return _image_grid(source)
    if source.pipeline in _VIDEO:
        return TokenGrid(
            int(getattr(source.live, "vae_spatial_compression_ratio", 32)),
            frames=int(getattr(source.live, "vae_temporal_compression_ratio", 8)),
        )
    raise ValueError(
        f"mu must be given: how {source.pipeline} computes it from width and height is not known here, "
        f"only {', '.join(sorted(_PACKED | _PATCHED | _VIDEO | {'CogView4Pipeline', 'Lumina2Pipeline'}))}"
    )


def _image_grid(source: Source) -> TokenGrid:
    patch = 2 if source.pipeline in _PACKED else _of_transformer(source, "patch_size", 2)
    return TokenGrid(int(getattr(source.live, "vae_scale_factor", 8)) * int(patch))


def _of_transformer(source: Source, name: str, default: int) -> Any:
    config = getattr(getattr(source.live, "transformer", None), "config", None)
    return getattr(config, name, default)


def _linear(source: Source) -> LinearShift:
    """The scheduler's own numbers; where its class has none (UniPC) the pipelines' defaults."""
    given = {key.name: setting(source.scheduler, key.name) for key in fields(LinearShift)}
    if source.pipeline in _PATCHED and given["max_shift"] is None:
        given["max_shift"] = 1.16
    return LinearShift(**{name: value for name, value in given.items() if value is not None})


def _square_root_mu(source: Source, tokens: int) -> float:
    base = setting(source.scheduler, "base_image_seq_len", 256)
    low, high = setting(source.scheduler, "base_shift", 0.25), setting(source.scheduler, "max_shift", 0.75)
    return float(low + high * math.sqrt(tokens / base))
