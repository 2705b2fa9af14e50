"""Schedulers that cannot run a schedule, and what is named in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, Network, denoise, expected, gaussian, run, start, vp_nodes  # noqa: E402

COGVIDEOX = {
    "2b": {"snr_shift_scale": 3.0, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    "5b": {"snr_shift_scale": 1.0, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    "with noise at its end": {"snr_shift_scale": 2.0, "rescale_betas_zero_snr": False},
}


@pytest.mark.parametrize("config", COGVIDEOX.values(), ids=COGVIDEOX)
def test_cogvideox_has_an_equivalent(config: dict[str, Any]) -> None:
    """On the one grid that CogVideoX's DDIM can run, both give the same samples."""
    # What its pipelines take from it: no clipping.
    stock = diffusers.CogVideoXDDIMScheduler(**SD, **config, clip_sample=False, timestep_spacing="trailing")
    other = hso.diffusers.equivalent(stock)
    assert other.config.prediction_type == stock.config.prediction_type
    noise = hso.diffusers.noise_schedule(other)
    cumulative = np.where(stock.alphas_cumprod.numpy() == 0.0, 2.0**-24, stock.alphas_cumprod.double().numpy())
    t = np.arange(1, 1001) / 1000.0
    np.testing.assert_allclose(noise.alpha(noise.lam(t)) ** 2, cumulative, rtol=1e-4)
    schedule = hso.Schedule.from_nodes(noise, 1.0 - np.arange(10) / 10.0)
    hso.diffusers.apply(other, schedule)
    network = Network(gaussian(), stock.config.prediction_type, other.alphas_cumprod)
    got = run(other, network, start())
    np.testing.assert_allclose(got, expected("dpm1", schedule, gaussian(), start()), rtol=0.0, atol=1e-5)
    if config["rescale_betas_zero_snr"]:
        stock.alphas_cumprod[-1] = 2.0**-24  # the exact 0 divides by zero in the network's own table
    stock.set_timesteps(10)
    stock.timesteps = stock.timesteps.long()
    np.testing.assert_array_equal(stock.timesteps.numpy(), np.rint(schedule.timesteps))
    want = denoise(
        stock, Network(gaussian(), stock.config.prediction_type, stock.alphas_cumprod), torch.tensor(start())
    )
    np.testing.assert_allclose(got, want.numpy(), rtol=0.0, atol=2e-4)


def test_the_parallel_ddims_equivalent_is_ddims() -> None:
    parallel = hso.diffusers.equivalent(diffusers.DDIMParallelScheduler(**SD, clip_sample=False))
    plain = hso.diffusers.equivalent(diffusers.DDIMScheduler(**SD, clip_sample=False))
    assert dict(parallel.config) == dict(plain.config)


def test_the_equivalent_is_from_configs_and_leads_back() -> None:
    config = {**SD, "clip_sample": False, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
    stock = diffusers.DDIMScheduler(**config)
    built = diffusers.DPMSolverMultistepScheduler.from_config(
        dict(stock.config), solver_order=1, algorithm_type="dpmsolver++", final_sigmas_type="zero"
    )
    ours = hso.diffusers.equivalent(stock)
    kept = {key: value for key, value in built.config.items() if not key.startswith("_")}
    assert {key: ours.config[key] for key in kept} == kept
    back = diffusers.DDIMScheduler.from_config(ours.config)
    assert {k: back.config[k] for k in config} == config


@pytest.mark.parametrize("name", ["PNDMScheduler", "CogVideoXDPMScheduler"])
def test_the_named_equivalents_can_be_built_and_run(name: str) -> None:
    """The words of the refusal, taken literally."""
    scheduler = getattr(diffusers, name)(**SD)
    schedule = hso.Schedule.from_nodes(hso.NoiseSchedule.preset("sd21"), vp_nodes(4)[:-1])
    with pytest.raises(ValueError, match="cannot run a custom schedule") as refusal:
        hso.diffusers.apply(scheduler, schedule)
    words = str(refusal.value)
    call = words[words.index("DPMSolverMultistepScheduler.from_config(") :].split(", with noise")[0]
    names = {"hso": hso, "scheduler": scheduler, **vars(diffusers)}
    names |= {n: getattr(diffusers, n) for n in ("DPMSolverMultistepScheduler", "CogVideoXDDIMScheduler")}
    named = eval(call, names)
    noise = hso.diffusers.noise_schedule(named)
    hso.diffusers.apply(named, hso.Schedule.from_nodes(noise, vp_nodes(4)[:-1]))
    network = Network(gaussian(), named.config.prediction_type, named.alphas_cumprod)
    assert np.isfinite(run(named, network, start())).all()


@pytest.mark.parametrize("name", ["PNDMScheduler", "UniPCMultistepScheduler"])
def test_no_equivalent_where_there_is_none_or_no_need(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no exact equivalent, only DDIMScheduler, DDIMParallel"):
        hso.diffusers.equivalent(getattr(diffusers, name)(**SD))
