"""`hso explain`, `export`, `presets` and `demo`."""

import json

import pytest

pytest.importorskip("typer")

import hso
from command_line import done, run
from hso.cli._mixture import Mixture

NOISE = hso.NoiseSchedule.preset("sd21")


@pytest.fixture
def six(tmp_path):
    hso.optimize(NOISE, 6).save(tmp_path / "six.json")
    return tmp_path / "six.json"


def test_explain_is_the_librarys(six, capsys):
    schedule = hso.Schedule.load(six)
    assert done(capsys, "explain", "sd21", "--nfe", "6") == f"{hso.explain(schedule, NOISE)}\n"
    assert done(capsys, "explain", six, "--noise", "sd21") == f"{hso.explain(schedule, NOISE)}\n"
    assert done(capsys, "explain", six) == f"{hso.explain(schedule)}\n"


def test_explain_as_json(six, capsys):
    facts = json.loads(done(capsys, "explain", six, "--json"))["facts"]
    assert [(fact["topic"], fact["sentences"]) for fact in facts] == list(hso.explain(hso.Schedule.load(six)).facts)


@pytest.mark.parametrize("name", hso.exports.FORMATS)
def test_export_to_every_format(name, six, tmp_path, capsys):
    schedule = hso.Schedule.load(six)
    wanted = schedule.export(name, noise=NOISE).rstrip("\n") + "\n"
    assert done(capsys, "export", six, name, "--quiet") == wanted
    code, out, err = run(capsys, "export", "sd21", name, "--nfe", "6", "--output", tmp_path / "out.txt")
    assert (code, out) == (0, "") and hso.exports.instructions(schedule, name) in err
    assert (tmp_path / "out.txt").read_text() == wanted


def test_presets_are_all_listed(capsys):
    lines = done(capsys, "presets").splitlines()[2:]
    assert [line.split()[0] for line in lines] == hso.presets.names()
    families = {line.split()[0]: line.split()[1] for line in lines}
    assert all(hso.NoiseSchedule.preset(name).family == family for name, family in families.items())


def test_a_preset_in_detail(capsys):
    document = json.loads(done(capsys, "presets", "flux-dev", "--json"))
    preset = hso.presets.get("flux-dev")
    assert document["scheduler_config"] == preset.scheduler_config
    assert document["guidance_scale"] == preset.guidance_scale and document["shift_depends_on_size"] is True
    out = done(capsys, "presets", "flux-dev")
    assert all(str(value) in out for value in preset.scheduler_config.values())


@pytest.fixture(scope="module")
def demo():
    from hso.cli.demo import _measured

    return _measured("ddim", 0)


def test_demo_beats_the_baselines_on_the_exact_model(demo):
    for errors in demo.values():
        rivals = [errors[name] for name in ("uniform in t", "uniform in lambda", "Karras")]
        assert errors["hso"] < min(rivals) and errors["hso, calibrated"] <= errors["hso"]


def test_demo_prints_what_it_measured(demo, capsys):
    out = done(capsys, "demo")
    for name in next(iter(demo.values())):
        row = next(line for line in out.splitlines() if line.startswith(f"{name}  "))
        assert row.removeprefix(name).split() == [f"{errors[name]:.4f}" for errors in demo.values()]
    assert out.splitlines()[4].split()[0] == "sd21"


def test_demos_denoiser_is_the_posterior_mean():
    """Tweedie's formula with the score by finite differences of the mixture's log-density."""
    import numpy as np

    mixture = Mixture(3)
    y = 0.7 * np.random.default_rng(0).standard_normal((4, len(mixture._variances)))
    sigma, step = 0.8, 1e-5

    def log_density(at):
        total = mixture._variances + sigma**2
        terms = -0.5 * np.sum((at[:, None, :] - mixture._centres) ** 2 / total, axis=2)
        return np.log(np.exp(terms - terms.max()).sum(axis=1)) + terms.max()

    ahead = np.eye(y.shape[1]) * step
    slope = np.stack([(log_density(y + each) - log_density(y - each)) / (2 * step) for each in ahead], axis=1)
    assert np.allclose(mixture.denoise(y, sigma), y + sigma**2 * slope, atol=1e-6)


def test_demos_solution_has_converged():
    import numpy as np

    mixture = Mixture(0)
    first = NOISE.lambda_range[0]
    start = np.random.default_rng(1).standard_normal((16, len(mixture._variances))) / NOISE.alpha(first)
    solution = mixture.solution(first, start)
    from hso._multistep import Multistep

    finer = mixture.sample(Multistep("unipc", 2), np.linspace(first, 6.0, 320), start)
    assert np.sqrt(np.mean((solution - finer) ** 2)) < 1e-4
