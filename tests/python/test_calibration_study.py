"""The study of calibrated schedules: its numbers mean what they say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("torch", "diffusers", "accelerate", "rich", "scipy", "safetensors"):
    pytest.importorskip(module)

import torch  # noqa: E402

import calibration_correlation  # noqa: E402
import calibration_errors  # noqa: E402
import calibration_methods as methods  # noqa: E402
import calibration_objectives  # noqa: E402
import calibration_quality as quality  # noqa: E402
import calibration_refinement  # noqa: E402
import calibration_study  # noqa: E402
import calibration_summary as summary  # noqa: E402
import hso  # noqa: E402
import run  # noqa: E402
from calibration_counts import COUNTS, QUICK  # noqa: E402
from calibration_source import SEED, Source, optimized  # noqa: E402
from hso import objectives, oss, trajectories  # noqa: E402
from store import Store  # noqa: E402
from subject import Subject  # noqa: E402

TINY = dataclasses.replace(QUICK["mixture"], nfe=(3,), random_nfe=(3,), random=5, images=2, random_images=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source.of("mixture", Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def subject(source: Source) -> Subject:
    return Subject("mixture", 0, 2, source.store)


def test_profiles_and_schedules_come_back_from_the_store(source: Source) -> None:
    first = source.calibrated("DDIM", 500, SEED)
    again = source.calibrated("DDIM", 500, SEED)
    assert again.seconds == first.seconds and again.profile.fingerprint == first.profile.fingerprint
    assert again.profile.evaluations == first.profile.evaluations <= 500
    assert source.calibrated("DDIM", 500, SEED + 1).profile.fingerprint != first.profile.fingerprint
    assert optimized(first, [3, 4]).schedules[4] == hso.optimize(first.profile, 4)
    made = methods.from_trajectories(source, [3], 500)
    kept = methods.from_trajectories(source, [3], 500)
    assert {name: each.schedules[3] for name, each in made.items()} == {n: e.schedules[3] for n, e in kept.items()}


@pytest.mark.parametrize(("budget", "count", "most"), [(1024, 4, 8), (8192, 16, 8), (1024, 4, 10)])
def test_a_distillation_stays_within_its_budget(source: Source, budget: int, count: int, most: int) -> None:
    steps = methods.teacher_steps(budget, count, most)
    spent = [count * (2 * m - 1 + sum(m - k for k in range(1, most))) for m in (steps, steps + 1)]
    assert spent[0] <= budget < spent[1] and steps >= most
    if budget == 1024:
        found = oss.distill(source.network(), nfe=most, count=count, teacher_steps=steps, seed=SEED)
        assert found.evaluations == spent[0]


@pytest.mark.parametrize("name", ["mixture", "flow", "edm"])
def test_samples_start_from_gain_times_the_noise(name: str) -> None:
    model = run.load(name)
    schedule = hso.optimize(model.noise, 3)
    solver = run.solvers_for(name)[0]
    noise = run.draw_noise(model, 2, 0)
    gained = run.sample(name, model, solver, schedule.with_gain(1.1), noise)
    scaled = run.sample(name, model, solver, schedule, 1.1 * noise)
    np.testing.assert_allclose(gained, scaled, atol=1e-5)
    assert np.abs(gained - run.sample(name, model, solver, schedule, noise)).max() > 1e-3


def test_the_stores_keys_see_the_gain(subject: Subject) -> None:
    schedule = hso.optimize(subject.model.noise, 3)
    key = subject.key("measured", "DDIM", schedule)
    assert key == subject.key("measured", "DDIM", schedule.with_gain(1.0))
    assert key != subject.key("measured", "DDIM", schedule.with_gain(1.1))
    errors = calibration_errors.errors(subject, "DDIM", [schedule, schedule.with_gain(1.1)])
    assert errors[0] != errors[1]
    assert errors[0] == pytest.approx(calibration_errors.error(subject, "DDIM", schedule))


def test_a_direct_search_is_no_worse_than_its_starts(source: Source) -> None:
    train = Subject("mixture", 1000, 2, source.store)
    made = (hso.optimize, hso.schedules.uniform_t, hso.schedules.karras)
    starts = [make(source.noise, 3) for make in made]
    found = calibration_errors.search(train, "DDIM", starts, evaluations=24)
    least = min(calibration_errors.error(train, "DDIM", start) for start in starts)
    assert calibration_errors.error(train, "DDIM", found) <= least
    assert calibration_errors.search(train, "DDIM", starts, evaluations=24) == found


def test_a_direct_searchs_end_is_decided_on_other_noises(source: Source) -> None:
    train, judge = (Subject("mixture", seed, 2, source.store) for seed in (1000, 1001))
    starts = [make(source.noise, 3) for make in (hso.optimize, hso.schedules.uniform_t, hso.schedules.karras)]
    found = calibration_errors.finish(train, judge, "DDIM", starts, evaluations=12)
    least = min(calibration_errors.error(judge, "DDIM", start) for start in starts)
    assert calibration_errors.error(judge, "DDIM", found) <= least


def test_objectives_values_are_what_their_schedules_minimize(source: Source) -> None:
    noise = source.noise
    taught = trajectories.teacher(source.network(), count=4, seed=SEED)
    value = calibration_objectives.jumps(objectives.jump_costs(taught, norm="squares", grid=128))
    others = calibration_correlation.random_schedules(noise, 4, "free", 20)
    chain = objectives.ve_jump(taught, 4, norm="squares", start="free", grid=128)
    assert value(chain) <= min(value(other) for other in others)
    measured, seconds = methods.statistics(source, 4)
    assert seconds > 0.0
    between = [each for each in others if each.steps == 4]
    for made, of in (
        (objectives.klub, calibration_objectives.klub(measured)),
        (objectives.score_optimal, calibration_objectives.work(measured)),
    ):
        for other in between:
            ends = {"t_max": float(other.t[0]), "t_min": float(other.t[-2])}
            best = made(measured, noise, 3, terminal="t_min", **ends)
            chosen = hso.Schedule.from_nodes(noise, best.t)
            assert of(chosen) <= of(other) * (1.0 + 1e-3)


def test_free_ends_lie_anywhere(source: Source) -> None:
    drawn = calibration_correlation.random_schedules(source.noise, 4, "free", 50)
    low, high = source.noise.lambda_range
    first = np.array([schedule.lambdas[0] for schedule in drawn])
    assert np.ptp(first) > 0.4 * (high - low) and np.all(first >= low)
    assert min(np.diff(schedule.lambdas[:-1]).min() for schedule in drawn) > 0.019


def test_the_torch_mixture_is_the_mixture(source: Source) -> None:
    x = torch.randn(3, *source.model.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lam = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    found = calibration_refinement.differentiable(source)(x, lam)
    torch.testing.assert_close(found.detach(), source.model.denoise(x, 0.3))
    (slope,) = torch.autograd.grad(found.sum(), lam)
    step = 1e-4
    apart = [float(source.model.denoise(x, 0.3 + side * step).sum()) for side in (-1, 1)]
    assert float(slope) == pytest.approx((apart[1] - apart[0]) / (2 * step), rel=1e-3)


def test_shares_are_of_the_gap_from_hsos_best_to_the_direct_search() -> None:
    errors = {"HSO exact, zero": 0.3, "HSO exact, skip": 0.25, quality.DIRECT: 0.15, "calibrated, 1024": 0.18}
    rows: list[dict[str, Any]] = [{"method": name, "rmse": rmse} for name, rmse in errors.items()]
    rows.append({"method": "refused", "rmse": None})
    quality._add_shares(rows)
    assert [row["share"] for row in rows[:4]] == pytest.approx([-0.5, 0.0, 1.0, 0.7])
    assert rows[4]["share"] is None


def test_every_model_has_its_counts() -> None:
    assert set(COUNTS) == set(QUICK) == {"mixture", "edm", "sd", "latent", "flow", "ddpm"}
    for name, counts in COUNTS.items():
        assert set(counts.solvers) <= set(run.solvers_for(name))


def test_a_study_from_the_command_line_to_its_tables(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(calibration_study.QUICK, "mixture", TINY)
    options = ["mixture", "--quick", "--store", str(source.store.folder), "--folder", str(tmp_path)]
    calibration_study.main([*options, "--parts", "correlation", "mismatch"])
    path = tmp_path / "calibration_mixture.json"
    document = json.loads(path.read_bytes())
    assert set(document) == {"run", *calibration_study.PARTS} and set(document["run"]["seconds"]) == {
        "correlation",
        "mismatch",
    }
    (row,) = document["mismatch"]
    assert row["rmse"] > 0.0 and row["calibrated"] == row["solver"] == "DDIM"
    objectives_found = {row["objective"] for row in document["correlation"]}
    assert {"MEP", "DM-NonUni", "profile.error, 1024", "VE jumps", "KLUB", "OSS terminal"} <= objectives_found
    assert all(-1.0 <= row["spearman"] <= 1.0 for row in document["correlation"])

    document["quality"] = [
        {"model": "mixture", "solver": "DDIM", "nfe": 3, "method": name, "rmse": rmse, "evaluations": spent}
        | {"seconds": 1.0, "share": 0.5, "fid_test": 1.0, "fid_solution": 1.0}
        for name, rmse, spent in (
            (quality.OURS, 0.3, 0),
            ("calibrated, 1024", 0.2, 1000),
            (quality.DIRECT, 0.1, 9000),
        )
    ]
    document["quality"][1] |= {"spread": 0.013, "test": {"p_holm": 0.01, "difference": -0.1}}
    path.write_text(json.dumps(document))
    summary.main([str(path)])
    text = capsys.readouterr().out
    assert "| mixture, DDIM | calibrated, 1024 | **0.2000** |" in text
    assert "| mixture, DDIM | best analytic | 0.3000 |" in text
    assert "| mixture, DDIM | calibrated, 1024 | 1.3 |" in text and "| calibrated, 1024 | 1 / 0 / 0 |" in text
    assert "| calibrated, 1024 | 1000, 1.0 s |" in text
