"""What else is done with a pipeline that holds a schedule: image to image, ensembles, copies, files, other devices."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")
accelerate = pytest.importorskip("accelerate")

import hso  # noqa: E402
from diffusers_helpers import SD, schedule_on  # noqa: E402
from pipeline_runs import ON_GPU, X0, Recorder, build, optimized, starts  # noqa: E402
from reference_solvers import vp_levels  # noqa: E402
from tiny_flow_pipelines import wan  # noqa: E402
from tiny_pipelines import stable_diffusion  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")

DEVICES = ["cpu", pytest.param("cuda", marks=ON_GPU)]
DYNAMIC = {"use_dynamic_shifting": True}
NAMES = [
    "DDIMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "UniPCMultistepScheduler",
]
NOISY = ["DDPMScheduler", "EulerAncestralDiscreteScheduler", "LCMScheduler", "SASolverScheduler", "TCDScheduler"]


def held(pipeline: str = "sd", name: str = "UniPCMultistepScheduler", steps: int = 5, **config: Any) -> tuple[Any, Any]:
    """A pipeline that holds a schedule of so many calls, and the schedule."""
    tiny = build(pipeline, name, config or SD)
    schedule = optimized(tiny.pipe, steps)
    hso.diffusers.apply(tiny.pipe, schedule)
    return tiny, schedule


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("strength", [0.25, 0.6, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_image_to_image_runs_the_tail_of_the_schedule(name: str, strength: float, device: str) -> None:
    """From alpha x0 + sigma eps of the first node that is left: the image lies on the ray of X0."""
    tiny = build("img2img", name, SD, device)
    schedule = optimized(tiny.pipe, 15 if name.startswith(("Heun", "KDPM2")) else 8)
    assert schedule.steps == 8
    hso.diffusers.apply(tiny.pipe, schedule)
    recorder = Recorder(tiny, on_ray=True)
    tiny(8, image=torch.full(tiny.latents, X0), strength=strength)
    first = 8 - int(8 * strength)
    assert starts(schedule, recorder.told) == tiny.told(schedule.timesteps[first:])
    assert len(recorder.told) == schedule.nfe - first * (schedule.nfe + 1) // 8
    levels = vp_levels(np.asarray(schedule.sigmas))
    eps = torch.randn(tiny.latents, generator=torch.Generator().manual_seed(2))[0]
    for i, x in enumerate(starts(schedule, recorder.seen), start=first):
        torch.testing.assert_close(x, (levels.alpha[i] * X0 + levels.sigma[i] * eps).float(), rtol=0.0, atol=2e-5)


@pytest.mark.parametrize("name", [*NAMES, *NOISY])
def test_inpainting_keeps_the_known_at_the_levels_of_the_schedule(name: str) -> None:
    """After every step the known part, here all, is noised anew to the next node's level."""
    tiny = stable_diffusion(getattr(diffusers, name)(**SD), diffusers.StableDiffusionInpaintPipeline)
    schedule = optimized(tiny.pipe, 15 if name.startswith(("Heun", "KDPM2")) else 8)
    hso.diffusers.apply(tiny.pipe, schedule)
    schedule = hso.diffusers.realised(tiny.pipe)
    recorder = Recorder(tiny)
    tiny(8, image=torch.full(tiny.latents, X0), mask_image=torch.zeros(1, 1, 8, 8), height=8, width=8, strength=0.75)
    assert starts(schedule, recorder.told) == tiny.told(schedule.timesteps[2:])
    levels = vp_levels(np.asarray(schedule.sigmas))
    eps = [(x - levels.alpha[i] * X0) / levels.sigma[i] for i, x in enumerate(starts(schedule, recorder.seen), start=2)]
    assert 0.8 < float(eps[0].std()) < 1.2
    for found in eps[1:]:
        torch.testing.assert_close(found, eps[0], rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("name", ["HeunDiscreteScheduler", "KDPM2DiscreteScheduler"])
def test_stock_solvers_of_two_calls_also_begin_at_a_step(name: str) -> None:
    """The same calls are left of a stock run, so nothing is lost or repeated by the schedule."""
    counts = []
    for held_here in (False, True):
        tiny = build("img2img", name, SD)
        if held_here:
            hso.diffusers.apply(tiny.pipe, optimized(tiny.pipe, 9))
        recorder = Recorder(tiny)
        tiny(5, strength=0.6)
        counts.append(len(recorder.told))
    assert counts == [5, 5]


@pytest.mark.parametrize(
    ("pipeline", "make", "config"),
    [
        ("sd3", "StableDiffusion3Img2ImgPipeline", {"shift": 3.0}),
        ("flux", "FluxImg2ImgPipeline", DYNAMIC),
    ],
)
def test_image_to_image_of_flow_models(pipeline: str, make: str, config: dict[str, Any]) -> None:
    """The image is given as latents, which these pipelines recognize by their number of channels."""
    tiny, schedule = held(pipeline, "FlowMatchEulerDiscreteScheduler", 5, **config)
    tiny = tiny.with_pipe(getattr(diffusers, make)(**tiny.pipe.components))
    tiny.pipe.set_progress_bar_config(disable=True)
    recorder = Recorder(tiny, on_ray=True)
    tiny(5, image=torch.full((1, 4, 8, 8), X0), strength=0.6)
    assert recorder.told == tiny.told(schedule.timesteps[2:])
    sigmas = schedule.sigmas[2:5]
    noise = [(x - (1.0 - s) * X0) / s for x, s in zip(recorder.seen, sigmas, strict=True)]
    assert 0.8 < float(noise[0].std()) < 1.2
    for found in noise[1:]:
        torch.testing.assert_close(found, noise[0], rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_two_pipelines_share_one_schedule(name: str) -> None:
    """SDXL with its refiner: the base stops at denoising_end, the refiner starts there."""
    tiny, schedule = held("sdxl", name)
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline(**tiny.pipe.components)
    refiner.set_progress_bar_config(disable=True)
    recorder = Recorder(tiny, on_ray=True)
    latents = tiny(5, denoising_end=0.4, latents=tiny.noise())
    calls = len(recorder.told)
    assert recorder.told == tiny.told(schedule.timesteps[schedule.timesteps >= 600.0])
    assert 0 < calls < 5
    last = tiny.with_pipe(refiner)(5, image=latents, denoising_start=0.4)
    assert recorder.told == tiny.told(schedule.timesteps)
    torch.testing.assert_close(last, torch.full_like(last, X0), rtol=0.0, atol=1e-5)


def test_the_two_networks_of_wan() -> None:
    """Wan 2.2 changes networks at boundary_ratio: the schedule says how many calls each gets."""
    config = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}
    tiny = wan(diffusers.UniPCMultistepScheduler(**config), second=True, boundary_ratio=0.875)
    schedule = optimized(tiny.pipe, 6)
    hso.diffusers.apply(tiny.pipe, schedule)
    high, low = Recorder(tiny), Recorder(tiny, network="transformer_2")
    tiny(6)
    assert high.told[::2] == tiny.told(schedule.timesteps[schedule.timesteps >= 875.0])
    assert low.told[::2] == tiny.told(schedule.timesteps[schedule.timesteps < 875.0])
    assert high.told and low.told


@pytest.mark.parametrize("pipeline", ["flux", "sd3", "qwen", "ltx"])
def test_mu_is_the_one_that_the_pipeline_asks_for(pipeline: str) -> None:
    """The noise schedule for an image size is the one that the stock pipeline runs at this size."""
    tiny = build(pipeline, "FlowMatchEulerDiscreteScheduler", DYNAMIC)
    asked: list[Any] = []
    stock = tiny.pipe.scheduler.set_timesteps

    @functools.wraps(stock)  # pipelines look at its parameters
    def set_timesteps(*args: Any, **kwargs: Any) -> None:
        asked.append(kwargs["mu"])
        stock(*args, **kwargs)

    tiny.pipe.scheduler.set_timesteps = set_timesteps
    # SD3 has position embeddings for images of 8 x 8 alone.
    sizes = {"sd3": {"height": 4, "width": 8}, "ltx": {"height": 64, "width": 96, "num_frames": 17}}
    size = sizes.get(pipeline, {"height": 64, "width": 96})
    tiny(2, **size)
    found = hso.diffusers.noise_schedule(tiny.pipe, **size)
    assert found.fingerprint == hso.diffusers.noise_schedule(tiny.pipe, mu=asked[0]).fingerprint


@pytest.mark.parametrize("pipeline", ["sd", "dit", "wan", "flux"])
def test_another_number_of_steps_is_refused_and_the_pipeline_lives(pipeline: str) -> None:
    config = {} if pipeline in ("sd", "dit") else {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    tiny, schedule = held(pipeline, "UniPCMultistepScheduler", 3, **config)
    with pytest.raises(ValueError, match=r"=4, but the scheduler holds a schedule of 3"):
        tiny(4)
    recorder = Recorder(tiny)
    tiny(3)
    assert recorder.told[:: tiny.calls] == tiny.told(schedule.timesteps)


def test_nodes_that_coincide_for_flux_in_bfloat16_are_refused() -> None:
    tiny = build("flux", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0})
    close = schedule_on(hso.NoiseSchedule.flow(shift=3.0), np.array([0.95, 0.701, 0.7, 0.2]), "t_min")
    hso.diffusers.apply(tiny.pipe, close)
    hso.diffusers.restore(tiny.pipe)
    tiny.pipe.to(torch.bfloat16)
    with pytest.raises(ValueError, match="bfloat16"):
        hso.diffusers.apply(tiny.pipe, close)
    tiny(4)  # as before


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda pipe: pickle.loads(pickle.dumps(pipe))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("name", ["DDIMScheduler", "HeunDiscreteScheduler", "UniPCMultistepScheduler"])
def test_copies_of_a_pipeline_run_on_their_own(name: str, clone: Any) -> None:
    tiny, schedule = held("sd", name)
    noise = tiny.noise()
    want = tiny(schedule.steps, latents=noise)
    twin = tiny.with_pipe(clone(tiny.pipe))
    hso.diffusers.restore(tiny.pipe)
    torch.testing.assert_close(twin(schedule.steps, latents=noise), want, rtol=0.0, atol=0.0)
    tiny(7)


def test_a_saved_pipeline_is_plain(tmp_path: Any) -> None:
    tiny = build("sd", "UniPCMultistepScheduler", SD)
    noise = hso.diffusers.noise_schedule(tiny.pipe)
    hso.diffusers.apply(tiny.pipe, hso.optimize(noise, 5, terminal="t_min"))  # changes final_sigmas_type
    tiny.pipe.save_pretrained(tmp_path)
    loaded = diffusers.StableDiffusionPipeline.from_pretrained(
        tmp_path, safety_checker=None, text_encoder=None, tokenizer=None
    )
    loaded.set_progress_bar_config(disable=True)
    assert type(loaded.scheduler) is diffusers.UniPCMultistepScheduler
    tiny.with_pipe(loaded)(7)
    stock = build("sd", "UniPCMultistepScheduler", SD).pipe.scheduler
    for key, value in stock.config.items():
        assert key.startswith("_") or loaded.scheduler.config[key] == value, key


def test_pipelines_that_share_components_share_the_schedule() -> None:
    tiny, schedule = held()
    other = tiny.with_pipe(diffusers.StableDiffusionImg2ImgPipeline.from_pipe(tiny.pipe))
    recorder = Recorder(tiny)
    other(5, image=torch.zeros(tiny.latents), strength=0.4)
    assert recorder.told == tiny.told(schedule.timesteps[3:])
    hso.diffusers.restore(other.pipe)
    tiny(7)
    assert len(recorder.told) == 2 + 7


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler"])
def test_restored_pipelines_run_as_before(name: str) -> None:
    tiny = build("sd", name, SD)
    noise = tiny.noise()
    want = tiny(6, latents=noise)
    before = tiny.pipe.scheduler
    hso.diffusers.apply(tiny.pipe, optimized(tiny.pipe))
    tiny(5)
    assert hso.diffusers.restore(tiny.pipe) is tiny.pipe
    assert tiny.pipe.scheduler is before
    torch.testing.assert_close(tiny(6, latents=noise), want, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("pipeline", ["sd", "sd3"])
def test_the_pipeline_changes_its_type(pipeline: str) -> None:
    config = SD if pipeline == "sd" else {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    tiny, schedule = held(pipeline, "DPMSolverMultistepScheduler", 5, **config)
    tiny.pipe.to(torch.bfloat16)
    recorder = Recorder(tiny)
    assert tiny(5).dtype == torch.bfloat16
    assert recorder.told == tiny.told(schedule.timesteps)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "UniPCMultistepScheduler"])
def test_offloading_on_the_cpu(name: str) -> None:
    """What enable_sequential_cpu_offload does, with the CPU as the place to run: the weights are on "meta"."""
    tiny, schedule = held("sd", name)
    noise = tiny.noise()
    want = tiny(5, latents=noise)
    for network in (tiny.pipe.unet, tiny.pipe.vae):
        accelerate.cpu_offload(network, execution_device=torch.device("cpu"))
    assert tiny.pipe.device.type == "meta"
    recorder = Recorder(tiny)
    torch.testing.assert_close(tiny(5, latents=noise), want, rtol=0.0, atol=1e-6)
    assert recorder.told == tiny.told(schedule.timesteps)


def test_dispatched_networks() -> None:
    tiny, schedule = held()
    noise = tiny.noise()
    want = tiny(5, latents=noise)
    accelerate.dispatch_model(tiny.pipe.unet, device_map={"": "cpu"}, force_hooks=True)
    recorder = Recorder(tiny)
    torch.testing.assert_close(tiny(5, latents=noise), want, rtol=0.0, atol=1e-6)
    assert recorder.told == tiny.told(schedule.timesteps)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("offload", ["enable_model_cpu_offload", "enable_sequential_cpu_offload"])
@pytest.mark.parametrize("pipeline", ["sd", "flux"])
def test_offloading_on_a_gpu(pipeline: str, offload: str) -> None:
    config = SD if pipeline == "sd" else {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    tiny, schedule = held(pipeline, "UniPCMultistepScheduler", 5, **config)
    noise = tiny.noise()
    want = tiny(5, latents=noise)
    getattr(tiny.pipe, offload)()
    recorder = Recorder(tiny)
    got = tiny(5, latents=noise)
    # The network runs on the GPU, perhaps with TF32 in its convolutions.
    torch.testing.assert_close(got.cpu(), want, rtol=0.0, atol=2e-2)
    assert recorder.told == tiny.told(schedule.timesteps)
