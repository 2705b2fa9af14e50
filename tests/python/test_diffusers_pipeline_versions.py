"""The behaviours of diffusers' pipelines that the adapter relies on or works around: see test_diffusers_versions.py."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers_helpers import SD  # noqa: E402
from pipeline_runs import Recorder, build  # noqa: E402


def test_flux_casts_its_timesteps() -> None:
    """Why nodes that coincide in the latents' type are refused for Flux and its like."""
    tiny = build("flux", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, dtype=torch.bfloat16)
    recorder = Recorder(tiny)
    tiny(5)
    exact = tiny.pipe.scheduler.timesteps
    assert recorder.told == (exact.to(torch.bfloat16) / 1000).tolist()
    assert not torch.equal(exact.to(torch.bfloat16).float(), exact)


def test_other_pipelines_do_not_cast() -> None:
    """Why the refusal is for some pipelines only."""
    for pipeline in ("sd3", "wan", "ltx"):
        tiny = build(pipeline, "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, dtype=torch.bfloat16)
        recorder = Recorder(tiny)
        tiny(5)
        assert recorder.told[:: tiny.calls] == tiny.pipe.scheduler.timesteps.tolist()


def test_pixart_cannot_make_one_step_with_most_schedulers() -> None:
    """It takes the second result of ``step``, which few have: a schedule of one call does not run there."""
    tiny = build("pixart", "DPMSolverMultistepScheduler", {})
    with pytest.raises(IndexError):
        tiny(1)


def test_ltx_cannot_be_given_timesteps() -> None:
    """It passes sigmas of its own as well: only an override of ``set_timesteps`` can reach it."""
    tiny = build("ltx", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0})
    with pytest.raises(ValueError, match="Only one of `timesteps` or `sigmas`"):
        tiny(3, timesteps=[900, 500, 100])


@pytest.mark.parametrize(
    ("pipeline", "name", "asked", "refused"),
    [
        ("sd", "UniPCMultistepScheduler", {"timesteps": [900, 500, 100]}, "custom timestep schedules"),
        ("sd", "LMSDiscreteScheduler", {"sigmas": [9.0, 2.0, 0.3]}, "custom sigmas schedules"),
        ("flux", "FlowMatchHeunDiscreteScheduler", {}, "custom sigmas schedules"),
    ],
)
def test_requests_go_by_the_parameters_of_set_timesteps(
    pipeline: str, name: str, asked: dict[str, Any], refused: str
) -> None:
    """Why the override names ``timesteps``, ``sigmas`` and ``mu``; by it Flux runs schedulers that it else refuses."""
    tiny = build(pipeline, name, SD if pipeline == "sd" else {})
    with pytest.raises(ValueError, match=refused):
        tiny(3, **asked)


def test_some_pipelines_leave_the_begin_index_open() -> None:
    """Why the first timestep must be found by equality, in SD 1.5; Flux says where it begins."""
    for pipeline, name, begin in (
        ("sd", "UniPCMultistepScheduler", None),
        ("flux", "FlowMatchEulerDiscreteScheduler", 0),
    ):
        tiny = build(pipeline, name, SD if pipeline == "sd" else {})
        tiny(3)
        assert tiny.pipe.scheduler.begin_index == begin
