"""Real pipelines of diffusers, built offline, from the request for steps to the finite image.

What the network is told is compared with the schedule, and what it is shown with the noise levels:
see ``tiny_pipelines.Recorder``. Each test runs on the CPU and, where there is one, on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import hso  # noqa: E402
from diffusers_helpers import SD  # noqa: E402
from pipeline_runs import ON_GPU, X0, Recorder, build, optimized, starts  # noqa: E402
from reference_solvers import flow_levels, vp_levels  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::hso.diffusers.HsoWarning")

PLACES = [
    pytest.param("cpu", torch.float32, id="cpu-float32"),
    pytest.param("cpu", torch.bfloat16, id="cpu-bfloat16"),
    pytest.param("cuda", torch.float32, id="cuda-float32", marks=ON_GPU),
    pytest.param("cuda", torch.float16, id="cuda-float16", marks=ON_GPU),
    pytest.param("cuda", torch.bfloat16, id="cuda-bfloat16", marks=ON_GPU),
]

# Of latents near 1; in float32 the largest seen is 4e-6. In half precision Heun's method, which diffusers
# computes in the latents' type, and DEIS, which takes logarithms of 1 - s, are the worst.
TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.06, torch.bfloat16: 0.3}

LINEAR = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}
FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}
SVD = {
    **SD,
    "prediction_type": "v_prediction",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
    "sigma_min": 0.002,
    "sigma_max": 700.0,
}
DYNAMIC = {"use_dynamic_shifting": True}


def case(pipeline: str, name: str, config: dict[str, Any]) -> Any:
    return pytest.param(pipeline, name, config, id=f"{pipeline}-{name.removesuffix('Scheduler')}")


# Pipeline, scheduler class, its configuration: the one that the published models come with first.
CASES = [
    *(
        case("sd", f"{name}Scheduler", SD)
        for name in (
            "DDIM",
            "DDPM",
            "DEISMultistep",
            "DPMSolverMultistep",
            "DPMSolverSinglestep",
            "EulerAncestralDiscrete",
            "EulerDiscrete",
            "HeunDiscrete",
            "KDPM2AncestralDiscrete",
            "KDPM2Discrete",
            "LCM",
            "LMSDiscrete",
            "SASolver",
            "TCD",
            "UniPCMultistep",
        )
    ),
    case("sdxl", "EulerDiscreteScheduler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}),
    case("sdxl", "DPMSolverMultistepScheduler", {**SD, "use_karras_sigmas": True}),
    case("sdxl", "HeunDiscreteScheduler", SD),
    case("lcm", "LCMScheduler", SD),
    case("pixart", "DPMSolverMultistepScheduler", LINEAR),
    case("pixart", "EulerDiscreteScheduler", LINEAR),
    case("dit", "DDIMScheduler", LINEAR),
    case("dit", "UniPCMultistepScheduler", LINEAR),
    case("sd3", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    case("sd3", "FlowMatchHeunDiscreteScheduler", {"shift": 3.0}),
    case("sd3", "DEISMultistepScheduler", FLOW),
    case("flux", "FlowMatchEulerDiscreteScheduler", DYNAMIC),
    case("flux", "UniPCMultistepScheduler", FLOW),
    case("flux", "DPMSolverMultistepScheduler", FLOW),
    case("flux", "FlowMatchHeunDiscreteScheduler", {"shift": 3.0}),
    case("qwen", "FlowMatchEulerDiscreteScheduler", {**DYNAMIC, "shift_terminal": 0.02}),
    case("qwen", "UniPCMultistepScheduler", FLOW),
    case("wan", "UniPCMultistepScheduler", FLOW),
    case("wan", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    case("wan", "DPMSolverMultistepScheduler", FLOW),
    case("ltx", "FlowMatchEulerDiscreteScheduler", {**DYNAMIC, "shift_terminal": 0.1}),
    case("ltx", "DPMSolverSinglestepScheduler", FLOW),
]

WHOLE_TIMESTEPS = ("DDPMScheduler", "LCMScheduler", "TCDScheduler")
NOISY = (
    *WHOLE_TIMESTEPS[:2],
    "SASolverScheduler",
    "EulerAncestralDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
)
VE = ("EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler")


@pytest.mark.parametrize(("device", "dtype"), PLACES)
@pytest.mark.parametrize(("pipeline", "name", "config"), CASES)
def test_the_network_is_told_the_schedule(
    pipeline: str, name: str, config: dict[str, Any], device: str, dtype: Any
) -> None:
    tiny = build(pipeline, name, config, device, dtype)
    schedule = optimized(tiny.pipe)
    assert hso.diffusers.apply(tiny.pipe, schedule) is tiny.pipe
    recorder = Recorder(tiny)
    images = tiny(schedule.steps, output_type="np")
    assert len(recorder.told) == schedule.nfe * tiny.calls
    wanted = schedule.timesteps
    if name in WHOLE_TIMESTEPS:
        wanted = np.rint(wanted)
    else:
        assert np.abs(wanted - np.rint(wanted)).max() > 0.05  # else truncation would not show
    assert starts(schedule, recorder.told[:: tiny.calls]) == tiny.told(wanted)
    assert np.isfinite(images).all()


@pytest.mark.parametrize(("device", "dtype"), [place for place in PLACES if "bfloat16" not in place.id])
def test_stable_video_diffusion_is_told_log_sigma(device: str, dtype: Any) -> None:
    """Its image stays in float32, which diffusers 0.35 does not cast for an encoder in bfloat16."""
    tiny = build("svd", "EulerDiscreteScheduler", SVD, device, dtype)
    schedule = optimized(tiny.pipe)
    hso.diffusers.apply(tiny.pipe, schedule)
    recorder = Recorder(tiny)
    frames = tiny(5, output_type="np")
    assert recorder.told == tiny.told(schedule.timesteps)
    np.testing.assert_allclose(np.exp(4.0 * np.array(recorder.told)), schedule.sigmas[:-1], rtol=1e-5)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize(("device", "dtype"), PLACES)
@pytest.mark.parametrize(("pipeline", "name", "config"), CASES)
def test_the_latents_have_the_noise_levels_of_the_schedule(
    pipeline: str, name: str, config: dict[str, Any], device: str, dtype: Any
) -> None:
    """On a ray (see Recorder) every deterministic solver, of whatever order, is exact."""
    tiny = build(pipeline, name, config, device, dtype)
    schedule = optimized(tiny.pipe)
    hso.diffusers.apply(tiny.pipe, schedule)
    schedule = hso.diffusers.realised(tiny.pipe)
    recorder = Recorder(tiny, on_ray=True)
    noise = tiny.noise()
    last = tiny(schedule.steps, **({} if pipeline == "dit" else {"latents": noise}))
    seen = starts(schedule, recorder.seen[:: tiny.calls])
    levels = (flow_levels if schedule.family == "flow" else vp_levels)(np.asarray(schedule.sigmas))
    if pipeline != "dit":  # it makes its own noise
        assert torch.allclose(seen[0], noise[0], rtol=1e-3 if dtype == torch.float32 else 1e-2)
    unit = (seen[0] - levels.alpha[0] * X0) / levels.sigma[0]
    for i, x in enumerate(seen):
        eps = (x - levels.alpha[i] * X0) / levels.sigma[i]
        if name in NOISY:
            # 256 values: the standard error of their deviation is 0.044.
            assert 0.8 < float(eps.std()) < 1.2
        else:
            assert float((eps - unit).abs().max()) * levels.sigma[i] < TOLERANCE[dtype], f"call {i}"
    if pipeline == "dit":
        return
    end = levels.alpha[-1] * X0 + levels.sigma[-1] * unit
    if name in VE:
        end = end / levels.alpha[-1]
    if name not in NOISY or schedule.sigmas[-1] == 0.0:
        assert float((last[0].float().cpu() - end).abs().max()) < TOLERANCE[dtype]


@pytest.mark.parametrize(
    "asked", [{"timesteps": [900, 500, 100]}, {"sigmas": [9.0, 2.0, 0.3]}], ids=["timesteps", "sigmas"]
)
@pytest.mark.parametrize("pipeline", ["sd", "sdxl", "pixart"])
def test_timesteps_and_sigmas_of_the_caller_are_overruled(pipeline: str, asked: dict[str, Any]) -> None:
    tiny = build(pipeline, "UniPCMultistepScheduler", SD)
    schedule = optimized(tiny.pipe, 3)
    hso.diffusers.apply(tiny.pipe, schedule)
    recorder = Recorder(tiny)
    tiny(3, **asked)
    assert recorder.told == tiny.told(schedule.timesteps)
