"""The published facts, from the models' repositories, model cards and diffusers' conversion scripts."""

from __future__ import annotations

from typing import Any

from ._preset import Preset
from .resolution import TokenGrid

Config = dict[str, Any]


def _preset(
    name: str,
    hub_id: str | None,
    pipeline: str | None,
    config: Config,
    steps: int | None,
    guidance_scale: float | None,
    size: tuple[int, ...],
    *,
    grid: TokenGrid | None = None,
) -> Preset:
    """`size` is width, height and, for videos, the number of frames; () where nothing is published."""
    width, height, num_frames = ([*size, None, None, None])[:3]
    return Preset(
        name=name,
        hub_id=hub_id,
        pipeline=pipeline,
        settings=tuple(config.items()),
        steps=steps,
        guidance_scale=guidance_scale,
        width=width,
        height=height,
        num_frames=num_frames,
        grid=grid,
    )


_LDM = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_DDPM = {"num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}
_SD = {
    "_class_name": "PNDMScheduler",
    **_LDM,
    "prediction_type": "epsilon",
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
_SD21 = {
    "_class_name": "DDIMScheduler",
    **_LDM,
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
_SDXL = {
    "_class_name": "EulerDiscreteScheduler",
    **_LDM,
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
_SDXL_TURBO = {**_SDXL, "_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}
_CIFAR10 = {"_class_name": "DDPMScheduler", **_DDPM, "variance_type": "fixed_large", "clip_sample": True}
_DIT = {"_class_name": "DDIMScheduler", **_DDPM, "prediction_type": "epsilon", "clip_sample": False}
_PIXART = {
    "_class_name": "DPMSolverMultistepScheduler",
    **_DDPM,
    "prediction_type": "epsilon",
    "solver_order": 2,
    "algorithm_type": "dpmsolver++",
}
_SANA = {**_PIXART, "prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
_EDM = {
    "_class_name": "EDMEulerScheduler",
    "num_train_timesteps": 1000,
    "sigma_min": 0.002,
    "sigma_max": 80.0,
    "sigma_data": 0.5,
    "rho": 7.0,
}


def _cogvideox(snr_shift_scale: float) -> Config:
    return {
        "_class_name": "CogVideoXDDIMScheduler",
        **_LDM,
        "prediction_type": "v_prediction",
        "clip_sample": False,
        "set_alpha_to_one": True,
        "timestep_spacing": "trailing",
        "rescale_betas_zero_snr": True,
        "snr_shift_scale": snr_shift_scale,
    }


def _wan(flow_shift: float) -> Config:
    return {
        "_class_name": "UniPCMultistepScheduler",
        **_DDPM,
        "prediction_type": "flow_prediction",
        "solver_order": 2,
        "solver_type": "bh2",
        "final_sigmas_type": "zero",
        "use_flow_sigmas": True,
        "flow_shift": flow_shift,
    }


def _flow(shift: float) -> Config:
    return {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": shift}


def _dynamic_flow(tokens: tuple[int, int], mus: tuple[float, float], **more: Any) -> Config:
    """The shift depends on the size."""
    return {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "use_dynamic_shifting": True,
        "base_image_seq_len": tokens[0],
        "max_image_seq_len": tokens[1],
        "base_shift": mus[0],
        "max_shift": mus[1],
        "time_shift_type": "exponential",
        **more,
    }


_FLUX_DEV = _dynamic_flow((256, 4096), (0.5, 1.15), shift=3.0)
_QWEN = _dynamic_flow((256, 8192), (0.5, 0.9), shift=1.0, shift_terminal=0.02)
_LTX = _dynamic_flow((1024, 4096), (0.95, 2.05), shift=1.0, shift_terminal=0.1)
_SIDE_1024 = (1024, 1024)
_SD3 = "StableDiffusion3Pipeline"
_DIFFUSION = [
    _preset("ddpm", "google/ddpm-cifar10-32", "DDPMPipeline", _CIFAR10, 1000, None, (32, 32)),
    _preset("dit", "facebook/DiT-XL-2-256", "DiTPipeline", _DIT, 50, 4.0, (256, 256)),
    _preset("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "StableDiffusionPipeline", _SD, 50, 7.5, (512, 512)),
    _preset("sd21-base", "stabilityai/stable-diffusion-2-1-base", "StableDiffusionPipeline", _SD, 50, 7.5, (512, 512)),
    _preset("sd21", "stabilityai/stable-diffusion-2-1", "StableDiffusionPipeline", _SD21, 50, 7.5, (768, 768)),
    _preset(
        "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "StableDiffusionXLPipeline", _SDXL, 50, 5.0, _SIDE_1024
    ),
    _preset("sdxl-turbo", "stabilityai/sdxl-turbo", "StableDiffusionXLPipeline", _SDXL_TURBO, 1, 0.0, (512, 512)),
    _preset("pixart-alpha", "PixArt-alpha/PixArt-XL-2-1024-MS", "PixArtAlphaPipeline", _PIXART, 20, 4.5, _SIDE_1024),
    _preset(
        "pixart-sigma", "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "PixArtSigmaPipeline", _PIXART, 20, 4.5, _SIDE_1024
    ),
    _preset("cogvideox-2b", "THUDM/CogVideoX-2b", "CogVideoXPipeline", _cogvideox(3.0), 50, 6.0, (720, 480, 49)),
    _preset("cogvideox-5b", "THUDM/CogVideoX-5b", "CogVideoXPipeline", _cogvideox(1.0), 50, 6.0, (720, 480, 49)),
    # NVIDIA's EDM models are not on the Hub. The steps are Heun's: 18 are 35 network calls, 256 are 511.
    _preset("edm", None, None, _EDM, None, None, ()),
    _preset("edm-cifar10", None, None, _EDM, 18, None, (32, 32)),
    _preset("edm-imagenet", None, None, _EDM, 256, None, (64, 64)),
]
_FLOW_IMAGES = [
    _preset("sd3", "stabilityai/stable-diffusion-3-medium-diffusers", _SD3, _flow(3.0), 28, 7.0, _SIDE_1024),
    _preset("sd35-medium", "stabilityai/stable-diffusion-3.5-medium", _SD3, _flow(3.0), 40, 4.5, _SIDE_1024),
    _preset("sd35-large", "stabilityai/stable-diffusion-3.5-large", _SD3, _flow(3.0), 28, 3.5, _SIDE_1024),
    _preset("sd35-large-turbo", "stabilityai/stable-diffusion-3.5-large-turbo", _SD3, _flow(3.0), 4, 0.0, _SIDE_1024),
    _preset(
        "flux-dev", "black-forest-labs/FLUX.1-dev", "FluxPipeline", _FLUX_DEV, 50, 3.5, _SIDE_1024, grid=TokenGrid(16)
    ),
    _preset("flux-schnell", "black-forest-labs/FLUX.1-schnell", "FluxPipeline", _flow(1.0), 4, 0.0, _SIDE_1024),
    _preset("auraflow", "fal/AuraFlow", "AuraFlowPipeline", _flow(1.73), 50, 3.5, _SIDE_1024),
    _preset(
        "sana", "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers", "SanaPipeline", _SANA, 20, 4.5, _SIDE_1024
    ),
    _preset("qwen-image", "Qwen/Qwen-Image", "QwenImagePipeline", _QWEN, 50, 4.0, (1328, 1328), grid=TokenGrid(16)),
]
_FLOW_VIDEOS = [
    # The repository says flow_shift 3 for every size, its documentation 3 for 480p and 5 for 720p.
    _preset("wan2.1", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "WanPipeline", _wan(3.0), 50, 5.0, (832, 480, 81)),
    _preset("wan2.1-720p", "Wan-AI/Wan2.1-T2V-14B-Diffusers", "WanPipeline", _wan(5.0), 50, 5.0, (1280, 720, 81)),
    # Guidance 4 is the high-noise expert's, the low-noise one has 3. Wan's own code, not diffusers', shifts by 12.
    _preset("wan2.2-t2v-a14b", "Wan-AI/Wan2.2-T2V-A14B-Diffusers", "WanPipeline", _wan(3.0), 40, 4.0, (1280, 720, 81)),
    _preset("wan2.2-ti2v-5b", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", "WanPipeline", _wan(5.0), 50, 5.0, (1280, 704, 121)),
    _preset("ltx", "Lightricks/LTX-Video", "LTXPipeline", _LTX, 50, 3.0, (704, 512, 161), grid=TokenGrid(32, frames=8)),
    _preset(
        "hunyuan-video",
        "hunyuanvideo-community/HunyuanVideo",
        "HunyuanVideoPipeline",
        _flow(7.0),
        50,
        6.0,
        (1280, 720, 129),
    ),
]

PRESETS = {preset.name: preset for preset in (*_DIFFUSION, *_FLOW_IMAGES, *_FLOW_VIDEOS)}

ALIASES = {"sd35": "sd35-large"}
"""Other names."""
