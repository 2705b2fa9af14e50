"""diffusers' own pipelines around networks of a few thousand random weights, built without a download.

Text encoders and tokenizers are left out: the prompts are random embeddings. Everything else is what
a user runs: the pipeline's call, its way of asking for timesteps, its network and its decoder.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import numpy as np
import PIL.Image
import torch
import transformers

SIZE = 8  # of images and latents, in pixels
EMBEDDING = 16


@dataclass(frozen=True)
class TinyPipeline:
    """A pipeline and what its call needs besides ``num_inference_steps``.

    Attributes:
        pipe: the pipeline.
        inputs: its arguments, tensors in float32 on the CPU.
        latents: shape of the noise that it starts from.
        network: the name of the component that is told the timesteps.
        prediction: what the pipeline takes the network's output for.
        unit: how many of the scheduler's timesteps are one of the network's (Flux, Qwen-Image: 1000).
        casts: whether timesteps take the type of the latents on their way to the network.
        calls: network calls for one evaluation; where guidance is not a batch, two.
    """

    pipe: Any
    inputs: dict[str, Any]
    latents: tuple[int, ...]
    network: str = "transformer"
    prediction: str = "flow_prediction"
    unit: float = 1.0
    casts: bool = False
    calls: int = 1

    def __call__(self, steps: int, **more: Any) -> Any:
        """Run the pipeline where it is, in its network's type; by default return the last latents."""
        given = {"generator": torch.Generator().manual_seed(2), **self.inputs, **more}
        if "output_type" not in given and not isinstance(self.pipe, diffusers.DiTPipeline):
            given["output_type"] = "latent"
        placed = {name: self._placed(value) for name, value in given.items()}
        return self.pipe(num_inference_steps=steps, return_dict=False, **placed)[0]

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(self.pipe._execution_device, self.dtype if value.is_floating_point() else None)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the network's weights."""
        return next(getattr(self.pipe, self.network).parameters()).dtype

    def noise(self) -> torch.Tensor:
        """Unit noise to pass as ``latents``, in float32."""
        return torch.randn(self.latents, generator=torch.Generator().manual_seed(1))

    def told(self, timesteps: Any) -> list[float]:
        """What the network must be told for the scheduler's ``timesteps``: float32, cast and divided."""
        values = torch.tensor(np.asarray(timesteps), dtype=torch.float32)
        return (values.to(self.dtype if self.casts else torch.float32) / self.unit).tolist()

    def with_pipe(self, pipe: Any) -> TinyPipeline:
        """The same call of another pipeline."""
        return replace(self, pipe=pipe)


def vae() -> Any:
    """No reduction of size, so that latents are as large as images."""
    return diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=32, latent_channels=4, shift_factor=0.0)


def _unet(**config: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=SIZE,
        block_out_channels=(8, 16),
        norm_num_groups=8,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=EMBEDDING,
        attention_head_dim=8,
        **config,
    )


def embeddings(*shape: int, seed: int = 0) -> torch.Tensor:
    """Stand-ins for what text encoders return."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def prompts() -> dict[str, torch.Tensor]:
    """Of seven tokens, and as many not to follow."""
    return {
        "prompt_embeds": embeddings(1, 7, EMBEDDING),
        "negative_prompt_embeds": embeddings(1, 7, EMBEDDING, seed=1),
    }


def quiet(make: Callable[..., Any], **components: Any) -> Any:
    """Build a pipeline without its complaints of missing parts, and without its progress bar."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = make(**components)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def stable_diffusion(scheduler: Any, make: Any = diffusers.StableDiffusionPipeline, **unet: Any) -> TinyPipeline:
    """Stable Diffusion 1.5, and what shares its components (image to image, inpainting)."""
    parts = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    pipe = quiet(
        make, vae=vae(), unet=_unet(**unet), scheduler=scheduler, requires_safety_checker=False, **parts
    )  # fmt: skip
    return TinyPipeline(pipe, prompts(), (1, 4, SIZE, SIZE), "unet", "epsilon")


def stable_diffusion_img2img(scheduler: Any) -> TinyPipeline:
    """The image is given as latents, 0.25 everywhere, which no encoder touches."""
    tiny = stable_diffusion(scheduler, diffusers.StableDiffusionImg2ImgPipeline)
    tiny.inputs["image"] = torch.full(tiny.latents, 0.25)
    return tiny


def stable_diffusion_xl(scheduler: Any) -> TinyPipeline:
    """Its UNet also gets pooled embeddings and six image sizes."""
    unet = _unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=EMBEDDING + 6 * 8,
    )
    parts = {"text_encoder": None, "text_encoder_2": None, "tokenizer": None, "tokenizer_2": None}
    pipe = quiet(diffusers.StableDiffusionXLPipeline, vae=vae(), unet=unet, scheduler=scheduler, **parts)
    inputs = {
        **prompts(),
        "pooled_prompt_embeds": embeddings(1, EMBEDDING),
        "negative_pooled_prompt_embeds": embeddings(1, EMBEDDING, seed=1),
    }
    # Unlike the others it has no text encoder that would tell it the size of the pooled embeddings.
    return TinyPipeline(pipe, inputs, (1, 4, SIZE, SIZE), "unet", "epsilon")


def latent_consistency(scheduler: Any) -> TinyPipeline:
    """Guidance goes in as an embedding: one call per evaluation, and no negative prompt."""
    parts = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    pipe = quiet(
        diffusers.LatentConsistencyModelPipeline,
        vae=vae(),
        unet=_unet(time_cond_proj_dim=8),
        scheduler=scheduler,
        requires_safety_checker=False,
        **parts,
    )
    inputs = {"prompt_embeds": embeddings(1, 7, EMBEDDING)}
    return TinyPipeline(pipe, inputs, (1, 4, SIZE, SIZE), "unet", "epsilon")


def pixart_alpha(scheduler: Any) -> TinyPipeline:
    """A transformer that also predicts variances, which the pipeline drops."""
    transformer = diffusers.PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        cross_attention_dim=16,
        caption_channels=EMBEDDING,
        sample_size=SIZE,
        use_additional_conditions=False,
    )
    pipe = quiet(
        diffusers.PixArtAlphaPipeline,
        tokenizer=None,
        text_encoder=None,
        vae=vae(),
        transformer=transformer,
        scheduler=scheduler,
    )
    mask = torch.ones(1, 7)
    inputs = {
        **prompts(),
        "prompt_attention_mask": mask,
        "negative_prompt_attention_mask": mask,
        "negative_prompt": None,
        "height": SIZE,
        "width": SIZE,
        "use_resolution_binning": False,
    }
    return TinyPipeline(pipe, inputs, (1, 4, SIZE, SIZE), "transformer", "epsilon")


def dit(scheduler: Any) -> TinyPipeline:
    """Calls ``set_timesteps`` itself; takes no latents."""
    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        sample_size=SIZE,
        patch_size=2,
        num_embeds_ada_norm=1000,
    )
    pipe = quiet(diffusers.DiTPipeline, transformer=transformer, vae=vae(), scheduler=scheduler)
    return TinyPipeline(pipe, {"class_labels": [1]}, (1, 4, SIZE, SIZE), "transformer", "epsilon")


def stable_video_diffusion(scheduler: Any) -> TinyPipeline:
    """Told log(sigma)/4. An image stands in for the prompt."""
    unet = diffusers.UNetSpatioTemporalConditionModel(
        sample_size=SIZE,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        block_out_channels=(32, 32),
        layers_per_block=1,
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=3 * 8,
        cross_attention_dim=EMBEDDING,
        num_attention_heads=2,
        num_frames=2,
    )
    vae = diffusers.AutoencoderKLTemporalDecoder(block_out_channels=(32,), latent_channels=4, layers_per_block=1)
    vision = transformers.CLIPVisionConfig(
        hidden_size=EMBEDDING,
        intermediate_size=EMBEDDING,
        projection_dim=EMBEDDING,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=224,  # the pipeline's own choice
        patch_size=112,
    )
    pipe = quiet(
        diffusers.StableVideoDiffusionPipeline,
        vae=vae,
        image_encoder=transformers.CLIPVisionModelWithProjection(vision),
        unet=unet,
        scheduler=scheduler,
        feature_extractor=transformers.CLIPImageProcessor(do_resize=False, do_center_crop=False),
    )
    inputs = {"image": PIL.Image.new("RGB", (SIZE, SIZE), "gray"), "height": SIZE, "width": SIZE}
    return TinyPipeline(pipe, inputs, (1, 2, 4, SIZE, SIZE), "unet", "v_prediction")
