"""The quality bench's training scripts: two steps of each, a resumed run, options refused."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

diffusion_trainer = importlib.import_module("diffusion_trainer")
fashion_mnist = importlib.import_module("fashion_mnist")
noising = importlib.import_module("noising")
pipelines = importlib.import_module("pipelines")
train_classifier = importlib.import_module("train_classifier")
train_autoencoder = importlib.import_module("train_autoencoder")
train_latent = importlib.import_module("train_latent")
train_unet = importlib.import_module("train_unet")

MODELS = Path(train_unet.__file__).parent / "models"
SHORT = ["--steps", "2", "--batch", "4", "--limit", "32", "--device", "cpu"]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The scripts set the number of threads; the other tests keep theirs."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def dataset() -> None:
    """Skip where the data set is not installed."""
    try:
        fashion_mnist.load("test")
    except fashion_mnist.DatasetMissingError as error:
        pytest.skip(str(error))


def betas(name: str) -> Any:
    """Compute the family's 1000 betas from their definition."""
    if name == "sd":
        return np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000) ** 2
    return np.linspace(1e-4, 0.02, 1000)


@pytest.mark.parametrize("name", ["sd", "ddpm"])
def test_table_examples(name: str) -> None:
    """A noisy image follows from the betas' definition, and its target is the noise."""
    family = noising.build(name)
    clean, noise = torch.randn(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    timesteps = family.timesteps(torch.tensor([0.2, 500.7, 1000.0]))
    assert timesteps.tolist() == [0, 500, 999]
    bar = np.cumprod(1.0 - betas(name))[timesteps.numpy(), None, None, None]
    expected = np.sqrt(bar) * clean.numpy() + np.sqrt(1.0 - bar) * noise.numpy()
    np.testing.assert_allclose(family.noisy(clean, noise, timesteps).numpy(), expected, atol=1e-4)
    assert torch.equal(family.target(clean, noise), noise)


def test_flow_examples() -> None:
    """The target is the noisy image's derivative in s, which is diffusers' Euler step from one s to another."""
    family = noising.build("flow")
    clean, noise = torch.randn(2, 1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    target = family.target(clean, noise)
    scheduler = family.scheduler
    scheduler.set_timesteps(4)
    here, there = scheduler.timesteps[1:3].double()
    stepped = scheduler.step(target, scheduler.timesteps[1], family.noisy(clean, noise, here[None])).prev_sample
    np.testing.assert_allclose(stepped.numpy(), family.noisy(clean, noise, there[None]).numpy(), atol=1e-6)
    torch.testing.assert_close(family.noisy(clean, noise, torch.tensor([0.0])), clean)
    torch.testing.assert_close(family.noisy(clean, noise, torch.tensor([1000.0])), noise)


@pytest.mark.parametrize("name", noising.NAMES)
def test_unet_script(name: str, tmp_path: Path, dataset: None) -> None:
    """Two steps from the committed weights leave a pipeline that holds what the record says."""
    train_unet.main(["--out", str(tmp_path), "--noise", name, "--start", str(MODELS / "fashion_mnist_sd"), *SHORT])
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["noise"] == name
    assert record["start"] == "fashion_mnist_sd"
    assert (record["steps"], record["images_seen"], record["held_out_images"]) == (2, 8, 32)
    assert record["command"].startswith(f"python bench/quality/train_unet.py --noise {name} --start bench/quality/")
    assert not [path for path in tmp_path.rglob("*.json") if str(MODELS) in path.read_text()]
    pipeline = pipelines.FashionPipeline.from_pretrained(tmp_path)
    flow = name == "flow"
    assert type(pipeline.scheduler).__name__ == ("FlowMatchEulerDiscreteScheduler" if flow else "DDPMScheduler")
    # two steps move the weights little: still good at Stable Diffusion's noise, not yet at velocities
    assert (record["held_out_loss"] > 0.3) == flow


def test_latent_script(tmp_path: Path, dataset: None) -> None:
    """Two steps of either part leave one pipeline, whose latents have unit variance and whose samples are images."""
    train_autoencoder.main(["--out", str(tmp_path), *SHORT])
    train_latent.main(["--out", str(tmp_path), *SHORT])
    for path in (tmp_path / "vae" / "training.json", tmp_path / "training.json"):
        record = json.loads(path.read_text())
        assert (record["steps"], record["held_out_images"]) == (2, 32)
    assert not [path for path in tmp_path.rglob("*.json") if str(tmp_path) in path.read_text()]
    pipeline = pipelines.FashionPipeline.from_pretrained(tmp_path)
    images, _ = fashion_mnist.load("train")
    scaled = torch.from_numpy(fashion_mnist.to_unit_range(images[:32])).unsqueeze(1)
    latents = pipelines.encode(pipeline.vae, scaled)
    assert float(latents.std()) == pytest.approx(1.0, abs=0.02)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline(batch_size=2, num_inference_steps=2).shape == (2, 1, 28, 28)


def test_classifier_script(tmp_path: Path, dataset: None) -> None:
    """A few steps are better than a guess."""
    train_classifier.main(["--out", str(tmp_path), "--steps", "8", "--limit", "512"])
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["test_accuracy"] > 0.2


def test_resume_repeats_the_uninterrupted_run(tmp_path: Path) -> None:
    """Two steps, a checkpoint and two more are four steps."""
    args = argparse.Namespace(
        **{"device": "cpu", "steps": 4, "minutes": 1.0, "seed": 3, "batch": 4, "precision": "fp32"},
        **{"learning_rate": 1e-2, "checkpoint": None},
    )
    images = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def trainer() -> Any:
        torch.manual_seed(0)
        model = diffusers.UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(8, 8),
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            norm_num_groups=4,
        )
        return diffusion_trainer.Trainer(model, noising.build("flow"), args)

    whole = trainer()
    before = {name: value.clone() for name, value in whole.model.state_dict().items()}
    whole.train(images)
    first = trainer()
    args.steps = 4
    for _ in range(2):
        first._step(images)
    first.save(tmp_path / "state.pt")
    second = trainer()
    second.load(tmp_path / "state.pt")
    second.train(images)
    assert second.progress.step == whole.progress.step == 4
    changed = 0
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
        changed += not torch.equal(value, before[name])
    assert changed > 10


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train_unet", ["--noise", "edm"], "invalid choice: 'edm'"),
        ("train_unet", ["--resume"], "--resume needs --checkpoint"),
        ("train_unet", ["--start", "nowhere"], "--start must be a pipeline folder with a unet, got nowhere"),
        ("train_unet", ["--steps", "0"], "--steps must be at least 1, got 0"),
        ("train_unet", ["--limit", "5"], "--limit must be at least --batch, 32, got 5"),
        ("train_latent", [], "--out must hold the vae that train_autoencoder.py writes, got unused"),
        ("train_classifier", ["--limit", "5"], "--limit must be at least --batch, 128, got 5"),
        ("train_classifier", ["--batch", "0"], "--batch and --threads must be at least 1"),
    ],
)
def test_bad_options(script: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused by name before anything runs."""
    with pytest.raises(SystemExit):
        importlib.import_module(script).parse(["--out", "unused", *arguments])
    assert message in capsys.readouterr().err
