"""Teacher trajectories of Gaussian data, against where the ODE takes it."""

from __future__ import annotations

import numpy as np
import pytest

from calibration_models import NOISES, SIZE, VARIANCES, gaussian, levels
from hso.network import CallableNetwork
from hso.trajectories import NODES, joined, teacher, teacher_nodes
from reference_solvers import unipc

FAMILIES = list(NOISES)


def network(noise, denoise=None, **options):
    return CallableNetwork(denoise or gaussian(noise), noise, shape=(SIZE,), **options)


def solution(noise, eps, variances=VARIANCES):
    """(x / alpha) / sqrt(C + s^2) is constant along the ODE; x starts as eps, or sigma eps for VE."""
    low = noise.lambda_range[0]
    start = eps * (noise.sigma(low) if noise.family == "ve" else 1.0) / noise.alpha(low)
    return start * np.sqrt(variances / (variances + np.exp(-2.0 * low)))


@pytest.mark.parametrize("family", FAMILIES)
def test_nodes_go_from_the_most_noise_to_where_predictions_are_final(family):
    noise = NOISES[family]
    low, high = noise.lambda_range
    for count in (4, NODES, 200):
        lambdas = teacher_nodes(noise, count)
        assert lambdas.shape == (count,)
        assert lambdas[0] == low and lambdas[-1] <= high
        assert lambdas[-1] >= min(high, 4.5)
        assert np.all(np.diff(lambdas) > 0.0)
        # the same clock, four times as fine
        np.testing.assert_allclose(teacher_nodes(noise, 4 * count - 3)[::4], lambdas, atol=1e-9)
    for count in (3, 4.0, 10**6):
        with pytest.raises(ValueError, match="nodes must be"):
            teacher_nodes(noise, count)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_trajectory_is_unipcs(family):
    """Each state is where UniPC-2 arrives from all nodes before, its order kept to the end."""
    noise = NOISES[family]
    found = teacher(network(noise), count=3, nodes=8, seed=4)
    assert found.x0.shape == found.states.shape == (8, 3, SIZE)
    eps = np.stack([np.random.default_rng([4, i]).standard_normal(SIZE) for i in range(3)])
    assert np.array_equal(found.eps, eps)
    x = eps * noise.sigma(found.lambdas[0]) if family == "ve" else eps
    denoise = gaussian(noise)
    # a state is corrected after the network has been asked at it: the one asked at is the prediction
    for last in range(1, 8):
        path = levels(noise, found.lambdas[: last + 1], False)
        end = unipc(path, lambda x, i: denoise(x, found.lambdas[i]), x, order=2, lower_order_final=False)
        np.testing.assert_allclose(noise.alpha(found.lambdas[last]) * found.states[last], end, rtol=1e-9, atol=1e-12)
    for lam, state, x0 in zip(found.lambdas, found.states, found.x0, strict=True):
        np.testing.assert_allclose(denoise(noise.alpha(lam) * state, lam), x0, rtol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("deviation", [0.25, 0.5, 1.0, 2.0])
def test_a_teacher_of_few_nodes_is_near_the_solution(family, deviation):
    noise, variances = NOISES[family], np.full(SIZE, deviation**2)
    errors = []
    for nodes in (NODES, 4 * NODES):
        found = teacher(network(noise, gaussian(noise, variances)), count=4, nodes=nodes)
        wanted = solution(noise, found.eps, variances)
        errors.append(np.linalg.norm(found.x0[-1] - wanted) / np.linalg.norm(wanted))
    # what is left at the end is the noise at the last node, sigma^2 / (2 C) of the image at the VE sigma 0.01..0.03
    left = 0.5 * np.exp(-2.0 * found.lambdas[-1]) / deviation**2
    assert errors[0] < 0.01 + 2.0 * left
    assert errors[1] < 0.1 * errors[0] + 1.1 * left


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_parts_are_joined(batch):
    noise = NOISES["vp"]
    whole, parts = (teacher(network(noise, batch=size), count=5, nodes=6, seed=7) for size in (None, batch))
    for name in ("lambdas", "eps", "x0", "states"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert parts.noise == noise
    assert joined([whole]).x0.shape == whole.x0.shape


def test_shapes_seeds_and_counts():
    noise = NOISES["vp"]
    asked = network(noise)
    first = teacher(asked, count=2, nodes=5, seed=1)
    assert asked.evaluations == 10
    assert np.array_equal(teacher(asked, count=4, nodes=5, seed=1).eps[:2], first.eps)
    assert not np.array_equal(teacher(asked, count=2, nodes=5, seed=2).eps, first.eps)
    shaped = CallableNetwork(lambda x, lam: 0.5 * x, noise, shape=(2, 3, 4))
    assert teacher(shaped, count=2, nodes=5).x0.shape == (5, 2, 24)
    with pytest.raises(ValueError, match="count must be in 1"):
        teacher(asked, count=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_is_near_float64(family):
    pytest.importorskip("torch")
    noise = NOISES[family]
    single, double = (teacher(network(noise, **options), count=3) for options in ({"device": "cpu"}, {}))
    assert single.x0.dtype == single.states.dtype == np.float32
    scale = np.abs(double.x0[-1]).max()
    np.testing.assert_allclose(single.x0[-1], double.x0[-1], atol=2e-5 * scale)
