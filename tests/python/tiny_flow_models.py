"""Flux, Wan and LTX of random weights on disk, text encoders and tokenizers included: what from_pretrained reads.

The networks are those of ``tiny_flow_pipelines``; see ``tiny_stable_diffusion`` for Stable Diffusion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

import hso
import tiny_flow_pipelines
import tiny_stable_diffusion
from tiny_pipelines import EMBEDDING, quiet

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,."


def _scheduler(preset: str) -> Any:
    """The one that the real model is published with."""
    config = hso.presets.get(preset).scheduler_config
    return getattr(diffusers, config["_class_name"]).from_config(config)


def _t5(make: Any = transformers.T5EncoderModel) -> dict[str, Any]:
    """A T5 that knows letters, and its tokenizer."""
    pieces = ["<pad>", "</s>", "<unk>", "\N{LOWER ONE EIGHTH BLOCK}", *LETTERS]
    tokenizer = transformers.T5TokenizerFast(vocab=[(piece, -1.0) for piece in pieces], extra_ids=0)
    config = {"d_model": EMBEDDING, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "vocab_size": len(pieces)}
    return {"text_encoder": make(make.config_class(**config)), "tokenizer": tokenizer}


def _clip(scratch: Path) -> dict[str, Any]:
    words, count = tiny_stable_diffusion.tokenizer(scratch)
    config = transformers.CLIPTextConfig(
        vocab_size=count,
        hidden_size=EMBEDDING,
        intermediate_size=EMBEDDING,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=tiny_stable_diffusion.TOKENS,
        bos_token_id=count - 2,
        eos_token_id=count - 1,
        pad_token_id=count - 1,
    )
    return {"text_encoder": transformers.CLIPTextModel(config), "tokenizer": words}


def _save(folder: Path, tiny: Any, **parts: Any) -> None:
    quiet(type(tiny.pipe), **{**tiny.pipe.components, **parts}).save_pretrained(folder)


def save_flux(folder: Path, scratch: Path) -> None:
    """One token for 2 x 2 pixels, where the real one has 16 x 16: its VAE does not reduce the size."""
    torch.manual_seed(0)
    t5 = {f"{name}_2": part for name, part in _t5().items()}
    _save(folder, tiny_flow_pipelines.flux(_scheduler("flux-dev")), **_clip(scratch), **t5)


def save_wan(folder: Path) -> None:
    torch.manual_seed(0)
    _save(folder, tiny_flow_pipelines.wan(_scheduler("wan2.1")), **_t5(transformers.UMT5EncoderModel))


def save_ltx(folder: Path) -> None:
    torch.manual_seed(0)
    _save(folder, tiny_flow_pipelines.ltx(_scheduler("ltx")), **_t5())
