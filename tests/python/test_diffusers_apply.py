"""How a schedule is applied: whatever a pipeline asks for, in copies, undone, and inside real pipelines."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, UniPCMultistepScheduler  # noqa: E402
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import retrieve_timesteps  # noqa: E402

import hso  # noqa: E402
from diffusers_helpers import SD, SHAPE, Network, denoise, gaussian  # noqa: E402

SUPPORTED = [DPMSolverMultistepScheduler, UniPCMultistepScheduler, EulerDiscreteScheduler]
NOISE = hso.diffusers.noise_schedule(DPMSolverMultistepScheduler(**SD))


def snapshot(scheduler):
    """Every attribute, arrays as bytes."""

    def plain(value):
        if isinstance(value, torch.Tensor):
            value = value.numpy()
        return (value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else copy.deepcopy(value)

    state = {key: plain(value) for key, value in vars(scheduler).items()}
    return type(scheduler), state


@pytest.mark.parametrize("make", SUPPORTED)
def test_noise_schedule_is_the_schedulers_table(make):
    scheduler = make(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    alphas = np.sqrt(scheduler.alphas_cumprod.double().numpy())
    t = (np.arange(1000) + 1) / 1000
    np.testing.assert_allclose(noise.alpha(noise.lam(t)), alphas, rtol=1e-12)


@pytest.mark.parametrize("make", SUPPORTED)
@pytest.mark.parametrize(
    "request_of",
    [{"num_inference_steps": 5}, {"timesteps": [900, 700, 500, 300, 100]}, {"sigmas": [9.0, 5.0, 3.0, 1.0, 0.3]}],
)
def test_whatever_a_pipeline_asks_for(make, request_of):
    schedule = hso.optimize(NOISE, nfe=5)
    scheduler = hso.diffusers.apply(make(**SD), schedule)
    timesteps, count = retrieve_timesteps(scheduler, **{"num_inference_steps": 5, **request_of}, device="cpu")
    assert count == 5
    np.testing.assert_array_equal(timesteps.numpy(), schedule.timesteps.astype(np.float32))
    np.testing.assert_array_equal(scheduler.sigmas.numpy(), schedule.sigmas)
    assert {"timesteps", "sigmas", "mu"} <= set(inspect.signature(scheduler.set_timesteps).parameters)


@pytest.mark.parametrize("make", SUPPORTED)
def test_another_number_of_steps_is_refused(make):
    scheduler = hso.diffusers.apply(make(**SD), hso.optimize(NOISE, nfe=5))
    for asked in ({"num_inference_steps": 20}, {"timesteps": [900, 500]}):
        with pytest.raises(ValueError, match="5"):
            scheduler.set_timesteps(**asked)


@pytest.mark.parametrize("make", SUPPORTED)
@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_hold_the_schedule(make, clone):
    schedule = hso.optimize(NOISE, nfe=4)
    copied = clone(hso.diffusers.apply(make(**SD), schedule))
    copied.set_timesteps(4)
    assert isinstance(copied, make) and type(copied).__name__ == make.__name__
    np.testing.assert_array_equal(copied.sigmas.numpy(), schedule.sigmas)


@pytest.mark.parametrize("make", SUPPORTED)
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_restore_undoes_everything(make, terminal):
    scheduler = make(**SD)
    scheduler.set_timesteps(7)
    before = snapshot(scheduler)
    assert hso.diffusers.apply(scheduler, hso.optimize(NOISE, nfe=5, terminal=terminal)) is scheduler
    scheduler.set_timesteps(5)
    assert snapshot(scheduler) != before
    assert hso.diffusers.restore(scheduler) is scheduler
    assert snapshot(scheduler) == before
    scheduler.set_timesteps(20)
    assert len(scheduler.timesteps) == 20


def test_applying_again_replaces_the_schedule():
    scheduler = hso.diffusers.apply(UniPCMultistepScheduler(**SD), hso.optimize(NOISE, nfe=5))
    hso.diffusers.apply(scheduler, hso.optimize(NOISE, nfe=8, terminal="t_min"))
    scheduler.set_timesteps(8)
    assert scheduler.sigmas[-1] > 0 and scheduler.config.final_sigmas_type == "sigma_min"


def test_saved_configuration_is_the_original(tmp_path):
    scheduler = UniPCMultistepScheduler(**SD, final_sigmas_type="zero")
    hso.diffusers.apply(scheduler, hso.optimize(NOISE, nfe=5, terminal="t_min"))
    scheduler.save_pretrained(tmp_path)
    assert UniPCMultistepScheduler.from_pretrained(tmp_path).config.final_sigmas_type == "zero"


def test_not_a_schedule_and_not_a_scheduler():
    with pytest.raises(TypeError, match="schedule"):
        hso.diffusers.apply(UniPCMultistepScheduler(**SD), [999, 500])
    with pytest.raises(TypeError, match="scheduler_or_pipe"):
        hso.diffusers.apply(object(), hso.optimize(NOISE, nfe=5))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("make", SUPPORTED)
def test_on_a_gpu(make, dtype):
    scheduler = make(**SD)
    schedule = hso.optimize(NOISE, nfe=5)
    hso.diffusers.apply(scheduler, schedule)
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    on_cpu = denoise(copy.deepcopy(scheduler), network, noise)
    scheduler.set_timesteps(5, device="cuda")
    on_gpu = denoise(scheduler, network, noise.to("cuda", dtype))
    assert on_gpu.device.type == "cuda" and on_gpu.dtype == dtype and scheduler.timesteps.device.type == "cuda"
    tolerance = {torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}[dtype]
    np.testing.assert_allclose(on_gpu.float().cpu().numpy(), on_cpu.numpy(), rtol=0, atol=tolerance)


def recorded(network):
    """The timesteps that a network is told from now on."""
    told = []
    network.register_forward_pre_hook(
        lambda _, args, kwargs: told.append(
            float(torch.as_tensor(kwargs.get("timestep", args[1] if len(args) > 1 else None)).flatten()[0])
        ),
        with_kwargs=True,
    )
    return told


def test_inside_a_real_dit_pipeline():
    torch.manual_seed(0)
    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=4, num_layers=1, sample_size=8,
        patch_size=2, num_embeds_ada_norm=10, norm_type="ada_norm_zero", norm_elementwise_affine=False,
        attention_bias=True,
        activation_fn="gelu-approximate",
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=32, latent_channels=4)
    pipe = diffusers.DiTPipeline(transformer, vae, UniPCMultistepScheduler(**SD))
    pipe.set_progress_bar_config(disable=True)
    schedule = hso.optimize(hso.diffusers.noise_schedule(pipe), nfe=5)
    hso.diffusers.apply(pipe, schedule)
    told = recorded(pipe.transformer)
    images = pipe(class_labels=[1], num_inference_steps=5, guidance_scale=1.0, output_type="np").images
    np.testing.assert_array_equal(np.float32(told), np.float32(schedule.timesteps))
    assert np.isfinite(images).all()


@pytest.mark.parametrize("make", [UniPCMultistepScheduler, DDIMScheduler, EulerDiscreteScheduler])
def test_inside_a_real_stable_diffusion_pipeline(make):
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=8,
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), norm_num_groups=32, latent_channels=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = diffusers.StableDiffusionPipeline(
            vae=vae, text_encoder=None, tokenizer=None, unet=unet, scheduler=make(**SD, steps_offset=1),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        pipe.set_progress_bar_config(disable=True)
        schedule = hso.optimize(hso.diffusers.noise_schedule(pipe), nfe=4)
        hso.diffusers.apply(pipe, schedule)
    told = recorded(pipe.unet)
    embeds = torch.randn(1, 7, 16)
    images = pipe(prompt_embeds=embeds, negative_prompt_embeds=embeds, num_inference_steps=4, output_type="np").images
    np.testing.assert_array_equal(np.float32(told), np.float32(schedule.timesteps))
    assert np.isfinite(images).all()
