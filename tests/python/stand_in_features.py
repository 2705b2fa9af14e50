"""What stands in for Inception where its weights are not: eight moments of an image."""

import torch


class Moments:
    name = "moments"

    def __call__(self, images):
        flat = images.double().flatten(2) / 255.0
        mean, deviation = flat.mean(2), flat.std(2)
        return torch.cat([mean, deviation, flat[:, 0, :1], flat[:, 1, -1:]], dim=1)


def make(device):
    return Moments()
