"""The noise schedule that noise_schedule reads from diffusers' schedulers, against formulas and their own grids."""

from __future__ import annotations

import importlib
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from bare_pipelines import bare_pipeline, count_tokens  # noqa: E402
from diffusers_helpers import SD, build  # noqa: E402

noise_schedule = hso.diffusers.noise_schedule


def ve_sigmas(noise: Any) -> Any:
    """VE sigmas at the entries of a table of 1000."""
    return np.exp(-noise.lam(np.arange(1, 1001) / 1000.0))


def from_alpha_bar(alpha_bar: Any) -> Any:
    """Cumulative products of 1 - beta, beta = 1 - alpha_bar(t + dt)/alpha_bar(t), at most 0.999."""
    t = np.arange(1001) / 1000.0
    ratio = alpha_bar(t[1:]) / alpha_bar(t[:-1])
    return np.cumprod(np.maximum(ratio, 0.001))


def laplace(t: Any) -> Any:
    snr = np.exp(-0.5 * np.copysign(1.0, 0.5 - t) * np.log(1.0 - 2.0 * np.abs(0.5 - t) + 1e-6))
    return np.sqrt(snr / (1.0 + snr))


TRAINED = np.linspace(2e-4, 0.03, 1000)
# Nichol and Dhariwal 2021 (cosine), Jabri et al. 2022 (sigmoid betas), Hang and Gu 2024 (Laplace).
TABLES = {
    "linear": ("DDPMScheduler", {}, lambda: np.cumprod(1.0 - np.linspace(1e-4, 0.02, 1000))),
    "scaled_linear": (
        "DDPMScheduler",
        SD,
        lambda: np.cumprod(1.0 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2),
    ),
    "squaredcos_cap_v2": (
        "DDPMScheduler",
        {},
        lambda: from_alpha_bar(lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2),
    ),
    "sigmoid": (
        "DDPMScheduler",
        {},
        lambda: np.cumprod(1.0 - (1e-4 + (0.02 - 1e-4) / (1.0 + np.exp(-np.linspace(-6, 6, 1000))))),
    ),
    "laplace": ("DDPMScheduler", {}, lambda: from_alpha_bar(laplace)),
    "exp": ("HeunDiscreteScheduler", {}, lambda: from_alpha_bar(lambda t: np.exp(-12.0 * t))),
    "trained_betas": ("DPMSolverMultistepScheduler", {}, lambda: np.cumprod(1.0 - TRAINED)),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_their_formulas(name: str) -> None:
    cls, config, formula = TABLES[name]
    key = {"trained_betas": TRAINED.tolist()} if name == "trained_betas" else {"beta_schedule": name}
    try:
        scheduler = getattr(diffusers, cls)(**{**config, **key})
    except NotImplementedError:
        pytest.skip(f"this diffusers has no {name} table")
    noise = noise_schedule(scheduler)
    squared = formula()
    assert noise.family == "vp" and noise.num_train_timesteps == 1000
    # float32 leaves an error of 2^-24/(1 - alpha^2) in the first entries' sigma, and adds up in the last.
    limit = 4e-5 + 2.0**-22 / (1.0 - squared)
    assert np.all(np.abs(ve_sigmas(noise) / np.sqrt((1.0 - squared) / squared) - 1.0) < limit)


def test_cogvideox_tables() -> None:
    """The signal-to-noise ratio divided by 3, sqrt(alpha^2) then moved to 0 at the end and scaled back."""
    for cls in (diffusers.CogVideoXDDIMScheduler, diffusers.CogVideoXDPMScheduler):
        noise = noise_schedule(cls(**SD, snr_shift_scale=3.0, rescale_betas_zero_snr=True))
        squared = TABLES["scaled_linear"][2]()
        root = np.sqrt(1.0 / (1.0 + 3.0 * (1.0 - squared) / squared))
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        np.testing.assert_allclose(ve_sigmas(noise)[1:-1], np.sqrt(1.0 / root[1:-1] ** 2 - 1.0), rtol=1e-5)
        assert noise.lambda_range[0] == pytest.approx(-0.5 * np.log(2.0**24 - 1.0), rel=1e-12)


HONOUR_ZERO_SNR = ["DDIM", "DDPM", "EulerDiscrete", "EulerAncestralDiscrete", "DPMSolverMultistep", "UniPCMultistep"]
IGNORE_ZERO_SNR = ["DEISMultistep", "SASolver", "DPMSolverSinglestep", "HeunDiscrete", "LMSDiscrete", "KDPM2Discrete"]


@pytest.mark.parametrize("name", [*HONOUR_ZERO_SNR, "LCM", "TCD", *IGNORE_ZERO_SNR, "PNDM"])
def test_zero_terminal_snr_is_what_the_class_makes_of_it(name: str) -> None:
    config = dict(diffusers.DDIMScheduler(**SD, rescale_betas_zero_snr=True).config)
    scheduler = getattr(diffusers, f"{name}Scheduler").from_config(config)
    assert scheduler.config.get("rescale_betas_zero_snr") is True
    end = np.exp(-noise_schedule(scheduler).lambda_range[0])
    plain = TABLES["scaled_linear"][2]()[-1]
    ignored = name in (*IGNORE_ZERO_SNR, "PNDM")
    assert end == pytest.approx(np.sqrt(1.0 / plain - 1.0) if ignored else np.sqrt(2.0**24 - 1.0), rel=1e-4)


def test_a_table_changed_by_hand_is_read() -> None:
    scheduler = build("dpm1")
    before = noise_schedule(scheduler)
    assert noise_schedule(scheduler) is before  # built once
    scheduler.alphas_cumprod *= 0.99
    assert noise_schedule(scheduler) != before


def test_noise_schedules_of_flow_schedulers() -> None:
    make = diffusers.FlowMatchEulerDiscreteScheduler
    scheduler = make(shift=2.0)
    assert noise_schedule(scheduler) == hso.NoiseSchedule.flow(shift=2.0)
    scheduler.set_shift(5.0)
    assert noise_schedule(scheduler) == hso.NoiseSchedule.flow(shift=5.0)
    for kind, shift in (("exponential", np.exp(0.8)), ("linear", 0.8)):
        dynamic = make(use_dynamic_shifting=True, time_shift_type=kind)
        assert noise_schedule(dynamic, mu=0.8) == hso.NoiseSchedule.flow(shift=shift)
    for name in ("FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler", "FlowMapEulerDiscreteScheduler"):
        if hasattr(diffusers, name):
            assert noise_schedule(getattr(diffusers, name)(shift=4.0)) == hso.NoiseSchedule.flow(shift=4.0)


FLOW_SOLVERS = ["UniPCMultistep", "DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "SASolver"]


@pytest.mark.parametrize("name", FLOW_SOLVERS)
def test_the_shift_is_that_of_the_schedulers_own_grid(name: str) -> None:
    """What set_timesteps makes of equal steps, inverted: s = shift u/(1 + (shift - 1) u)."""
    make = getattr(diffusers, f"{name}Scheduler")
    dynamic = {} if name == "SASolver" else {"use_dynamic_shifting": True}
    for config, mu in (({"flow_shift": 3.0}, None), (dynamic, 0.7 if dynamic else None)):
        scheduler = make(use_flow_sigmas=True, prediction_type="flow_prediction", **config)
        noise = noise_schedule(scheduler, mu=mu)
        scheduler.set_timesteps(8, **({} if mu is None else {"mu": mu}))
        s = np.asarray(scheduler.sigmas.double())[1:-1]  # 1 is taken as a little less by UniPC
        s = s[: 7 - (s[-1] == s[-2])]  # a doubled last entry (DEIS, SA)
        u = s / (noise.shift - (noise.shift - 1.0) * s)
        np.testing.assert_allclose(np.diff(u, 2), 0.0, atol=1e-6)
        assert noise.family == "flow" and noise.shift == pytest.approx(
            np.exp(mu) if mu else scheduler.config.flow_shift
        )


def test_keys_of_other_classes_are_ignored() -> None:
    """from_config keeps them in the configuration, and the class knows nothing of them."""
    flow = diffusers.DPMSolverMultistepScheduler(**SD, use_flow_sigmas=True, flow_shift=3.0, use_dynamic_shifting=True)
    euler = diffusers.EulerDiscreteScheduler.from_config(flow.config)
    assert euler.config.use_flow_sigmas is True
    assert noise_schedule(euler) == noise_schedule(diffusers.EulerDiscreteScheduler(**SD))
    sa = diffusers.SASolverScheduler.from_config(flow.config)
    assert sa.config.use_dynamic_shifting is True
    assert noise_schedule(sa) == hso.NoiseSchedule.flow(shift=3.0)


def test_noise_schedules_of_edm_schedulers() -> None:
    for cls in (diffusers.EDMEulerScheduler, diffusers.EDMDPMSolverMultistepScheduler):
        edm = hso.NoiseSchedule.edm(sigma_min=0.01, sigma_max=50.0)
        assert noise_schedule(cls(sigma_min=0.01, sigma_max=50.0)) == edm
    continuous = build("euler", timestep_type="continuous", prediction_type="v_prediction")
    low, high = noise_schedule(continuous).lambda_range
    table = continuous.alphas_cumprod.double()
    sigmas = ((1.0 - table) / table).sqrt()
    assert (np.exp(-high), np.exp(-low)) == pytest.approx((sigmas[0].item(), sigmas[-1].item()))
    video = {"timestep_type": "continuous", "prediction_type": "v_prediction", "sigma_min": 0.002, "sigma_max": 700.0}
    assert noise_schedule(build("euler", **video)) == hso.NoiseSchedule.edm(sigma_min=0.002, sigma_max=700.0)


def bare(cls: Any) -> Any:
    """A pipeline without networks, with dynamic shifting through two points that no model has."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_image_seq_len=300, max_image_seq_len=5000, base_shift=0.4, max_shift=1.3
    )
    return bare_pipeline(cls, scheduler)


SIZES = [(1024, 1024, None), (512, 768, None), (1000, 680, None)]
PIPELINES = {
    "FluxPipeline": ("flux.pipeline_flux", SIZES),
    "QwenImagePipeline": ("qwenimage.pipeline_qwenimage", SIZES),
    "ChromaPipeline": ("chroma.pipeline_chroma", SIZES),
    "StableDiffusion3Pipeline": ("stable_diffusion_3.pipeline_stable_diffusion_3", SIZES),
    "ZImagePipeline": ("z_image.pipeline_z_image", SIZES),
    "Lumina2Pipeline": ("lumina2.pipeline_lumina2", SIZES),
    "LTXPipeline": ("ltx.pipeline_ltx", [(704, 512, 161), (1216, 704, 97), (500, 500, 16)]),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_mu_for_a_size_is_the_pipelines(name: str, tmp_path: Path) -> None:
    module, sizes = PIPELINES[name]
    if not hasattr(diffusers, name):
        pytest.skip(f"this diffusers has no {name}")
    theirs = importlib.import_module(f"diffusers.pipelines.{module}").calculate_shift
    cls = getattr(diffusers, name)
    pipe = bare(cls)
    (tmp_path / "model_index.json").write_text(
        json.dumps({"_class_name": name, "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]})
    )
    pipe.scheduler.save_pretrained(tmp_path / "scheduler")
    for width, height, frames in sizes:
        mu = theirs(count_tokens(pipe, width, height, frames), 300, 5000, 0.4, 1.3)
        for source in (pipe, tmp_path):
            noise = noise_schedule(source, width=width, height=height, num_frames=frames)
            assert noise.shift == pytest.approx(np.exp(mu), rel=1e-12)
    pipe.scheduler.set_timesteps(sigmas=[0.5], mu=mu)
    assert float(pipe.scheduler.sigmas[0]) == pytest.approx(noise.shifted(0.5), rel=1e-6)


def test_mu_of_cogview4() -> None:
    """A square root, with other meanings of base_shift and max_shift."""
    from diffusers.pipelines.cogview4.pipeline_cogview4 import calculate_shift

    pipe = bare(diffusers.CogView4Pipeline)
    for side in (512, 1024):
        mu = calculate_shift((side // 8) ** 2 // 4, 300, 0.4, 1.3)
        assert noise_schedule(pipe, width=side, height=side).shift == pytest.approx(np.exp(mu), rel=1e-12)


def test_a_scheduler_alone_is_taken_to_have_tokens_of_16_pixels() -> None:
    dynamic = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    assert noise_schedule(dynamic, width=1024, height=1024).shift == pytest.approx(np.exp(1.15), rel=1e-12)
    assert noise_schedule(dynamic, width=256, height=256).shift == pytest.approx(np.exp(0.5), rel=1e-12)
    unipc = diffusers.UniPCMultistepScheduler(use_flow_sigmas=True, use_dynamic_shifting=True)
    assert noise_schedule(unipc, width=256, height=256).shift == pytest.approx(np.exp(0.5), rel=1e-12)


HOLDING = {
    "a shift by size": ("FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}, {"mu": 0.7}),
    "flow sigmas": ("UniPCMultistepScheduler", {"use_flow_sigmas": True, "flow_shift": 3.0}, {}),
    "EDM": ("EDMEulerScheduler", {"sigma_min": 0.01, "sigma_max": 50.0}, {}),
    "a table": ("DPMSolverMultistepScheduler", SD, {}),
    "a table on x / alpha": ("EulerDiscreteScheduler", SD, {}),
}


@pytest.mark.parametrize("name", HOLDING)
def test_a_scheduler_that_holds_a_schedule_has_the_noise_it_had(name: str) -> None:
    """Servers read it anew for each request, after the last one's schedule was applied."""
    kind, config, size = HOLDING[name]
    scheduler = getattr(diffusers, kind)(**config)
    before = noise_schedule(scheduler, **size)
    hso.diffusers.apply(scheduler, hso.optimize(before, 5))
    assert noise_schedule(scheduler, **size) == before


DYNAMIC = {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True}
FIXED = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}
WRONG_SIZES = {
    "nothing": (DYNAMIC, {}, "mu must be given, or width and height"),
    "width alone": (DYNAMIC, {"width": 512}, "mu must be given, or width and height"),
    "NaN": (DYNAMIC, {"mu": float("nan")}, "mu must be finite, got nan"),
    "text": (DYNAMIC, {"mu": "1.15"}, "mu must be a real number, got '1.15'"),
    "both": (DYNAMIC, {"mu": 1.0, "width": 512, "height": 512}, "width=512, height=512 must be left out with mu=1.0"),
    "too small": (DYNAMIC, {"width": 512, "height": 8}, r"height must be in 16\.\..*, got 8"),
    "not whole": (DYNAMIC, {"width": 512.0, "height": 512}, "width must be an integer, got 512.0"),
    "a video of unknown kind": (DYNAMIC, {"width": 512, "height": 512, "num_frames": 9}, "num_frames=9.*pipeline"),
    "a fixed shift": (FIXED, {"width": 512, "height": 512}, "width=512, height=512 must be left out.*a fixed shift"),
    "mu on a fixed shift": (FIXED, {"mu": 0.8}, "mu=0.8 must be left out.*a fixed shift"),
    "mu on a table": ({"_class_name": "DDIMScheduler"}, {"mu": 0.8}, "mu=0.8 must be left out.*no shift"),
}


@pytest.mark.parametrize("name", WRONG_SIZES)
def test_wrong_sizes_are_refused(name: str) -> None:
    config, arguments, message = WRONG_SIZES[name]
    with pytest.raises(ValueError, match=message):
        noise_schedule(config, **arguments)


def test_pipelines_with_other_rules_want_mu() -> None:
    pipe = bare(diffusers.HiDreamImagePipeline)
    with pytest.raises(ValueError, match="mu must be given: how HiDreamImagePipeline computes it"):
        noise_schedule(pipe, width=512, height=512)
    assert noise_schedule(pipe, mu=1.0).shift == pytest.approx(np.e)
    flux = bare(diffusers.FluxPipeline)
    with pytest.raises(ValueError, match="num_frames must be left out for an image model, got 9"):
        noise_schedule(flux, width=512, height=512, num_frames=9)


def test_from_a_configuration_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All spellings of one scheduler; nothing is downloaded, and a model's folder needs no weights."""
    scheduler = diffusers.DPMSolverMultistepScheduler(**SD, use_flow_sigmas=True, flow_shift=3.0)
    model = tmp_path / "model"
    scheduler.save_pretrained(model / "scheduler")
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    config = json.loads((model / "scheduler" / "scheduler_config.json").read_text())
    sources = [
        config,
        model / "scheduler" / "scheduler_config.json",
        str(model / "scheduler" / "scheduler_config.json"),
        model / "scheduler",
        model,
    ]
    assert [noise_schedule(source) for source in sources] == [noise_schedule(scheduler)] * 5
    # from_pretrained goes by the index, not by the configuration's own class
    index = {"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "EulerDiscreteScheduler"]}
    (model / "model_index.json").write_text(json.dumps(index))
    table = noise_schedule(diffusers.EulerDiscreteScheduler(**SD))
    assert noise_schedule(model) == noise_schedule(str(model / "model_index.json")) == table


def test_old_repositories_name_flax_classes() -> None:
    assert noise_schedule({"_class_name": "FlaxDDIMScheduler", **SD}) == noise_schedule(diffusers.DDIMScheduler(**SD))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


DDIM = json.dumps({"_class_name": "DDIMScheduler"})
INDEX = json.dumps({"_class_name": "X", "scheduler": ["diffusers", "DDIMScheduler"]})
BAD_SOURCES: dict[str, tuple[Any, str]] = {
    "missing": (lambda f: f / "nothing", "no file or folder .*nothing.*nothing is downloaded"),
    "a name from the Hub": (lambda f: "stabilityai/stable-diffusion-2-1", "no file or folder 'stabilityai/stable"),
    "empty folder": (lambda f: f, "holds neither scheduler_config.json nor model_index.json"),
    "not JSON": (lambda f: write(f, scheduler_config_json="{"), "scheduler_config.json' cannot be read as JSON"),
    "not text": (lambda f: write(f, a_json="\0") / "a.json", "a.json' cannot be read as JSON"),
    "a list": (lambda f: write(f, scheduler_config_json="[]"), "must hold a JSON object, got list"),
    "no class in a file": (lambda f: write(f, scheduler_config_json="{}"), "scheduler_config.json' has no _class_name"),
    "no class": (lambda f: dict(SD), "source has no _class_name"),
    "a model": (lambda f: {"_class_name": "UNet2DModel"}, "_class_name must be a scheduler .*got 'UNet2DModel'"),
    "unknown class": (lambda f: {"_class_name": "MyScheduler"}, "_class_name must be a scheduler .*'MyScheduler'"),
    "a module": (lambda f: {"_class_name": "os.Scheduler"}, "_class_name must be a scheduler"),
    "a foreign module": (
        lambda f: write(f, model_index_json=json.dumps({"scheduler": ["mine", "DDIMScheduler"]})),
        r"must name a scheduler of diffusers, got \['mine', 'DDIMScheduler'\]",
    ),
    "no scheduler folder": (lambda f: write(f, model_index_json=INDEX), "no file .*scheduler_config.json"),
    "a bad value": (
        lambda f: {"_class_name": "DDIMScheduler", "beta_schedule": "cubic"},
        "DDIMScheduler cannot be built from the configuration: cubic is not implemented",
    ),
    "no table": (lambda f: {"_class_name": "IPNDMScheduler"}, "IPNDMScheduler has no alphas_cumprod"),
    "other timesteps": (lambda f: {**FIXED, "num_train_timesteps": 500}, "num_train_timesteps=500"),
    "inverted": (lambda f: {**FIXED, "invert_sigmas": True}, "invert_sigmas=True"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_sources_are_refused(name: str, tmp_path: Path) -> None:
    make, message = BAD_SOURCES[name]
    with pytest.raises(ValueError, match=message):
        noise_schedule(make(tmp_path))


def test_what_is_no_source_is_a_type_error() -> None:
    for value in (None, 3, object(), [DDIM]):
        with pytest.raises(TypeError, match=f"source must be .* got {type(value).__name__}"):
            noise_schedule(value)


def test_every_listed_pipeline_has_the_linear_rule() -> None:
    """Its module's calculate_shift, at numbers of no model."""
    from hso.diffusers._image_size import _PACKED, _PATCHED, _VIDEO

    found = [name for name in sorted(_PACKED | _PATCHED | _VIDEO) if hasattr(diffusers, name)]
    assert len(found) > 15
    for name in found:
        theirs = importlib.import_module(getattr(diffusers, name).__module__).calculate_shift
        ours = hso.resolution.LinearShift(300, 5000, 0.4, 1.3)
        for tokens in (100, 4096, 9999):
            assert ours.mu(tokens) == pytest.approx(theirs(tokens, 300, 5000, 0.4, 1.3), rel=1e-12)
