"""Published models as the documents load them, without a download.

`DiffusionPipeline.from_pretrained("a model's id")` gives the model's own pipeline class and scheduler, with its
published configuration (hso.presets), around a network of a few thousand random weights. Text encoders are missing: a
prompt gives random embeddings. Images and videos are tiny, whatever size is asked for; what a size does to the noise
schedule is the real model's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

import hso
from tiny_flow_pipelines import flux, ltx, qwen_image, stable_diffusion_3, wan
from tiny_pipelines import TinyPipeline, pixart_alpha, stable_diffusion, stable_diffusion_xl

BUILDERS: dict[str, Callable[[Any], TinyPipeline]] = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "PixArtAlphaPipeline": pixart_alpha,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "FluxPipeline": flux,
    "QwenImagePipeline": qwen_image,
    "WanPipeline": wan,
    "LTXPipeline": ltx,
}
# The real autoencoders' reduction of size, on which a noise schedule may depend.
REDUCTIONS = {
    "FluxPipeline": {"vae_scale_factor": 8},
    "QwenImagePipeline": {"vae_scale_factor": 8},
    "LTXPipeline": {"vae_spatial_compression_ratio": 32, "vae_temporal_compression_ratio": 8},
}


def by_id(model: str) -> Any:
    """The preset of a model on the Hub; ValueError for an id that no preset names."""
    presets = [hso.presets.get(name) for name in hso.presets.names()]
    for preset in presets:
        if preset.hub_id == model:
            return preset
    raise ValueError(f"no preset has the id {model!r}: use a published model's in the documents")


def stand_in(model: str, **options: Any) -> Any:
    """A pipeline in the place of the published model; `torch_dtype` is the only option."""
    if unknown := set(options) - {"torch_dtype"}:
        raise TypeError(f"the documents' from_pretrained takes torch_dtype alone, got {sorted(unknown)}")
    preset = by_id(model)
    settings = dict(preset.settings)
    torch.manual_seed(0)
    tiny = BUILDERS[preset.pipeline](getattr(diffusers, settings.pop("_class_name"))(**settings))
    pipe = tiny.pipe
    if "torch_dtype" in options:
        pipe.to(options["torch_dtype"])
    kind = type(pipe)
    own = {name: getattr(pipe, name) for name in REDUCTIONS.get(kind.__name__, {})}
    signature = kind.__call__

    @functools.wraps(signature)
    def call(self: Any, prompt: Any = None, **given: Any) -> Any:
        count = len(prompt) if isinstance(prompt, list) else 1
        for name in ("negative_prompt", "height", "width", "num_frames"):
            given.pop(name, None)
        inputs = {name: _repeated(_cast(value, tiny.dtype), count) for name, value in tiny.inputs.items()}
        vars(self).update(own)
        try:
            return signature(self, **{**inputs, **given})
        finally:
            vars(self).update(REDUCTIONS.get(kind.__name__, {}))

    # A device of the page's machine is as good as this one.
    methods = {"__call__": call, "to": lambda self, *_: self, "__module__": kind.__module__}
    pipe.__class__ = type(kind.__name__, (kind,), methods)
    vars(pipe).update(REDUCTIONS.get(kind.__name__, {}))
    return pipe


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _repeated(value: Any, count: int) -> Any:
    return value.repeat(count, *[1] * (value.ndim - 1)) if isinstance(value, torch.Tensor) else value


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts `stand_in` in the place of from_pretrained."""
    loader = classmethod(lambda cls, model, **options: stand_in(model, **options))
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", loader)
