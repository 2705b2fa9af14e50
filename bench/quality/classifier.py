"""A small Fashion-MNIST classifier, whose features stand in for Inception's in Frechet and kernel distances."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FOLDER = Path(__file__).parent / "models" / "fashion_mnist_classifier"
WEIGHTS = "model.safetensors"
FEATURES = 64
CLASSES = 10


class Classifier(nn.Module):
    """Images (n, 1, 28, 28) in [-1, 1] to 64 features and, linear in those, 10 class scores.

    The features keep the layout of the image, as they come from a full layer over the 7x7 map
    rather than from its average: a misplaced sleeve moves them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, 32),
            nn.MaxPool2d(2),
            *_block(32, 64),
            nn.MaxPool2d(2),
            *_block(64, 64),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(64 * 7 * 7, FEATURES, bias=False),
            nn.BatchNorm1d(FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, CLASSES)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, 64), at least 0."""
        found: torch.Tensor = self.body(images)
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores (n, 10) before the softmax."""
        scores: torch.Tensor = self.head(self.features(images))
        return scores


def save_classifier(model: Classifier, folder: Path) -> None:
    """Write the weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {}
    for name, value in model.state_dict().items():
        # the counts of batches beside the running statistics are integers, and stay
        stored = value.half() if value.is_floating_point() else value
        weights[name] = stored.contiguous()
    save_file(weights, folder / WEIGHTS)


def load_classifier(folder: Path = FOLDER) -> Classifier:
    """Read the weights into a float32 model on the CPU, ready for evaluation.

    Raises FileNotFoundError, with the command that makes them, if there are none.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} not found: train it with python bench/quality/train_classifier.py --out {folder}"
        )
    model = Classifier()
    model.load_state_dict(load_file(path))
    return model.float().eval()


def _block(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
