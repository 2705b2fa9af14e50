"""DDIMScheduler and what replaces it."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import (  # noqa: E402
    SD,
    SHAPE,
    TERMINALS,
    Network,
    example,
    expected,
    gaussian,
    run,
    start,
)

TOLERANCE = 1e-5


def apply_quietly(target: Any, schedule: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
        return hso.diffusers.apply(target, schedule)


def ours(caught: Any) -> list[Any]:
    """Without what diffusers has to say of itself."""
    return [warning for warning in caught if warning.category is hso.diffusers.HsoWarning]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("terminal", TERMINALS)
def test_samples(terminal: str, prediction: str) -> None:
    for nfe in (1, 2, 3, 5, 10, 20):
        ddim = diffusers.DDIMScheduler(**SD, clip_sample=False, prediction_type=prediction)
        schedule = hso.optimize(hso.diffusers.noise_schedule(ddim), nfe=nfe, terminal=terminal)
        scheduler = apply_quietly(ddim, schedule)
        network = Network(gaussian(), prediction, ddim.alphas_cumprod)
        got = run(scheduler, network, start())
        assert len(network.timesteps) == nfe
        want = expected("dpm1", schedule, gaussian(), start())
        np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE, err_msg=f"nfe={nfe}")


def test_agrees_with_stock_ddim_on_the_one_grid_that_it_can_run() -> None:
    stock = diffusers.DDIMScheduler(**SD, clip_sample=False, timestep_spacing="leading")
    stock.set_timesteps(10)
    network = Network(gaussian(), "epsilon", stock.alphas_cumprod)
    want = run(stock, network, start())
    nodes = (stock.timesteps.numpy() + 1.0) / 1000.0
    schedule = hso.Schedule.from_nodes(hso.diffusers.noise_schedule(stock), nodes, terminal="zero")
    got = run(apply_quietly(stock, schedule), network, start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)


def test_a_bare_scheduler_is_left_alone_and_comes_back() -> None:
    ddim = diffusers.DDIMScheduler(**SD)
    before = dict(vars(ddim))
    with pytest.warns(hso.diffusers.HsoWarning, match="clip_sample=True is dropped") as caught:
        scheduler = hso.diffusers.apply(ddim, example(ddim))
    assert len(ours(caught)) == 1
    assert isinstance(scheduler, diffusers.DPMSolverMultistepScheduler)
    assert vars(ddim) == before and type(ddim) is diffusers.DDIMScheduler
    # Applying again to the stand-in keeps the way back, and has nothing new to say.
    with warnings.catch_warnings():
        warnings.simplefilter("error", hso.diffusers.HsoWarning)
        assert hso.diffusers.apply(scheduler, example(ddim, 3)) is scheduler
    assert len(scheduler.timesteps) == 3
    assert hso.diffusers.restore(scheduler) is ddim
    assert vars(ddim) == before


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"clip_sample": False, "set_alpha_to_one": False}, "set_alpha_to_one=False is dropped"),
        ({"clip_sample": False, "thresholding": True}, "thresholding=True stays"),
        ({"clip_sample_range": 2.0}, "clipped to \\+-2"),
    ],
)
def test_the_warning_names_what_differs(config: dict[str, Any], words: str) -> None:
    ddim = diffusers.DDIMScheduler(**SD, **config)
    with pytest.warns(hso.diffusers.HsoWarning, match=words):
        hso.diffusers.apply(ddim, example(ddim))


def test_the_warning_points_at_the_caller_and_as_an_error_it_changes_nothing() -> None:
    ddim = diffusers.DDIMScheduler(**SD)
    pipe = Pipe(ddim)
    with pytest.warns(hso.diffusers.HsoWarning) as caught:
        hso.diffusers.apply(Pipe(copy.deepcopy(ddim)), example(ddim))
    assert ours(caught)[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", hso.diffusers.HsoWarning)
        with pytest.raises(hso.diffusers.HsoWarning):
            hso.diffusers.apply(pipe, example(ddim))
    assert pipe.scheduler is ddim


class Pipe:
    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler


def test_a_deep_copied_pipeline_restores_its_own_scheduler() -> None:
    pipe = Pipe(diffusers.DDIMScheduler(**SD))
    apply_quietly(pipe, example(pipe.scheduler))
    twin = copy.deepcopy(pipe)
    hso.diffusers.restore(twin)
    assert type(twin.scheduler) is diffusers.DDIMScheduler
    assert isinstance(pipe.scheduler, diffusers.DPMSolverMultistepScheduler)
    assert len(pipe.scheduler.timesteps) == 5


def test_zero_terminal_snr() -> None:
    """DDIM has an exact zero at the end of its table, its stand-in 2**-24."""
    config = {"clip_sample": False, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    ddim = diffusers.DDIMScheduler(**SD, **config)
    assert ddim.alphas_cumprod[-1] == 0.0
    schedule = example(ddim, 6)
    scheduler = apply_quietly(ddim, schedule)
    got = run(scheduler, Network(gaussian(), "v_prediction", scheduler.alphas_cumprod), start())
    want = expected("dpm1", schedule, gaussian(), start())
    np.testing.assert_allclose(got, want, rtol=0.0, atol=TOLERANCE)


def test_noise_in_the_steps_is_refused() -> None:
    ddim = diffusers.DDIMScheduler(**SD)
    scheduler = apply_quietly(ddim, example(ddim))
    x = torch.zeros(SHAPE)
    with pytest.raises(ValueError, match=r"eta must be 0, got 0\.5"):
        scheduler.step(x, scheduler.timesteps[0], x, eta=0.5)


def test_inside_a_real_ddim_pipeline() -> None:
    """It hands eta and use_clipped_model_output to every scheduler, whether it takes them or not."""
    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(
        sample_size=SHAPE[-1],
        in_channels=SHAPE[1],
        out_channels=SHAPE[1],
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    pipe = diffusers.DDIMPipeline(unet, diffusers.DDIMScheduler(**SD, clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    configuration, stock = dict(pipe.config), pipe.scheduler
    schedule = example(pipe.scheduler, 5, fractional=True)
    network = Network(gaussian(), "epsilon", pipe.scheduler.alphas_cumprod)
    apply_quietly(pipe, schedule)
    unet.forward = lambda x, t: diffusers.models.unets.unet_2d.UNet2DOutput(sample=network(x, t))
    result = pipe(
        batch_size=SHAPE[0],
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=5,
        output_type="np",
    )
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)).double().numpy()
    want = np.clip(expected("dpm1", schedule, gaussian(), noise) / 2.0 + 0.5, 0.0, 1.0)
    np.testing.assert_allclose(result.images, want.transpose(0, 2, 3, 1), rtol=0.0, atol=TOLERANCE)
    hso.diffusers.restore(pipe)
    assert pipe.scheduler is stock
    assert dict(pipe.config) == configuration


def test_equivalent_changes_nothing_and_knows_its_limits() -> None:
    ddim = diffusers.DDIMScheduler(**SD)
    before = dict(vars(ddim))
    other = hso.diffusers.equivalent(Pipe(ddim))
    assert type(other) is diffusers.DPMSolverMultistepScheduler
    assert (other.config.solver_order, other.config.algorithm_type) == (1, "dpmsolver++")
    assert torch.equal(other.alphas_cumprod, ddim.alphas_cumprod)
    assert vars(ddim) == before
    with pytest.raises(ValueError, match="PNDMScheduler has no exact equivalent"):
        hso.diffusers.equivalent(diffusers.PNDMScheduler(**SD))
    ddim.alphas_cumprod = ddim.alphas_cumprod**1.1
    with pytest.raises(ValueError, match="alphas_cumprod"):
        hso.diffusers.equivalent(ddim)
