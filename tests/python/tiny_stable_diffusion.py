"""A whole Stable Diffusion of random weights on disk: text encoder and tokenizer included, built without a download."""

from __future__ import annotations

import json

import diffusers
import torch
import transformers

from tiny_pipelines import EMBEDDING, quiet, stable_diffusion

TOKENS = 16


def tokenizer(folder):
    """One token a letter, digit or mark."""
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789,."]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    made = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )  # fmt: skip
    return made, len(vocabulary)


def save(folder, scratch, seed=0):
    """Write the pipeline to `folder` as from_pretrained reads it."""
    torch.manual_seed(seed)
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
        set_alpha_to_one=False,
    )  # fmt: skip
    parts = stable_diffusion(scheduler).pipe
    words, count = tokenizer(scratch)
    config = transformers.CLIPTextConfig(
        vocab_size=count, hidden_size=EMBEDDING, intermediate_size=EMBEDDING, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=TOKENS, bos_token_id=count - 2, eos_token_id=count - 1,
        pad_token_id=count - 1,
    )  # fmt: skip
    pipe = quiet(
        diffusers.StableDiffusionPipeline,
        vae=parts.vae,
        unet=parts.unet,
        scheduler=scheduler,
        text_encoder=transformers.CLIPTextModel(config),
        tokenizer=words,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
