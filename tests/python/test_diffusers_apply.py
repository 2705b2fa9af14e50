"""How a schedule is applied: whatever a pipeline asks for, in copies, and undone. For every supported class."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from diffusers import UniPCMultistepScheduler  # noqa: E402
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import retrieve_timesteps  # noqa: E402

import hso  # noqa: E402
from diffusers_helpers import SD, SHAPE, Network, denoise, gaussian  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")

# A bare DDIMScheduler is replaced: see test_diffusers_ddim.py.
NAMES = [name for name in hso.diffusers.supported() if name != "DDIMScheduler"]
FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}
TWO_CALLS = ("FlowMatchHeun", "Heun", "KDPM2")
WHOLE_TIMESTEPS = ("DDPM", "LCM", "TCD")


def make(name: str) -> Any:
    return getattr(diffusers, name)(**({} if name.startswith(("EDM", "FlowMatch")) else SD))


def fitting(scheduler: Any, steps: int, mu: float | None = None) -> Any:
    """A schedule for ``scheduler``, of a kind that it takes."""
    name = type(scheduler).__name__
    return hso.optimize(
        hso.diffusers.noise_schedule(scheduler, mu=mu),
        2 * steps - 1 if name.startswith(TWO_CALLS) else steps,
        terminal="t_min" if name.startswith(("DEIS", "SA")) else "zero",
        solver="heun" if name.startswith(TWO_CALLS) else None,
        limits="published" if name.startswith("DEIS") else None,  # DEIS does not start at alpha 1e-6
    )


def pickled(scheduler: Any) -> Any:
    return pickle.loads(pickle.dumps(scheduler))


def snapshot(scheduler: Any) -> Any:
    """Every attribute, arrays as bytes; the configuration also as attributes, which diffusers writes to."""

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            value = value.numpy()
        return (value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else copy.deepcopy(value)

    state = {key: plain(value) for key, value in vars(scheduler).items()}
    return type(scheduler), state, copy.deepcopy(vars(scheduler.config))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "request_of",
    [{"num_inference_steps": 5}, {"timesteps": [900, 700, 500, 300, 100]}, {"sigmas": [9.0, 5.0, 3.0, 1.0, 0.3]}],
)
def test_whatever_a_pipeline_asks_for(name: str, request_of: dict[str, Any]) -> None:
    scheduler = make(name)
    schedule = fitting(scheduler, 5)
    hso.diffusers.apply(scheduler, schedule)
    timesteps, count = retrieve_timesteps(scheduler, **{"num_inference_steps": 5, **request_of}, device="cpu")
    assert count == 5 if "num_inference_steps" in request_of else count == len(timesteps) == schedule.nfe
    starts = starts_of(scheduler).numpy()
    assert {"timesteps", "sigmas", "mu"} <= set(inspect.signature(scheduler.set_timesteps).parameters)
    if name.startswith(WHOLE_TIMESTEPS):
        np.testing.assert_array_equal(starts, np.rint(schedule.timesteps))
        return
    np.testing.assert_array_equal(starts, schedule.timesteps.astype(np.float32))
    levels = np.unique(scheduler.sigmas.numpy())[::-1]
    np.testing.assert_array_equal(levels, schedule.sigmas.astype(levels.dtype))


@pytest.mark.parametrize("name", NAMES)
def test_another_number_of_steps_is_refused(name: str) -> None:
    scheduler = make(name)
    hso.diffusers.apply(scheduler, fitting(scheduler, 5))
    timesteps = scheduler.timesteps
    for asked in ({"num_inference_steps": 20}, {"timesteps": [900, 500]}):
        with pytest.raises(ValueError, match="5"):
            scheduler.set_timesteps(**asked)
        assert scheduler.timesteps is timesteps
    scheduler.set_timesteps(5)
    assert torch.equal(scheduler.timesteps, timesteps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy, pickled])
def test_copies_hold_the_schedule(name: str, clone: Any) -> None:
    if name == "SASolverScheduler" and clone is pickled:
        pytest.skip("stock SASolverScheduler cannot be pickled either: it holds a lambda")
    scheduler = make(name)
    hso.diffusers.apply(scheduler, fitting(scheduler, 4))
    copied = clone(scheduler)
    hso.diffusers.restore(scheduler)
    copied.set_timesteps(4)
    assert isinstance(copied, getattr(diffusers, name)) and type(copied).__name__ == name
    again = make(name)
    hso.diffusers.apply(again, fitting(again, 4))
    torch.testing.assert_close(copied.timesteps, again.timesteps, rtol=0.0, atol=0.0)
    if not name.startswith(WHOLE_TIMESTEPS):
        torch.testing.assert_close(copied.sigmas, again.sigmas, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_restore_undoes_everything(name: str) -> None:
    scheduler = make(name)
    scheduler.set_timesteps(7)
    before = snapshot(scheduler)
    assert hso.diffusers.apply(scheduler, fitting(scheduler, 5)) is scheduler
    scheduler.set_timesteps(5)
    assert snapshot(scheduler) != before
    assert hso.diffusers.restore(scheduler) is scheduler
    assert snapshot(scheduler) == before
    scheduler.set_timesteps(20)
    assert len(starts_of(scheduler)) == 20


def starts_of(scheduler: Any) -> Any:
    """The timesteps of a stock grid that start a step."""
    return scheduler.timesteps[:: getattr(scheduler, "order", 1)]


@pytest.mark.parametrize("name", ["DEISMultistep", "DPMSolverMultistep", "DPMSolverSinglestep", "UniPCMultistep"])
def test_restore_undoes_a_dynamic_shift(name: str) -> None:
    """Stock set_timesteps writes exp(mu) into the configuration."""
    scheduler = getattr(diffusers, f"{name}Scheduler")(**FLOW, use_dynamic_shifting=True)
    before = snapshot(scheduler)
    hso.diffusers.apply(scheduler, fitting(scheduler, 5, mu=0.7))
    scheduler.set_timesteps(5, mu=0.7)
    hso.diffusers.restore(scheduler)
    assert scheduler.config.flow_shift == 3.0
    assert snapshot(scheduler) == before


def test_applying_again_replaces_the_schedule() -> None:
    scheduler = UniPCMultistepScheduler(**SD)
    noise = hso.diffusers.noise_schedule(scheduler)
    hso.diffusers.apply(scheduler, hso.optimize(noise, nfe=5))
    hso.diffusers.apply(scheduler, hso.optimize(noise, nfe=8, terminal="t_min"))
    scheduler.set_timesteps(8)
    assert scheduler.sigmas[-1] > 0 and scheduler.config.final_sigmas_type == "sigma_min"


@pytest.mark.parametrize("name", NAMES)
def test_saved_configuration_is_the_original(name: str, tmp_path: Any) -> None:
    scheduler = make(name)
    stock = scheduler.to_json_string()
    hso.diffusers.apply(scheduler, fitting(scheduler, 5))
    scheduler.save_pretrained(tmp_path)
    assert (tmp_path / "scheduler_config.json").read_text(encoding="utf-8") == stock
    loaded = getattr(diffusers, name).from_pretrained(tmp_path)
    loaded.set_timesteps(7)
    assert len(starts_of(loaded)) == 7


def test_the_saved_end_is_the_original(tmp_path: Any) -> None:
    scheduler = UniPCMultistepScheduler(**SD, final_sigmas_type="zero")
    noise = hso.diffusers.noise_schedule(scheduler)
    hso.diffusers.apply(scheduler, hso.optimize(noise, nfe=5, terminal="t_min"))
    scheduler.save_pretrained(tmp_path)
    assert UniPCMultistepScheduler.from_pretrained(tmp_path).config.final_sigmas_type == "zero"


def test_not_a_schedule_and_not_a_scheduler() -> None:
    scheduler = UniPCMultistepScheduler(**SD)
    with pytest.raises(TypeError, match="schedule"):
        hso.diffusers.apply(scheduler, [999, 500])
    with pytest.raises(TypeError, match="scheduler_or_pipe"):
        hso.diffusers.apply(object(), fitting(scheduler, 5))


DETERMINISTIC = [
    name
    for name in NAMES
    if not name.startswith(("DDPM", "EDM", "FlowMatch", "LCM", "SA", "TCD")) and "Ancestral" not in name
]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_on_a_gpu(name: str, dtype: Any) -> None:
    scheduler = make(name)
    hso.diffusers.apply(scheduler, fitting(scheduler, 5))
    network = Network(gaussian(), "epsilon", scheduler.alphas_cumprod)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    on_cpu = denoise(copy.deepcopy(scheduler), network, noise)
    scheduler.set_timesteps(5, device="cuda")
    on_gpu = denoise(scheduler, network, noise.to("cuda", dtype))
    assert on_gpu.device.type == "cuda" and on_gpu.dtype == dtype and scheduler.timesteps.device.type == "cuda"
    # Heun and KDPM2 compute in the latents' type, at sigmas of up to 14.
    tolerance = {torch.float32: 1e-5, torch.float16: 5e-2, torch.bfloat16: 4e-1}[dtype]
    np.testing.assert_allclose(on_gpu.float().cpu().numpy(), on_cpu.numpy(), rtol=0, atol=tolerance)
