"""The behaviours of diffusers' schedulers that the adapter relies on or works around, pinned one by one.

These tests run stock diffusers, so that a failure names what has changed in a new version, and each says what depends
on it in ``hso.diffusers``. The suite runs with the newest diffusers (constraints.txt) and with the oldest that is
supported (pyproject.toml, scripts/test_oldest.sh); where the two differ the test says so. What is pinned of pipelines
is in test_diffusers_pipeline_versions.py.
"""

from __future__ import annotations

import copy
import importlib.metadata
import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import hso  # noqa: E402
from diffusers_helpers import SD, SHAPE, Network, gaussian, run, start  # noqa: E402
from reference_solvers import ddim, vp_levels  # noqa: E402

VERSION = tuple(int(part) for part in diffusers.__version__.split(".")[:2])
FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}


def stock(name: str, **config: Any) -> Any:
    """A scheduler as diffusers makes it: on the SD table, if it has one."""
    table = {} if name.startswith(("FlowMatch", "EDM")) else SD
    return getattr(diffusers, name)(**table, **config)


def sample(scheduler: Any) -> Any:
    """What ``scheduler`` makes of Gaussian data on the timesteps and sigmas that it holds."""
    return run(scheduler, Network(gaussian(), "epsilon", scheduler.alphas_cumprod), start())


def overwritten(scheduler: Any, sigmas: list[float]) -> Any:
    """``scheduler`` with other noise levels, written into it from outside as the adapter does."""
    noise = hso.diffusers.noise_schedule(scheduler)
    scheduler.set_timesteps(len(sigmas) - 1)
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    scheduler.timesteps = torch.tensor(noise.timestep(-np.log(sigmas[:-1])), dtype=torch.float32)
    return scheduler


def test_the_supported_versions_are_the_tested_ones() -> None:
    """pyproject.toml states the oldest version, and the suite runs with it or a newer one."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'"diffusers>=([0-9.]+)"', text)
    assert oldest is not None
    installed = [int(part) for part in importlib.metadata.version("diffusers").split(".")]
    assert installed >= [int(part) for part in oldest[1].split(".")]


# What set_timesteps takes besides num_inference_steps and device.
SIGNATURES = {
    "DDIMScheduler": set(),
    "DDPMScheduler": {"timesteps"},
    "DEISMultistepScheduler": {"mu"},
    "DPMSolverMultistepScheduler": {"mu", "timesteps"},
    "DPMSolverSinglestepScheduler": {"mu", "timesteps"},
    "EDMDPMSolverMultistepScheduler": set(),
    "EDMEulerScheduler": {"sigmas"},
    "EulerAncestralDiscreteScheduler": set(),
    "EulerDiscreteScheduler": {"timesteps", "sigmas"},
    "FlowMatchEulerDiscreteScheduler": {"sigmas", "mu", "timesteps"},
    "FlowMatchHeunDiscreteScheduler": set(),
    "HeunDiscreteScheduler": {"num_train_timesteps", "timesteps"},
    "KDPM2AncestralDiscreteScheduler": {"num_train_timesteps"},
    "KDPM2DiscreteScheduler": {"num_train_timesteps"},
    "LCMScheduler": {"original_inference_steps", "timesteps", "strength"},
    "LMSDiscreteScheduler": set(),
    "SASolverScheduler": set(),
    "TCDScheduler": {"original_inference_steps", "timesteps", "strength"},
    "UniPCMultistepScheduler": {"mu"} if VERSION < (0, 37) else {"sigmas", "mu"},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_of_set_timesteps(name: str) -> None:
    """The override takes the union of these: a new parameter that pipelines pass would be a TypeError.

    UniPC has ``sigmas`` since 0.37.
    """
    parameters = set(inspect.signature(getattr(diffusers, name).set_timesteps).parameters)
    assert parameters - {"self", "num_inference_steps", "device"} == SIGNATURES[name]
    taken = inspect.signature(type(held(name)).set_timesteps).parameters
    assert parameters <= set(taken)


def held(name: str) -> Any:
    """A scheduler that runs in place of one of this class and holds a schedule."""
    scheduler = stock(name)
    terminal = "t_min" if name.startswith(("DEIS", "SA")) else "zero"
    schedule = hso.optimize(hso.diffusers.noise_schedule(scheduler), 3, terminal=terminal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hso.diffusers.HsoWarning)
        return hso.diffusers.apply(scheduler, schedule)


def test_every_supported_class_is_pinned_here() -> None:
    assert set(SIGNATURES) == set(hso.diffusers.supported())


@pytest.mark.parametrize("name", SIGNATURES)
def test_set_timesteps_rebinds_and_changes_nothing_in_place(name: str) -> None:
    """``apply`` works on a shallow copy and ``restore`` brings the old attributes back.

    Were an array, list or cache changed in place, the original would change with the copy.
    """
    scheduler = stock(name)
    scheduler.set_timesteps(7)
    before = {key: contents(value) for key, value in vars(scheduler).items()}
    twin = copy.copy(scheduler)
    twin.set_timesteps(4)
    assert len(twin.timesteps) != len(scheduler.timesteps)
    assert {key: contents(value) for key, value in vars(scheduler).items()} == before


def contents(value: Any) -> Any:
    """A copy that can be compared, NaN included."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    return value.tobytes() if isinstance(value, np.ndarray) else copy.deepcopy(value)


@pytest.mark.parametrize("name", ["DEISMultistepScheduler", "DPMSolverMultistepScheduler"])
def test_mu_is_written_into_the_configuration(name: str) -> None:
    """The exception to the rule above: why ``apply`` gives its copy a configuration of its own."""
    scheduler = stock(name, **FLOW, use_dynamic_shifting=True)
    scheduler.set_timesteps(4, mu=0.7)
    assert scheduler.config.flow_shift == pytest.approx(np.exp(0.7))


@pytest.mark.parametrize(
    ("spacing", "steps", "right"), [("leading", 10, True), ("trailing", 7, False), ("linspace", 7, False)]
)
def test_stock_ddim_is_wrong_on_its_own_grids(spacing: str, steps: int, right: bool) -> None:
    """Why DDIM is replaced by DPM-Solver++(1). Were it right, it could be taken for a baseline."""
    scheduler = stock("DDIMScheduler", clip_sample=False, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    table = scheduler.alphas_cumprod.double().numpy()[scheduler.timesteps.numpy()]
    levels = vp_levels(np.append(np.sqrt((1.0 - table) / table), 0.0))
    error = np.abs(sample(scheduler) - ddim(levels, gaussian().predictor(levels), start())).max()
    assert error < 1e-5 if right else error > 1e-2


def test_ddim_does_not_take_floats() -> None:
    """Another reason to replace DDIM: it looks its timesteps up in a table."""
    scheduler = stock("DDIMScheduler")
    scheduler.set_timesteps(4)
    with pytest.raises(IndexError):
        scheduler.step(torch.zeros(SHAPE), torch.tensor(500.5), torch.zeros(SHAPE))


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "DDPMScheduler"])
def test_timesteps_are_truncated(name: str) -> None:
    """Why schedules are never passed as ``timesteps=``. Rounded or kept, that door might do."""
    scheduler = stock(name)
    scheduler.set_timesteps(timesteps=[900.9, 500.9, 20.9])
    assert scheduler.timesteps.tolist() == [900, 500, 20]


def test_euler_rejects_integers() -> None:
    """Why timesteps are handed over in float32, whole or not."""
    scheduler = stock("EulerDiscreteScheduler")
    scheduler.set_timesteps(4)
    scheduler.timesteps = scheduler.timesteps.long()
    with pytest.raises(ValueError, match="integer indices"):
        scheduler.step(torch.zeros(SHAPE), scheduler.timesteps[0], torch.zeros(SHAPE))


SIGMAS = [10.0, 4.0, 1.5, 0.5, 0.1]


@pytest.mark.parametrize(
    ("name", "config", "finite"),
    [
        ("UniPCMultistepScheduler", {}, True),
        ("UniPCMultistepScheduler", {"solver_type": "bh1"}, False),
        ("UniPCMultistepScheduler", {"predict_x0": False}, False),
        ("UniPCMultistepScheduler", {"lower_order_final": False}, False),
        ("DEISMultistepScheduler", {}, False),
        ("SASolverScheduler", {}, False),
        ("DPMSolverMultistepScheduler", {}, True),
        ("DPMSolverMultistepScheduler", {"final_sigmas_type": "sigma_min", "lower_order_final": False}, False),
    ],
)
def test_who_reaches_sigma_zero(name: str, config: dict[str, Any], finite: bool) -> None:
    """What ``apply`` refuses. Where it became finite, the refusal can go; where it is NaN, one is missing.

    DPM-Solver reads ``final_sigmas_type`` while it steps, so ``apply`` sets it by the schedule's end.
    """
    scheduler = overwritten(stock(name, **config), [*SIGMAS, 0.0])
    try:
        result = sample(scheduler)
    except torch._C._LinAlgError:
        result = np.array(np.nan)
    assert bool(np.isfinite(result).all()) == finite


def test_a_multistep_solver_of_order_three_converges_with_order_two() -> None:
    """A factor 2 is missing in DPM-Solver++(3M). Our reference for it has to be as diffusers is."""
    errors = []
    for steps in (20, 40, 80):
        lambdas = np.linspace(-1.5, 2.0, steps + 1)
        config = {"solver_order": 3, "final_sigmas_type": "sigma_min", "lower_order_final": False}
        scheduler = overwritten(stock("DPMSolverMultistepScheduler", **config), list(np.exp(-lambdas)))
        levels = vp_levels(np.exp(-lambdas))
        scale = np.sqrt(levels.alpha**2 * gaussian().variance[..., None] + levels.sigma**2)
        unit = (start() - levels.alpha[0] * gaussian().mean) / scale[..., 0]
        exact = levels.alpha[-1] * gaussian().mean + scale[..., -1] * unit
        errors.append(np.abs(sample(scheduler) - exact).max())
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (slopes > 1.8).all() and (slopes < 2.6).all(), slopes


def test_a_timestep_that_is_not_found_starts_at_the_end() -> None:
    """Why timesteps must differ in what they are stored in: the first index is found by equality."""
    scheduler = stock("DPMSolverMultistepScheduler")
    scheduler.set_timesteps(5)
    assert scheduler.index_for_timestep(torch.tensor(3.25)) == 4
    scheduler.timesteps[1] = scheduler.timesteps[0]
    assert scheduler.index_for_timestep(scheduler.timesteps[0]) == 1


@pytest.mark.parametrize("spacing", ["linspace", "trailing", "leading"])
def test_eulers_latents_are_too_faint(spacing: str) -> None:
    """Why ``init_noise_sigma`` is overridden: but for "leading" it is sigma, not sqrt(sigma^2 + 1)."""
    scheduler = stock("EulerDiscreteScheduler", timestep_spacing=spacing)
    scheduler.set_timesteps(4)
    largest = float(scheduler.sigmas.max())
    wanted = np.hypot(largest, 1.0) if spacing == "leading" else largest
    assert float(scheduler.init_noise_sigma) == pytest.approx(wanted, rel=1e-6)


def test_edm_latents_have_the_scale_of_the_configured_sigma() -> None:
    """Why ``init_noise_sigma`` is overridden here too: the schedule may start elsewhere."""
    scheduler = diffusers.EDMEulerScheduler(sigma_max=50.0)
    scheduler.set_timesteps(4)
    scheduler.sigmas = scheduler.sigmas / 2.0
    assert float(scheduler.init_noise_sigma) == pytest.approx(np.hypot(50.0, 1.0))


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("DPMSolverMultistepScheduler", 2.0**-24),
        ("EulerAncestralDiscreteScheduler", 2.0**-24),
        ("EulerDiscreteScheduler", 2.0**-24),
        ("UniPCMultistepScheduler", 2.0**-24),
        ("DDIMScheduler", 0.0),
        ("DDPMScheduler", 0.0),
        ("LCMScheduler", 0.0),
        ("TCDScheduler", 0.0),
    ],
)
def test_zero_terminal_snr(name: str, last: float) -> None:
    """Why tables are compared, and why an exact 0 is read as 2^-24."""
    assert float(stock(name, rescale_betas_zero_snr=True).alphas_cumprod[-1]) == last


@pytest.mark.parametrize(
    "name", ["DEISMultistep", "DPMSolverSinglestep", "HeunDiscrete", "KDPM2Discrete", "LMSDiscrete", "SASolver"]
)
def test_zero_terminal_snr_is_kept_and_not_obeyed(name: str) -> None:
    """Why configurations are not trusted: six classes store the key and build the other table."""
    cls = getattr(diffusers, f"{name}Scheduler")
    scheduler = cls.from_config(dict(stock("DDIMScheduler", rescale_betas_zero_snr=True).config))
    assert scheduler.config["rescale_betas_zero_snr"] is True
    assert float(scheduler.alphas_cumprod[-1]) == pytest.approx(0.0047, rel=0.01)


def test_flow_matching_shifts_what_it_is_given() -> None:
    """Why a schedule, which is final, is not passed as ``sigmas=``; and twice what it makes itself."""
    scheduler = stock("FlowMatchEulerDiscreteScheduler", shift=3.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.7, 0.3])
    torch.testing.assert_close(scheduler.sigmas, torch.tensor([1.0, 0.875, 0.5625, 0.0]))
    scheduler.set_timesteps(1000)
    once = 3.0 * 0.001 / 1.002
    assert float(scheduler.sigmas[-2]) == pytest.approx(3.0 * once / (1.0 + 2.0 * once), rel=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "HeunDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
    ],
)
def test_solvers_of_two_calls_make_2n_minus_1(name: str) -> None:
    """What ``Schedule.nfe`` and the interleaved arrays rest on; image to image slices by ``order``."""
    scheduler = stock(name)
    scheduler.set_timesteps(5)
    assert len(scheduler.timesteps) == 9
    assert scheduler.order == 2


def test_tcd_ends_at_the_first_entry_of_its_table() -> None:
    """Why ``realised`` of a TCD scheduler ends above sigma 0."""
    scheduler = stock("TCDScheduler")
    scheduler.set_timesteps(4)
    x0 = torch.full(SHAPE, 0.3)
    t = scheduler.timesteps[-1]
    alpha, sigma = scheduler.alphas_cumprod[t].sqrt(), (1.0 - scheduler.alphas_cumprod[t]).sqrt()
    scheduler.set_begin_index(3)
    noise = torch.ones(SHAPE)
    last = scheduler.step(noise, t, alpha * x0 + sigma * noise, eta=0.0, return_dict=False)[0]
    first = scheduler.alphas_cumprod[0]
    torch.testing.assert_close(last, first.sqrt() * x0 + (1.0 - first).sqrt() * noise)


def test_consistency_schedulers_demand_a_finer_grid_than_the_steps() -> None:
    """Why LCM and TCD are reset with an original grid of all timesteps."""
    with pytest.raises(ValueError, match="smaller than `num_inference_steps`"):
        stock("LCMScheduler", original_inference_steps=4).set_timesteps(8)


def test_single_elements_in_float64_do_not_change_the_type() -> None:
    """Why sigmas can be kept in float64: ``step`` takes tensors of no dimensions."""
    scheduler = overwritten(stock("DPMSolverMultistepScheduler"), [*SIGMAS, 0.0])
    x = torch.zeros(SHAPE, dtype=torch.float16)
    for t in scheduler.timesteps:
        x = scheduler.step(x, t, x, return_dict=False)[0]
    assert x.dtype == torch.float16


def test_saving_asks_for_the_class_and_the_configuration(tmp_path: Any) -> None:
    """Why the swapped class keeps its name and overrides ``to_json_string``."""
    scheduler = stock("UniPCMultistepScheduler")

    class Loud(type(scheduler)):  # type: ignore[misc]
        def to_json_string(self) -> str:
            return "called"

    scheduler.__class__ = Loud
    scheduler.save_pretrained(tmp_path)
    assert (tmp_path / "scheduler_config.json").read_text() == "called"
    assert '"_class_name": "Loud"' in super(Loud, scheduler).to_json_string()
