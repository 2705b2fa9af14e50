"""Tiny pipelines of flow-matching models: see ``tiny_pipelines``."""

from __future__ import annotations

from typing import Any

import diffusers
import torch

from tiny_pipelines import EMBEDDING, SIZE, TinyPipeline, embeddings, prompts, quiet
from tiny_pipelines import vae as tiny_vae


def stable_diffusion_3(scheduler: Any) -> TinyPipeline:
    """Flow matching with a fixed shift."""
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIZE,
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=EMBEDDING,
        caption_projection_dim=16,
        pooled_projection_dim=EMBEDDING,
        pos_embed_max_size=SIZE,
    )
    encoders = {name: None for n in ("", "_2", "_3") for name in (f"text_encoder{n}", f"tokenizer{n}")}
    pipe = quiet(
        diffusers.StableDiffusion3Pipeline, transformer=transformer, vae=tiny_vae(), scheduler=scheduler, **encoders
    )  # fmt: skip
    inputs = {
        **prompts(),
        "pooled_prompt_embeds": embeddings(1, EMBEDDING),
        "negative_pooled_prompt_embeds": embeddings(1, EMBEDDING, seed=1),
    }
    return TinyPipeline(pipe, inputs, (1, 4, SIZE, SIZE))


def flux(scheduler: Any) -> TinyPipeline:
    """Computes sigmas and mu itself; casts the timesteps to the type of the latents."""
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=EMBEDDING,
        pooled_projection_dim=EMBEDDING,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    parts = {"text_encoder": None, "tokenizer": None, "text_encoder_2": None, "tokenizer_2": None}
    pipe = quiet(diffusers.FluxPipeline, scheduler=scheduler, vae=tiny_vae(), transformer=transformer, **parts)
    inputs = {
        "prompt_embeds": embeddings(1, 7, EMBEDDING),
        "pooled_prompt_embeds": embeddings(1, EMBEDDING),
        "height": SIZE,
        "width": SIZE,
    }
    return TinyPipeline(pipe, inputs, (1, SIZE * SIZE // 4, 16), unit=1000.0, casts=True)


def qwen_image(scheduler: Any) -> TinyPipeline:
    """As Flux, with guidance by a second call."""
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=EMBEDDING,
        axes_dims_rope=(4, 4, 8),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1],
        num_res_blocks=1,
        temperal_downsample=[],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    pipe = quiet(
        diffusers.QwenImagePipeline,
        scheduler=scheduler,
        vae=vae,
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
    )
    mask = torch.ones(1, 7, dtype=torch.long)
    inputs = {
        **prompts(),
        "prompt_embeds_mask": mask,
        "negative_prompt_embeds_mask": mask,
        "height": SIZE,
        "width": SIZE,
    }
    return TinyPipeline(pipe, inputs, (1, SIZE * SIZE // 4, 16), unit=1000.0, casts=True, calls=2)


def wan(scheduler: Any, *, second: bool = False, boundary_ratio: float | None = None) -> TinyPipeline:
    """Calls ``set_timesteps`` itself; video. ``second``: Wan 2.2's network for low noise."""

    def transformer() -> Any:
        return diffusers.WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=EMBEDDING,
            freq_dim=16,
            ffn_dim=16,
            num_layers=1,
            rope_max_seq_len=16,
        )

    vae = diffusers.AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    pipe = quiet(
        diffusers.WanPipeline,
        tokenizer=None,
        text_encoder=None,
        vae=vae,
        scheduler=scheduler,
        transformer=transformer(),
        transformer_2=transformer() if second else None,
        boundary_ratio=boundary_ratio,
    )
    inputs = {**prompts(), "height": 32, "width": 32, "num_frames": 5}
    return TinyPipeline(pipe, inputs, (1, 4, 2, 4, 4), calls=2)


def ltx(scheduler: Any) -> TinyPipeline:
    """Computes sigmas itself and passes them together with the caller's timesteps."""
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=EMBEDDING,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
    )
    pipe = quiet(
        diffusers.LTXPipeline,
        scheduler=scheduler,
        vae=vae,
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
    )
    mask = torch.ones(1, 7)
    inputs = {
        **prompts(),
        "prompt_attention_mask": mask,
        "negative_prompt_attention_mask": mask,
        "height": 64,
        "width": 64,
        "num_frames": 9,
    }
    return TinyPipeline(pipe, inputs, (1, 8, 4))
