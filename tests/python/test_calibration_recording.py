"""What a calibration asks beside the teacher's trajectory, and the splines that it compares the answers with."""

from __future__ import annotations

import numpy as np
import pytest

from calibration_models import NOISES, SIZE, gaussian, sample
from hso._multistep import Multistep
from hso.calibration._recording import GAIN, Questions, recording
from hso.calibration._spline import along, spline_weights, state_scale
from hso.network import CallableNetwork
from hso.trajectories import teacher, teacher_nodes


def test_weights_are_those_of_the_natural_cubic_spline():
    interpolate = pytest.importorskip("scipy.interpolate")
    random = np.random.default_rng(0)
    for count in (4, 9, 24):
        nodes = np.cumsum(random.uniform(0.1, 1.0, count))
        values = random.standard_normal(count)
        spline = interpolate.CubicSpline(nodes, values, bc_type="natural")
        for lam in [*nodes, *random.uniform(nodes[0], nodes[-1], 20)]:
            assert spline_weights(nodes, lam) @ values == pytest.approx(float(spline(lam)), abs=1e-12)


@pytest.mark.parametrize("family", NOISES)
def test_states_between_nodes_are_splines_of_scaled_ones(family):
    interpolate = pytest.importorskip("scipy.interpolate")
    noise = NOISES[family]
    followed = teacher(CallableNetwork(gaussian(noise), noise, shape=(SIZE,)), count=3)
    scaled = followed.states / np.hypot(1.0, np.exp(-followed.lambdas))[:, None, None]
    splines = [interpolate.CubicSpline(followed.lambdas, rows, bc_type="natural") for rows in (followed.x0, scaled)]
    for lam in (followed.lambdas[0], followed.lambdas[0] + 0.3, 0.1, followed.lambdas[-1]):
        x0, state = along(followed, float(lam))
        np.testing.assert_allclose(x0, splines[0](lam), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state * state_scale(lam), splines[1](lam), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", NOISES)
@pytest.mark.parametrize(("solver", "order"), [("ddim", 1), ("dpm-solver++", 2), ("unipc", 2)])
def test_probes_and_runs(family, solver, order):
    noise, denoise = NOISES[family], gaussian(NOISES[family])
    nodes = teacher_nodes(noise, 12)
    schedule = nodes[[0, 3, 6, 8]] + np.array([0.0, 0.1, 0.0, 0.05])
    jumps = [(0, 3), (2, 5), (6, 7)]
    program = recording(noise, nodes, Questions(jumps, [schedule], [nodes[::3]]), Multistep(solver, order))
    (found,) = CallableNetwork(denoise, noise, shape=(SIZE,)).run(program, 3, 5)
    followed = found.teacher
    assert len(program.lambdas) == 12 + 3 + 4 + 4
    assert [probe.lam for probe in found.probes] == program.lambdas[12:]
    for probe, (source, to) in zip(found.probes, jumps, strict=False):
        kept = np.exp(nodes[source] - nodes[to])
        arrived = kept * followed.states[source] + (1.0 - kept) * followed.x0[source]
        np.testing.assert_allclose(probe.error, arrived - followed.states[to], rtol=1e-9, atol=1e-12)
    for probe in found.probes:  # the network is linear
        gain = noise.alpha(probe.lam) * (denoise(np.eye(SIZE), probe.lam).diagonal())
        x0, state = along(followed, probe.lam)
        wanted = gain * (probe.error + state) - x0
        np.testing.assert_allclose(probe.response, wanted, rtol=1e-9, atol=1e-9)
    # runs from more noise are probes alone
    (run,) = found.runs
    eps = np.stack([np.random.default_rng([5, i]).standard_normal(SIZE) for i in range(3)])
    images = sample(denoise, noise, schedule, eps, solver=solver, order=order)
    np.testing.assert_allclose(run.error, np.sqrt(np.mean((images - followed.x0[-1]) ** 2, axis=1)), rtol=1e-9)
    assert run.changes.shape == (3, 3)
    first = found.probes[7]
    start = followed.states[0] * GAIN
    np.testing.assert_allclose(first.error, start - followed.states[0], rtol=1e-9, atol=1e-12)
