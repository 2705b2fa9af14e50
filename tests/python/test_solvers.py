"""nfe counts network calls: solvers that spend two a step get half as many steps."""

import json

import numpy as np
import pytest

import hso
from tables import SD


@pytest.mark.parametrize("solver", ["heun", "kdpm2"])
@pytest.mark.parametrize(("nfe", "steps"), [(1, 1), (2, 1), (3, 2), (9, 5), (10, 5), (19, 10)])
def test_two_calls_a_step(solver, nfe, steps):
    s = hso.optimize(SD, nfe=nfe, solver=solver)
    assert (s.steps, s.nfe, s.solver) == (steps, 2 * steps - 1, solver)
    assert s.nfe <= nfe < s.nfe + 2
    plain = hso.optimize(SD, nfe=steps)
    np.testing.assert_array_equal(s.timesteps, plain.timesteps)
    assert s.d_min == plain.d_min


@pytest.mark.parametrize("solver", [None, "ddim", "dpm-solver++", "unipc", "euler", "lcm"])
def test_one_call_a_step(solver):
    s = hso.optimize(SD, nfe=5, solver=solver)
    assert (s.steps, s.nfe, s.solver) == (5, 5, solver)


def test_lists_and_given_nodes():
    schedules = hso.optimize(SD, nfe=[5, 9], solver="heun", terminal="t_min")
    assert [(s.steps, s.nfe) for s in schedules] == [(3, 5), (5, 9)]
    assert hso.Schedule.from_nodes(SD, [0.9, 0.5, 0.1], solver="heun").nfe == 5
    assert "solver='heun'" in repr(schedules[0])


def test_unknown_solvers_are_refused():
    for make in (lambda: hso.optimize(SD, nfe=5, solver="heunn"), lambda: hso.optimize(SD, nfe=5, solver=2)):
        with pytest.raises(ValueError, match=r"solver must be one of 'ddim', .*, got"):
            make()


def test_files_keep_the_solver(tmp_path):
    path = tmp_path / "s.json"
    hso.optimize(SD, nfe=9, solver="heun").save(path)
    loaded = hso.Schedule.load(path)
    assert (loaded.solver, loaded.nfe, loaded.steps) == ("heun", 9, 5)
    document = json.loads(path.read_text())
    for key, value, message in (("nfe", 5, "nfe = 5 does not fit 5 steps"), ("solver", "x", "solver must be one of")):
        path.write_text(json.dumps({**document, key: value}))
        with pytest.raises(ValueError, match=message):
            hso.Schedule.load(path)


def test_files_from_before_solvers_load(tmp_path):
    path = tmp_path / "s.json"
    s = hso.optimize(SD, nfe=5)
    s.save(path)
    document = json.loads(path.read_text())
    del document["solver"]
    document["format"] = "hso-schedule/1"
    path.write_text(json.dumps(document))
    assert hso.Schedule.load(path) == s and hso.Schedule.load(path).solver is None
