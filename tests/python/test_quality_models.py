"""The quality bench's models: they load offline, predict x0 on unseen images, and their scripts run."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
hso = pytest.importorskip("hso")

classifier = importlib.import_module("classifier")
fashion_mnist = importlib.import_module("fashion_mnist")
models = importlib.import_module("models")
noising = importlib.import_module("noising")

MODELS = Path(classifier.__file__).parent / "models"
NETWORKS = tuple(name for name in models.NAMES if name != "mixture")
IMAGES = 48
LEVELS = (-2.0, -0.5, 1.0, 2.5)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be looked for elsewhere."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def dataset() -> tuple[Any, Any]:
    """Give the first 2,000 test images, (n, 1, 28, 28) in [-1, 1], and their labels."""
    try:
        images, labels = fashion_mnist.load("test")
    except fashion_mnist.DatasetMissingError as error:
        pytest.skip(str(error))
    scaled = torch.from_numpy(fashion_mnist.to_unit_range(images[:2000])).unsqueeze(1)
    return scaled, torch.from_numpy(labels[:2000].astype(np.int64))


@cache
def load(name: str) -> Any:
    """Load a model once."""
    return models.load(name)


def record(name: str) -> dict[str, Any]:
    """Read what a training run wrote about itself."""
    content: dict[str, Any] = json.loads((MODELS / f"fashion_mnist_{name}" / "training.json").read_text())
    return content


def linear_minimum_rmse(x0: Any, alpha: float, sigma: float) -> float:
    """The error of the best denoiser that is linear in each element and knows this very batch's mean and variance.

    Its mean squared error is that of the Gaussian posterior, v sigma^2 / (alpha^2 v + sigma^2), averaged;
    it is below the batch's own deviation, and below that of x / alpha.
    """
    variance = x0.double().var(dim=0)
    return float((variance * sigma**2 / (alpha**2 * variance + sigma**2)).mean().sqrt())


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("level", LEVELS)
def test_x0_prediction_beats_elementwise_baselines(name: str, level: float, dataset: tuple[Any, Any]) -> None:
    """On unseen images every model uses what the pixels say of one another."""
    model = load(name)
    images = dataset[0][:IMAGES]
    if name == "mixture":
        # its x0 lie in the principal components that it keeps, and what is outside is not its to predict
        flat = images.flatten(1).double().numpy() - model.mixture.mean
        kept = model.mixture.mean + flat @ model.mixture.components.T @ model.mixture.components
        images = torch.from_numpy(kept).view(images.shape)
    x0 = model.encode(images.to(model.dtype))
    alpha, sigma = float(model.noise.alpha(level)), float(model.noise.sigma(level))
    assert np.log(alpha / sigma) == pytest.approx(level, abs=1e-6)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    predicted = model.denoise((alpha * x0 + sigma * noise).to(model.dtype), level)
    assert predicted.shape == x0.shape == (IMAGES, *model.shape)
    assert predicted.dtype == model.dtype
    rmse = float((predicted - x0).double().square().mean().sqrt())
    assert rmse < 0.95 * linear_minimum_rmse(x0, alpha, sigma)


@pytest.mark.parametrize("name", models.NAMES)
def test_decode_undoes_encode(name: str, dataset: tuple[Any, Any]) -> None:
    """Exactly without an autoencoder; with one, to the error that its training stated."""
    model = load(name)
    images = dataset[0][:256].to(model.dtype)
    difference = model.decode(model.encode(images)) - images
    rmse = float(difference.square().mean().sqrt())
    if name != "latent":
        assert rmse == 0.0
        return
    stated = record("latent/vae")["reconstruction_rmse"]
    assert rmse == pytest.approx(stated, rel=0.1)
    assert stated < 0.15


def test_latents_have_unit_variance(dataset: tuple[Any, Any]) -> None:
    """As the noise table supposes."""
    latents = load("latent").encode(dataset[0][:512])
    assert latents.shape == (512, 4, 8, 8)
    assert abs(float(latents.mean())) < 0.05
    assert float(latents.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("name", "betas"),
    [
        ("sd", np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000) ** 2),
        ("latent", np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000) ** 2),
        ("mixture", np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000) ** 2),
        ("ddpm", np.linspace(1e-4, 0.02, 1000)),
    ],
)
def test_noise_is_the_tables(name: str, betas: Any) -> None:
    """The log-SNR at the table's indices follows from the betas' definition."""
    bar = np.cumprod(1.0 - betas)
    index = np.array([10, 100, 500, 990])
    expected = 0.5 * np.log(bar[index] / (1.0 - bar[index]))
    found = np.array([float(load(name).noise.timestep(level)) for level in expected])
    np.testing.assert_allclose(found, index, atol=0.02)


def test_noise_is_the_flows() -> None:
    """alpha = 1 - s, sigma = s and the network is told 1000 s."""
    noise = load("flow").noise
    for s in (0.05, 0.5, 0.9):
        level = np.log((1.0 - s) / s)
        assert float(noise.sigma(level)) == pytest.approx(s, abs=1e-6)
        assert float(noise.alpha(level)) == pytest.approx(1.0 - s, abs=1e-6)
        assert float(noise.timestep(level)) == pytest.approx(1000.0 * s, abs=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_record_and_files(name: str) -> None:
    """What was written about a training agrees with what it left, and holds no machine's paths."""
    content = record(name)
    assert content["parameters"] == sum(p.numel() for p in load(name).pipeline.unet.parameters())
    # predicting 0 gives 1, and more for velocities
    assert 0.0 < content["held_out_loss"] < 0.25
    for path in (MODELS / f"fashion_mnist_{name}").rglob("*.json"):
        text = path.read_text()
        assert '"/' not in text, path
        assert " /" not in text, path


def test_weights_fit_their_budget() -> None:
    """All of them together stay under 25 MB."""
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < 25_000_000


def test_classifier(dataset: tuple[Any, Any]) -> None:
    """Over 0.9 of 2,000 unseen images; the scores are linear in the features."""
    model = classifier.load_classifier()
    images, labels = dataset
    with torch.no_grad():
        features = torch.cat([model.features(part) for part in torch.split(images, 500)])
        scores = model.head(features)
        assert torch.equal(scores[:500].argmax(1), model(images[:500]).argmax(1))
    assert features.shape == (2000, classifier.FEATURES)
    accuracy = float((scores.argmax(1) == labels).float().mean())
    assert accuracy > 0.9
    assert accuracy == pytest.approx(record("classifier")["test_accuracy"], abs=0.02)


def test_flow_pipeline_samples() -> None:
    """The folder's own scheduler and network make images, the same for the same seed."""
    pipeline = load("flow").pipeline
    pipeline.set_progress_bar_config(disable=True)

    def sample() -> Any:
        return pipeline(batch_size=2, num_inference_steps=3, generator=torch.Generator().manual_seed(5))

    images = sample()
    assert images.shape == (2, 1, 28, 28)
    assert float(images.min()) >= -1.0
    assert float(images.max()) <= 1.0
    # Fashion-MNIST's corners are black, noise's mid-grey
    assert float(images[:, :, :3, :3].mean()) < -0.9
    assert torch.equal(images, sample())


def test_unknown_and_missing_models(tmp_path: Path) -> None:
    """The error names what was asked for and how to get it."""
    with pytest.raises(ValueError, match=r"name must be one of mixture, sd, .* got 'edm'"):
        models.load("edm")
    with pytest.raises(ValueError, match="noise can be chosen for the mixture only, 'sd'"):
        models.load("sd", noise=hso.NoiseSchedule.preset("sd15"))
    with pytest.raises(FileNotFoundError, match=r"model_index\.json not found: .*train_unet\.py --noise flow"):
        models.load("flow", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"mixture\.npz not found: .*fit_mixture\.py"):
        models.load("mixture", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"train_classifier\.py"):
        classifier.load_classifier(tmp_path)
    with pytest.raises(ValueError, match="noise must be one of sd, ddpm, flow, got 'edm'"):
        noising.build("edm")


def test_many_step_distance(dataset: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The mixture's samples are far nearer to the test images than its starts are."""
    measure_models = importlib.import_module("measure_models")
    measures = importlib.import_module("measures")
    network = classifier.load_classifier()
    noise = torch.randn(128, 1, 28, 28, generator=torch.Generator().manual_seed(0)).clamp(-1.0, 1.0)
    with torch.no_grad():
        real, starts = (network.features(part).double().numpy() for part in (dataset[0][:500], noise))
    monkeypatch.setattr(measure_models, "test_features", lambda _: real)
    found = measure_models.many_step_distance("mixture", samples=128, steps=10, seed=0)
    assert found["real_images"] == 500
    assert found["frechet_distance"] < 0.3 * measures.frechet_distance(starts, real)
