"""Presets against diffusers: its scheduler classes, its pipelines' rules for sizes, their default arguments."""

from __future__ import annotations

import importlib
import inspect
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

import hso
from bare_pipelines import bare_pipeline, count_tokens

NAMES = hso.presets.names()
SIZED = {"flux-dev": [(1024, 1024, None), (512, 512, None), (1360, 768, None)]}
SIZED["qwen-image"] = [*SIZED["flux-dev"], (1328, 1328, None)]
SIZED["ltx"] = [(704, 512, 161), (1216, 704, 97)]


def test_names() -> None:
    assert sorted(NAMES) == NAMES and len(set(NAMES)) == len(NAMES)
    for name in NAMES:
        preset = hso.presets.get(name)
        assert preset.name == name or name == "sd35"
        assert preset in {preset} and pickle.loads(pickle.dumps(preset)) == preset
    with pytest.raises(ValueError, match=r"name must be one of .*'sd15'.*, got 'sd99'"):
        hso.presets.get("sd99")


def test_a_preset_cannot_be_changed() -> None:
    preset = hso.presets.get("sd15")
    with pytest.raises(FrozenInstanceError):
        preset.steps = 3
    preset.scheduler_config["beta_start"] = 0.5
    assert preset.scheduler_config["beta_start"] == 0.00085


def built(name: str) -> Any:
    """The scheduler of diffusers that the preset's configuration describes."""
    diffusers = pytest.importorskip("diffusers")
    preset = hso.presets.get(name)
    config = preset.scheduler_config
    return getattr(diffusers, config.pop("_class_name"))(**config)


@pytest.mark.parametrize("name", NAMES)
def test_configurations_have_no_key_that_the_class_ignores(name: str) -> None:
    scheduler, preset = built(name), hso.presets.get(name)
    accepted = inspect.signature(type(scheduler)).parameters
    assert {"_class_name"} == set(preset.scheduler_config) - set(accepted)
    prediction = scheduler.config.get("prediction_type", "flow_prediction")
    assert preset.prediction_type == prediction and preset.scheduler == type(scheduler).__name__


@pytest.mark.parametrize("name", NAMES)
def test_the_noise_schedule_is_that_of_diffusers_class(name: str) -> None:
    scheduler, preset, noise = built(name), hso.presets.get(name), hso.NoiseSchedule.preset(name)
    dynamic = bool(scheduler.config.get("use_dynamic_shifting", False))
    assert dynamic == (preset.grid is not None)
    # The size needs the pipeline where a token is not 16 pixels wide; its rule is tested below.
    mu = float(np.log(noise.shift)) if dynamic else None
    for source in (scheduler, preset.scheduler_config):
        theirs = hso.diffusers.noise_schedule(source, mu=mu)
        assert (noise.family, noise.num_train_timesteps) == (theirs.family, theirs.num_train_timesteps)
        assert noise.shift == pytest.approx(theirs.shift, rel=1e-12)
        assert noise.t_range == theirs.t_range
        # 1 - alpha^2 of a float32 table loses digits to cancellation, all in the first entries.
        lam = noise.lam(np.linspace(*noise.t_range, 1000))
        rounding = 2.0**-24 / noise.sigma(lam) ** 2 if noise.family == "vp" else 0.0
        error = np.abs(np.exp(lam - theirs.lam(np.linspace(*noise.t_range, 1000))) - 1.0)
        assert np.all(error < 1e-5 + rounding)


def test_what_each_flow_preset_runs_at_its_own_size() -> None:
    """Shifts written out: what is published, and mu at the card's size computed by hand."""
    shifts = {
        "sd3": 3.0,
        "sd35": 3.0,
        "sd35-medium": 3.0,
        "sd35-large": 3.0,
        "sd35-large-turbo": 3.0,
        "flux-dev": np.exp(1.15),
        "flux-schnell": 1.0,
        "auraflow": 1.73,
        "sana": 3.0,
        "qwen-image": np.exp(0.5 + 0.4 * (83 * 83 - 256) / 7936),
        "wan2.1": 3.0,
        "wan2.1-720p": 5.0,
        "wan2.2-t2v-a14b": 3.0,
        "wan2.2-ti2v-5b": 5.0,
        "ltx": np.exp(0.95 + 1.1 * (21 * 16 * 22 - 1024) / 3072),
        "hunyuan-video": 7.0,
    }
    flow = {name for name in NAMES if hso.NoiseSchedule.preset(name).family == "flow"}
    assert flow == set(shifts)
    for name, shift in shifts.items():
        assert hso.NoiseSchedule.preset(name).shift == pytest.approx(shift, rel=1e-12)
        assert hso.NoiseSchedule.preset(name, shift=2.5).shift == 2.5


@pytest.mark.parametrize("name", SIZED)
def test_shifts_of_sizes_are_the_pipelines(name: str) -> None:
    """Their calculate_shift, on the tokens of the latents that the pipeline itself makes."""
    diffusers = pytest.importorskip("diffusers")
    preset, scheduler = hso.presets.get(name), built(name)
    cls = getattr(diffusers, str(preset.pipeline))
    pipe = bare_pipeline(cls, scheduler)
    theirs = importlib.import_module(cls.__module__).calculate_shift
    for width, height, frames in SIZED[name]:
        config = scheduler.config
        tokens = count_tokens(pipe, width, height, frames)
        mu = theirs(tokens, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
        ours = hso.NoiseSchedule.preset(name, width=width, height=height, num_frames=frames)
        assert ours.shift == pytest.approx(np.exp(mu), rel=1e-12)
        assert ours == hso.diffusers.noise_schedule(pipe, width=width, height=height, num_frames=frames)
        # and the scheduler, told this mu, makes of u what the noise schedule makes of it
        scheduler.register_to_config(shift_terminal=None)
        scheduler.set_timesteps(sigmas=[0.9, 0.3], mu=mu)
        assert scheduler.sigmas[:2].tolist() == pytest.approx([ours.shifted(0.9), ours.shifted(0.3)], rel=1e-6)


WRONG = {
    "no size": ("sd15", {"width": 512, "height": 512}, "width=512, height=512 must be left out: preset 'sd15' has the"),
    "no size of a flow model": ("sd3", {"height": 512}, "height=512 must be left out: preset 'sd3' has the same"),
    "frames of an image": ("flux-dev", {"num_frames": 9}, "num_frames must be left out for an image model, got 9"),
    "shift and size": ("flux-dev", {"shift": 2.0, "width": 512}, r"width=512 must be left out with shift=2\.0"),
    "shift of a table": (
        "sdxl",
        {"shift": 2.0},
        r"shift must be left out for preset 'sdxl', .*no flow model, got 2\.0",
    ),
    "small": ("flux-dev", {"width": 15}, r"width must be in 16\.\..*, got 15"),
    "no number": ("ltx", {"height": "512"}, "height must be an integer, got '512'"),
    "no frames": ("ltx", {"num_frames": 0}, r"num_frames must be in 1\.\..*, got 0"),
    "no shift": ("sd3", {"shift": 0.0}, "shift must be .*positive.*0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_refused(case: str) -> None:
    name, arguments, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        hso.NoiseSchedule.preset(name, **arguments)


def test_what_is_left_out_of_a_size_is_the_cards() -> None:
    preset = hso.NoiseSchedule.preset
    assert preset("flux-dev", width=1024) == preset("flux-dev", height=1024) == preset("flux-dev")
    assert preset("ltx", width=704, height=512) == preset("ltx") != preset("ltx", num_frames=9)


# Model cards that ask for something else than diffusers' pipeline does by itself.
CARDS: dict[str, dict[str, Any]] = {
    "sdxl-turbo": {"num_inference_steps": 1, "guidance_scale": 0.0},
    "sd35-medium": {"num_inference_steps": 40, "guidance_scale": 4.5},
    "sd35-large": {"guidance_scale": 3.5},
    "sd35-large-turbo": {"num_inference_steps": 4, "guidance_scale": 0.0},
    "flux-dev": {"num_inference_steps": 50},
    "flux-schnell": {"num_inference_steps": 4, "guidance_scale": 0.0},
    "wan2.1-720p": {"width": 1280, "height": 720},
    "wan2.2-t2v-a14b": {"num_inference_steps": 40, "guidance_scale": 4.0, "width": 1280, "height": 720},
    "wan2.2-ti2v-5b": {"width": 1280, "height": 704, "num_frames": 121},
}
CARDS["sd35"] = CARDS["sd35-large"]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("edm")])
def test_defaults_are_the_pipelines_or_the_cards(name: str) -> None:
    preset = hso.presets.get(name)
    cls = getattr(pytest.importorskip("diffusers"), str(preset.pipeline))
    theirs = {key: parameter.default for key, parameter in inspect.signature(cls.__call__).parameters.items()}
    guidance = "true_cfg_scale" if theirs.get("true_cfg_scale", 1.0) > 1.0 else "guidance_scale"
    ours = {
        "num_inference_steps": preset.steps,
        guidance: preset.guidance_scale,
        "width": preset.width,
        "height": preset.height,
        "num_frames": preset.num_frames,
    }
    defined = {key: theirs[key] for key in ours if theirs.get(key) is not None}
    cards = CARDS.get(name, {})
    assert all(defined.get(key) != value for key, value in cards.items()), "an exception that is none"
    assert {key: ours[key] for key in defined} == defined | {key: cards[key] for key in cards if key in defined}


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux-dev", "flux-schnell"])
def test_sizes_that_pipelines_have_without_networks(name: str) -> None:
    preset = hso.presets.get(name)
    cls = getattr(pytest.importorskip("diffusers"), str(preset.pipeline))
    pipe = bare_pipeline(cls, built(name))
    assert preset.width == preset.height == pipe.default_sample_size * pipe.vae_scale_factor


def test_cogvideox_sizes_are_the_transformers_defaults() -> None:
    transformer = pytest.importorskip("diffusers").CogVideoXTransformer3DModel
    default = {key: value.default for key, value in inspect.signature(transformer).parameters.items()}
    preset = hso.presets.get("cogvideox-2b")
    assert (preset.width, preset.height) == (8 * default["sample_width"], 8 * default["sample_height"])
    assert preset.num_frames == default["sample_frames"]
