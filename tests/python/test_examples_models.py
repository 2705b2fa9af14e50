"""What the examples say of diffusers' pipelines is what these ran: read off networks, latents and pictures."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("torch", "diffusers", "transformers", "PIL"):
    pytest.importorskip(module)

import diffusers  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageSequence  # noqa: E402

import hso  # noqa: E402
import tiny_flow_models  # noqa: E402
import tiny_stable_diffusion  # noqa: E402
from example_scripts import load  # noqa: E402

NUMBER = r"\d+\.?\d*(?:e[-+]?\d+)?"
SIZE = 8  # of the tiny Stable Diffusion's images


class Watched:
    """Makes ``cls.from_pretrained`` note what the network of the pipelines that it loads is told and shown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cls: Any, network: str) -> None:
        self.told: list[float] = []
        self.seen: list[torch.Tensor] = []
        self.noise = torch.empty(0)
        original = cls.from_pretrained

        def watched(*args: Any, **kwargs: Any) -> Any:
            pipe = original(*args, **kwargs)
            pipe.set_progress_bar_config(disable=True)
            getattr(pipe, network).register_forward_hook(self._note, with_kwargs=True)
            return pipe

        monkeypatch.setattr(cls, "from_pretrained", watched)

    def _note(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """The network's answer becomes that for images of 0, the noise: latents then stay on the ray sigma eps."""
        self.told.append(float(kwargs["timestep"].flatten()[0]))
        self.seen.append(kwargs["hidden_states"].detach().clone())
        if self.told[-1] > max(self.told[-2:-1], default=0.0):  # more noise than before: another sample begins
            self.noise = self.seen[-1]
        return (self.noise,)

    def sigmas(self, calls: slice) -> list[float]:
        """The noise levels of the latents that the network was shown in these calls, relative to the first."""
        seen = self.seen[calls]
        return [float((x * seen[0]).sum() / (seen[0] * seen[0]).sum()) for x in seen]


def numbers(line: str, after: str) -> list[float]:
    return [float(text) for text in re.findall(NUMBER, line.split(after)[1])]


def tiles(path: Path, rows: int, columns: int) -> np.ndarray:
    """The grid's images, (rows, columns, height, width, 3) in 0..1."""
    with Image.open(path) as image:
        pixels = np.asarray(image) / 255
    assert pixels.shape == (rows * SIZE, columns * SIZE, 3)
    return pixels.reshape(rows, SIZE, columns, SIZE, 3).swapaxes(1, 2)


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sd")
    tiny_stable_diffusion.save(folder / "model", folder / "words")
    return str(folder / "model")


@pytest.mark.filterwarnings("ignore:DDIMScheduler cannot run a custom schedule")
@pytest.mark.parametrize(
    ("solver", "end", "scheduler"),
    [
        ("unipc", "zero", diffusers.UniPCMultistepScheduler),
        ("dpm-solver++", "early", diffusers.DPMSolverMultistepScheduler),
        ("ddim", "zero", diffusers.DDIMScheduler),
        ("euler", "zero", diffusers.EulerDiscreteScheduler),
    ],
)
def test_stable_diffusion_compares_the_stock_schedule_with_hsos(
    stable_diffusion: str, solver: str, end: str, scheduler: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load("stable_diffusion")
    out = tmp_path / "grid.png"
    arguments = ["--model", stable_diffusion, "--nfe", "5", "--reference", "9", "--images", "2", "--guidance", "3"]
    script.main([*arguments, "--solver", solver, "--end", end, "--seed", "4", "--out", str(out)])
    lines = capsys.readouterr().out.splitlines()

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(stable_diffusion)
    pipe.set_progress_bar_config(disable=True)
    config = pipe.scheduler.config
    pipe.scheduler = scheduler.from_config(config)
    noise = hso.diffusers.noise_schedule(pipe)
    last = noise.t(np.log(5))
    schedule = hso.optimize(noise, 5, **({} if end == "zero" else {"terminal": "t_min", "t_min": (last, last)}))
    if end == "early":
        assert schedule.sigmas[-1] == pytest.approx(1 / 5)

    def sample(steps: int) -> np.ndarray:
        generator = torch.Generator().manual_seed(4)
        prompts = 2 * ["an astronaut cat"]
        return pipe(
            prompts, num_inference_steps=steps, guidance_scale=3.0, generator=generator, output_type="np"
        ).images

    expected = [sample(5)]
    hso.diffusers.apply(pipe, schedule)
    expected.append(sample(5))
    solver_of_the_solution = diffusers.DPMSolverMultistepScheduler.from_config(config)
    pipe.scheduler = hso.diffusers.apply(solver_of_the_solution, hso.schedules.karras(noise, 9))
    expected.insert(0, sample(9))
    found = tiles(out, 3, 2)
    np.testing.assert_allclose(found, expected, atol=0.51 / 255)
    assert np.abs(found[1] - found[2]).max() > 1.5 / 255  # the two schedules differ in the picture
    rmse = np.sqrt(np.mean((np.array(expected) - expected[0]) ** 2, axis=(2, 3, 4))).mean(axis=1)
    printed = [float(line.rsplit(" ", 1)[1]) for line in lines if "RMSE" in line]
    np.testing.assert_allclose(printed, rmse, atol=2e-3)  # pictures have 8 bits


def test_flux_runs_each_size_under_its_own_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_flow_models.save_flux(tmp_path / "model", tmp_path / "words")
    script = load("flux_sizes")
    watched = Watched(monkeypatch, diffusers.FluxPipeline, "transformer")
    sizes = ["32x32", "64x32", "32x64", "48x48"]
    out = tmp_path / "image"
    script.main(["--model", str(tmp_path / "model"), "--sizes", *sizes, "--nfe", "4", "--out", str(out)])
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "3 searches for 4 images"  # 64x32 and 32x64 have as many tokens

    told = np.array(watched.told).reshape(4, 4)
    for i, (line, text) in enumerate(zip(lines, sizes, strict=True)):
        width, height = (int(side) for side in text.split("x"))
        tokens = watched.seen[4 * i].shape[1]
        shift = np.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256))
        schedule = hso.optimize(hso.NoiseSchedule.flow(shift=shift), 4)
        np.testing.assert_allclose(told[i], schedule.timesteps / 1000, rtol=1e-6)
        levels = watched.sigmas(slice(4 * i, 4 * i + 4))
        np.testing.assert_allclose(levels, schedule.sigmas[:-1] / schedule.sigmas[0], rtol=1e-5)
        assert line.startswith(f"{text}: shift {shift:.4f}")
        np.testing.assert_allclose(numbers(line, "sigmas"), schedule.sigmas, atol=5.1e-5)
        with Image.open(f"{out}-{text}.png") as image:
            assert image.size == (width, height)
    assert np.all(np.diff(told[[0, 1, 3], 2:], axis=0) > 0)  # larger images, more noise


def test_flux_says_what_a_size_changes(capsys: pytest.CaptureFixture[str]) -> None:
    script = load("flux_sizes")
    script.main(["--schedules-only", "--sizes", "512x512", "1024x1024", "1536x640", "640x1536", "--nfe", "6"])
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "3 searches for 4 images"
    small, large, wide, tall = (numbers(line, "sigmas") for line in lines)
    assert wide == tall and small[0] == large[0] and all(a < b for a, b in zip(small[1:-1], large[1:-1], strict=True))
    preset = hso.NoiseSchedule.preset("flux-dev", width=1024, height=1024)
    np.testing.assert_allclose(large, hso.optimize(preset, 6).sigmas, atol=5.1e-5)


def test_flux_rounds_its_nodes_where_the_network_does() -> None:
    script = load("flux_sizes")
    noise = hso.NoiseSchedule.flow(shift=2.5)
    rounded = script.schedule_for(2.5, 6, "bfloat16")
    assert rounded == hso.diffusers.round_timesteps(noise, hso.optimize(noise, 6), "bfloat16")
    told = (torch.tensor(rounded.timesteps, dtype=torch.float32)).to(torch.bfloat16).double().numpy()
    np.testing.assert_allclose(told, rounded.timesteps, rtol=1e-6)
    assert script.schedule_for(2.5, 6) == hso.optimize(noise, 6) != rounded


@pytest.mark.parametrize("text", ["1024", "1024x", "1000x1024", "0x16", "axb"])
def test_flux_refuses_what_is_no_size(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load("flux_sizes").main(["--sizes", text])
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preset", "arguments", "frames", "width", "calls"),
    [
        ("wan2.1", ["--width", "32", "--height", "48", "--num-frames", "5", "--shift", "5"], 5, 32, 2),
        ("wan2.1", ["--width", "32", "--height", "32", "--num-frames", "9"], 9, 32, 2),
        ("ltx", ["--width", "64", "--height", "32", "--num-frames", "9"], 9, 64, 1),
    ],
    ids=["wan, shift 5", "wan", "ltx"],
)
def test_video_runs_its_schedule(
    preset: str,
    arguments: list[str],
    frames: int,
    width: int,
    calls: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "model"
    (tiny_flow_models.save_ltx if preset == "ltx" else tiny_flow_models.save_wan)(model)
    watched = Watched(monkeypatch, diffusers.DiffusionPipeline, "transformer")
    out = tmp_path / "video.gif"
    load("video").main(["--preset", preset, "--model", str(model), *arguments, "--nfe", "4", "--out", str(out)])

    if preset == "ltx":
        tokens = watched.seen[0].shape[1]
        shift = np.exp(0.95 + (2.05 - 0.95) * (tokens - 1024) / (4096 - 1024))
    else:
        shift = 5.0 if "--shift" in arguments else 3.0
    schedule = hso.optimize(hso.NoiseSchedule.flow(shift=shift), 4)
    stock, ours = np.array(watched.told[::calls]).reshape(2, 4)
    np.testing.assert_allclose(ours, schedule.timesteps, rtol=1e-6)
    assert np.abs(stock - ours).max() > 1.0
    second = slice(4 * calls, 8 * calls, calls)
    np.testing.assert_allclose(watched.sigmas(second), schedule.sigmas[:-1] / schedule.sigmas[0], rtol=1e-4)
    first, *_ = capsys.readouterr().out.splitlines()
    assert f"shift {shift:.4f}" in first
    np.testing.assert_allclose(numbers(first, "sigmas"), schedule.sigmas, atol=5.1e-5)
    with Image.open(out) as video:
        assert video.n_frames == frames and video.width == 2 * width
        assert all(frame.width == 2 * width for frame in ImageSequence.Iterator(video))


def test_video_has_the_stock_schedule_left_and_hsos_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pipeline's frames are painted by whether its scheduler holds a schedule."""
    tiny_flow_models.save_wan(tmp_path / "model")
    script = load("video")
    original = script.sample

    def painted(pipe: Any, *others: Any) -> Any:
        frames, seconds = original(pipe, *others)
        try:
            hso.diffusers.realised(pipe)
        except ValueError:
            return [Image.new("RGB", frame.size, "black") for frame in frames], seconds
        return [Image.new("RGB", frame.size, "white") for frame in frames], seconds

    monkeypatch.setattr(script, "sample", painted)
    out = tmp_path / "video.gif"
    size = ["--width", "32", "--height", "32", "--num-frames", "5"]
    script.main(["--model", str(tmp_path / "model"), *size, "--nfe", "3", "--out", str(out)])
    with Image.open(out) as video:
        first = np.asarray(video.convert("RGB"))
    assert np.all(first[:, :32] == 0) and np.all(first[:, 32:] == 255)


def test_video_takes_size_and_guidance_from_the_preset() -> None:
    options: argparse.Namespace = load("video").parse(["--preset", "ltx", "--width", "480"])
    preset = hso.presets.get("ltx")
    assert (options.model, options.width, options.height) == (preset.hub_id, 480, preset.height)
    assert (options.num_frames, options.guidance) == (preset.num_frames, preset.guidance_scale)
    with pytest.raises(SystemExit):
        load("video").parse(["--preset", "ltx", "--shift", "3"])


def test_calibrate_prints_the_profile_that_it_saves(
    stable_diffusion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "profile.json"
    arguments = ["--model", stable_diffusion, "--prompt", "a cat", "a dog", "--budget", "336", "--nfe", "4"]
    load("calibrate").main([*arguments, "--out", str(out)])
    lines = capsys.readouterr().out.splitlines()
    profile = hso.Profile.load(out)
    assert f"evaluations={profile.evaluations}" in "".join(lines)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(stable_diffusion)
    noise = hso.diffusers.noise_schedule(pipe)
    for nfe, error in profile.curve().items():
        (line,) = (line for line in lines if line.startswith(f"{nfe:3d} calls"))
        assert numbers(line, "calls:") == pytest.approx([error, profile.error(hso.optimize(noise, nfe))], abs=5.1e-5)
    (line,) = (line for line in lines if line.startswith("timesteps"))
    assert numbers(line, "timesteps") == pytest.approx(hso.optimize(profile, nfe=4).timesteps, abs=0.051)
    assert lines[-1] == "the model has changed by 0.0 %, the schedule fits"
