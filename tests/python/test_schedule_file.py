"""Schedule files: what they hold, across versions, and what is refused."""

import copy
import json
import pickle
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import hso
import schedule_file_oracle
from calibration_models import calibrate, gaussian
from hso.json_file import LARGEST
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
SCHEMA = json.loads((Path(hso.__file__).parent / "schedule.schema.json").read_text())
MADE = {
    "exact": lambda: hso.optimize(SD, 5),
    "t_min": lambda: hso.optimize(SD, 5, terminal="t_min", gap=None),
    "skip, soft": lambda: hso.optimize(SD, 5, terminal="skip", gamma=1e3),
    "one node": lambda: hso.optimize(SD, 1),
    "flow": lambda: hso.optimize(FLOW, [4, 6], limits="published")[1],
    "edm, heun": lambda: hso.optimize(hso.NoiseSchedule.edm(), 7, solver="heun"),
    "bilevel": lambda: hso.optimize(SD, 5, search="bilevel", seed=3, rho=(4, 9)),
    "dm_nonuni": lambda: hso.optimize(SD, 5, objective="dm_nonuni", t_max=(np.float64(0.9), 0.95)),
    "table": lambda: hso.optimize(SD, 5, proxy=hso.ErrorProxy([-5.0, 0.0, 5.0], [1.0, 2.0, 3.0])),
    "gain": lambda: hso.optimize(SD, 5).with_gain(1.02),
    "baseline": lambda: hso.schedules.karras(SD, 5),
}


@pytest.fixture(params=MADE)
def schedule(request):
    return MADE[request.param]()


def fields(schedule: hso.Schedule) -> dict:
    return {name: value for name, value in vars(schedule).items() if not isinstance(value, np.ndarray)}


def test_a_file_holds_all_of_a_schedule(tmp_path, schedule):
    path = tmp_path / "s.json"
    schedule.save(path)
    loaded = hso.Schedule.load(path)
    assert loaded == schedule and fields(loaded) == fields(schedule)
    for name in ("t", "lambdas", "sigmas", "timesteps"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(schedule, name))
    assert path.read_text() == schedule.to_json() and hso.Schedule.from_json(schedule.to_json()) == schedule


def test_files_keep_to_their_schema(schedule):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    document = json.loads(schedule.to_json())
    validator.validate(document)
    assert set(document) == set(SCHEMA["required"]) == set(SCHEMA["properties"])
    for name in document:
        assert not validator.is_valid({key: value for key, value in document.items() if key != name}), name
    for name, value in {"format": "hso-schedule/1", "nfe": 0, "terminal": "end", "t": [1.0], "gain": 0}.items():
        assert not validator.is_valid(document | {name: value}), name


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", [name for name in MADE if name not in ("baseline", "gain", "table")])
def test_the_options_make_the_schedule_again(name):
    schedule = MADE[name]()
    noise = {"flow": FLOW, "ve": hso.NoiseSchedule.edm()}.get(schedule.family, SD)
    options = dict(schedule.options)
    again = hso.optimize(noise, schedule.nfe, terminal=schedule.terminal, solver=schedule.solver, **options)
    assert again == schedule and again.options == schedule.options


def test_options_are_filled_in():
    assert dict(hso.optimize(SD, 5).options) == {
        "objective": "mep",
        "p": 2.0,
        "proxy": None,
        "search": "exact",
        "gamma": None,
        "limits": "measured",
        "d_min": None,
        "t_min": None,
        "t_max": None,
        "gap": 1e-6,
    }
    paper = hso.optimize(SD, 4, search="paper").options
    assert (paper["limits"], paper["local"], paper["rho"], paper["seed"]) == ("published", "newton", (3.0, 16.0), 0)
    dm = hso.optimize(SD, 4, objective="dm_nonuni").options
    assert (dm["search"], dm["limits"], dm["local"]) == ("bilevel", "published", "slsqp")
    assert hso.optimize(hso.NoiseSchedule.edm(), 5).options["p"] == 1.0
    table = MADE["table"]().options
    assert table["p"] is None and dict(table["proxy"]) == {"lambdas": (-5.0, 0.0, 5.0), "values": (1.0, 2.0, 3.0)}


def test_the_options_say_which_limits_were_used():
    """They are filled in here; the core fills them in for itself."""
    for options in ({}, {"search": "paper"}, {"objective": "dm_nonuni", "terminal": "t_min"}, {"search": "bilevel"}):
        first = hso.optimize(SD, 5, **options)
        again = hso.optimize(SD, 5, **options, limits=first.options["limits"])
        other = {"measured": "published", "published": "measured"}[first.options["limits"]]
        assert again == first and hso.optimize(SD, 5, **options, limits=other) != first


def test_options_cannot_be_changed(schedule):
    with pytest.raises(TypeError):
        schedule.options["p"] = 3.0
    for twin in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert twin == schedule and twin.options == schedule.options
        with pytest.raises(TypeError):
            twin.options["p"] = 3.0


def test_a_calibrated_schedule_says_what_was_measured():
    profile = calibrate(gaussian(), solver="ddim", budget=600)
    schedule = profile.optimize(4, t_min=(0.001, np.float64(0.5)))
    measured = hso.Schedule.from_json(schedule.to_json()).options["calibration"]
    assert measured["fingerprint"] == profile.fingerprint and measured["samples"] == profile.samples
    assert (measured["objective"], measured["t_min"], measured["t_max"]) == ("jump", (0.001, 0.5), None)


def test_what_the_numbers_mean_is_written_down():
    told = {name: json.loads(MADE[name]().to_json())["conventions"] for name in ("exact", "flow", "edm, heun")}
    assert told["exact"]["sigmas"] == told["edm, heun"]["sigmas"] == "sigma / alpha"
    assert told["flow"] == {
        "lambdas": "log(alpha / sigma)",
        "sigmas": "sigma after the shift",
        "timesteps": "1000 sigma",
    }
    for name, made in (("flow", MADE["flow"]()), ("exact", MADE["exact"]()), ("edm", MADE["edm, heun"]())):
        levels, lambdas = made.sigmas[:-1], made.lambdas[:-1]
        meant = {"flow": 1000.0 * levels, "exact": 1000.0 * made.t[:-1] - 1.0, "edm": np.log(levels) / 4.0}[name]
        np.testing.assert_allclose(made.timesteps, meant, rtol=1e-9)
        np.testing.assert_allclose(
            levels, 1.0 / (1.0 + np.exp(lambdas)) if name == "flow" else np.exp(-lambdas), rtol=1e-9
        )
    assert (MADE["flow"]().shift, MADE["exact"]().shift, MADE["exact"]().num_train_timesteps) == (3.0, 1.0, 1000.0)


FIRST = {
    "format": "hso-schedule/1",
    "t": [1.0, 0.5, 0.0],
    "lambdas": [*SD.lam([1.0, 0.5]), "inf"],
    "sigmas": [*np.exp(-SD.lam([1.0, 0.5])), 0.0],
    "timesteps": [999.0, 499.0],
    "nfe": 2,
    "terminal": "zero",
    "family": "vp",
    "noise_fingerprint": "78a340629ec7a674",
    "mep": 3.0,
    "penalty": 0.0,
    "fitness": 3.0,
    "psi": [None, 0.5, 1.0],
    "lower_bound": None,
    "gap": None,
    "min_spacing": 0.5,
    "d_min": 0.1,
    "evaluations": 0,
    "elapsed": 0.001,
    "status": "given",
    "search": "exact",
}


def test_the_first_format_is_read():
    schedule = hso.Schedule.from_json(json.dumps(FIRST), noise=SD)
    assert (schedule.solver, schedule.gain, schedule.options, schedule.version, schedule.shift) == (
        None,
        1.0,
        {},
        None,
        None,
    )
    assert "Nothing is proved" in str(hso.explain(schedule, SD))
    later = json.loads(schedule.to_json())
    assert later["format"] == "hso-schedule/2" and later["version"] is None
    jsonschema.validate(later, SCHEMA)


OTHERS = {
    "family": (SD, FLOW, "it is for vp schedules, wanted is flow"),
    "table": (SD, hso.NoiseSchedule.from_betas(np.linspace(0.00085, 0.012, 1000)), "at t = .* its lambda is"),
    "zero terminal SNR": (SD, hso.NoiseSchedule.from_betas([*np.linspace(0.03, 0.11, 999) ** 2, 1.0]), "its lambda is"),
    "length": (
        SD,
        hso.NoiseSchedule.from_betas(np.linspace(0.03, 0.11, 500) ** 2),
        "1000.0 timesteps, wanted are 500.0",
    ),
    "shift": (FLOW, hso.NoiseSchedule.flow(shift=1.15), "its shift is 3.0, wanted is 1.15"),
    "range": (hso.NoiseSchedule.edm(), hso.NoiseSchedule.edm(sigma_max=40.0), "at t = 1 its lambda is -4.38"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_noise_schedule_is_refused(tmp_path, name):
    noise, other, message = OTHERS[name]
    schedule = hso.optimize(noise, 5)
    schedule.save(tmp_path / "s.json")
    assert hso.Schedule.load(tmp_path / "s.json", noise=noise) == schedule
    with pytest.raises(ValueError, match=rf"s\.json.*made for another noise schedule.*{message}.*optimize again"):
        hso.Schedule.load(tmp_path / "s.json", noise=other)
    with pytest.raises(ValueError, match=r"noise must be an hso\.NoiseSchedule"):
        hso.Schedule.load(tmp_path / "s.json", noise="sd21")


def test_a_table_rounded_to_float32_is_the_same():
    """diffusers computes alphas_cumprod so: its fingerprint is not the preset's."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float32) ** 2
    rounded = hso.NoiseSchedule.from_alphas_cumprod(np.cumprod(1.0 - betas, dtype=np.float32))
    assert rounded.fingerprint != SD.fingerprint
    for terminal in ("zero", "t_min"):
        schedule = hso.optimize(SD, 8, terminal=terminal)
        assert hso.Schedule.from_json(schedule.to_json(), noise=rounded) == schedule


def test_a_failed_save_leaves_the_old_file(tmp_path, schedule, monkeypatch):
    path = tmp_path / "s.json"
    schedule.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(json, "dumps", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        schedule.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


DAMAGE = {
    "no JSON": (lambda d: "{", "is no schedule file"),
    "nothing": (lambda d: "", "is no schedule file"),
    "NaN": (lambda d: json.dumps(d).replace('"penalty": 0.0', '"penalty": NaN'), "is no schedule file: NaN"),
    "a list": (lambda d: json.dumps([d]), "format 'hso-schedule/2' or 'hso-schedule/1', got None"),
    "another format": (lambda d: d | {"format": "hso-schedule/9"}, "got 'hso-schedule/9'"),
    "missing": (lambda d: {k: v for k, v in d.items() if k != "sigmas"}, "lacks sigmas"),
    "no options": (lambda d: {k: v for k, v in d.items() if k != "options"}, "lacks options"),
    "short": (lambda d: d | {"sigmas": d["sigmas"][1:]}, "do not fit each other"),
    "unordered": (lambda d: d | {"t": d["t"][::-1]}, "monotone"),
    "other sigmas": (lambda d: d | {"sigmas": [2 * x for x in d["sigmas"]]}, "do not belong to its lambdas"),
    "other conventions": (lambda d: d | {"conventions": {"sigmas": "sigma"}}, "conventions must be"),
    "no conventions": (lambda d: {k: v for k, v in d.items() if k != "conventions"}, "conventions must be.*None"),
    "text": (lambda d: d | {"nfe": "5"}, "nfe must be a count, got '5'"),
    "count": (lambda d: d | {"nfe": 6}, "nfe = 6 does not fit 5 steps"),
    "options": (lambda d: d | {"options": []}, r"options must be an object, got \[\]"),
    "gain": (lambda d: d | {"gain": -1.0}, "gain must be a positive finite number"),
    "family": (lambda d: d | {"family": "x"}, "family must be"),
    "a name twice": (lambda d: json.dumps(d).replace('"nfe"', '"t": [], "nfe"'), "it says 't' twice"),
    "an option twice": (lambda d: json.dumps(d).replace('"p"', '"gap": 1, "p"'), "it says 'gap' twice"),
    "too large a number": (
        lambda d: json.dumps(d).replace('"mep": ', '"mep": 1e999, "x": '),
        "mep must be a number that",
    ),
    "too large an integer": (lambda d: d | {"mep": 10**309}, "mep must be a number that float64 can hold, got 1000"),
    "a million digits": (lambda d: json.dumps(d).replace('"mep": ', f'"mep": {"7" * 10**6}, "x": '), "1000000 digits"),
    "t beyond 1": (lambda d: d | {"t": [2.0, *d["t"][1:]]}, r"t must be in 0\.\.1, got 2\.\.0"),
    "t below 0": (lambda d: d | {"t": [*d["t"][:-1], -1.0]}, r"t must be in 0\.\.1"),
    "lambda beyond exp": (lambda d: d | {"lambdas": [-1e4, *d["lambdas"][1:]]}, r"do not belong.*sigmas\[0\]"),
    "status": (lambda d: d | {"status": "good"}, "status must be one of 'converged'"),
    "negative spacing": (lambda d: d | {"d_min": -0.1}, r"d_min must be a number of at least 0, got -0\.1"),
    "no shift": (lambda d: d | {"shift": 0.0}, r"shift must be a positive number, got 0\.0"),
    "psi": (lambda d: d | {"psi": [None, None, 1.0]}, r"psi must be .* t_min and t_max, got \[None, None, 1\.0\]"),
    "no objective": (lambda d: d | {"options": {"p": 2.0}}, "options lacks objective, proxy"),
    "no proxy at all": (lambda d: d | {"options": d["options"] | {"p": None}}, "options must have either p or proxy"),
    "both proxies": (
        lambda d: d | {"options": d["options"] | {"proxy": {"lambdas": [0, 1], "values": [1, 2]}}},
        "options must have either p or proxy",
    ),
    "no table": (lambda d: d | {"options": d["options"] | {"p": None, "proxy": {"values": []}}}, "proxy lacks lambdas"),
    "a bad table": (
        lambda d: d | {"options": d["options"] | {"p": None, "proxy": {"lambdas": [1, 0], "values": [1, 2]}}},
        "options proxy .*increas",
    ),
    "an unknown objective": (lambda d: d | {"options": d["options"] | {"objective": "x"}}, "objective must be one of"),
    "half a range": (lambda d: d | {"options": d["options"] | {"t_min": [0.1]}}, "t_min must be a list of two numbers"),
    "infinite option": (
        lambda d: json.dumps(d).replace('"gamma": null', '"new": [1e999]'),
        "options must hold numbers that float64 can hold",
    ),
    "deep option": (
        lambda d: json.dumps(d).replace('"gamma": null', f'"new": {"[" * 300 + "]" * 300}'),
        "options must not be nested deeper than 16",
    ),
    "bottomless option": (
        lambda d: json.dumps(d).replace('"gamma": null', f'"new": {"[" * 10**5 + "]" * 10**5}'),
        "is no schedule file: maximum recursion depth exceeded",
    ),
    "no calibration": (
        lambda d: d | {"options": d["options"] | {"calibration": {}}},
        "calibration lacks objective, sq",
    ),
    "too long": (lambda d: json.dumps(d) + " " * LARGEST, "is no schedule file: it has more than 16777216 bytes"),
    "too many steps": (
        lambda d: (
            d
            | {"t": np.linspace(1, 0, 10_002).tolist(), "timesteps": [0.0] * 10_001, "sigmas": [0.0] * 10_002}
            | {"lambdas": [0.0] * 10_002, "nfe": 10_001}
        ),
        "at most 10000 steps, got 10001",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(tmp_path, name):
    damage, message = DAMAGE[name]
    path = tmp_path / "s.json"
    damaged = damage(json.loads(hso.optimize(SD, 5).to_json()))
    path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
    with pytest.raises(ValueError, match=message) as raised:
        hso.Schedule.load(path)
    assert "s.json" in str(raised.value) and str(raised.value).isprintable() and len(str(raised.value)) < 1000
    with pytest.raises(ValueError, match=message):
        hso.Schedule.from_json(path.read_text())


def test_messages_stay_short():
    """They quote what is wrong, not a file of megabytes."""
    document = json.loads(hso.optimize(SD, 5).to_json())
    for wrong in ("x" * 10**5, ["x" * 1000] * 1000, {"x" * 1000: list(range(1000))}, [[[[[[[[0]]]]]]]]):
        for name in document:
            with pytest.raises(ValueError, match=r"damaged|must have the format|another noise") as raised:
                hso.Schedule.from_json(json.dumps(document | {name: wrong}), noise=hso.NoiseSchedule.edm())
            assert len(str(raised.value)) < 1000 and str(raised.value).isprintable()


def test_infinite_options_are_read_as_they_were():
    schedule = hso.optimize(SD, 5, gap=np.inf)
    again = hso.Schedule.from_json(schedule.to_json())
    assert again.options == schedule.options and again.options["gap"] == np.inf


def test_unknown_options_are_kept():
    document = json.loads(hso.optimize(SD, 5).to_json())
    document["options"]["new"] = {"x": [1, "two", None, True, 0.5]}
    again = hso.Schedule.from_json(json.dumps(document))
    assert again.options["new"]["x"] == (1, "two", None, True, 0.5)
    assert json.loads(again.to_json()) == document


def test_the_longest_schedule_is_saved_and_loaded(tmp_path):
    t = np.linspace(1.0, 0.001, 10_000)
    schedule = hso.Schedule.from_nodes(hso.NoiseSchedule.flow(), t)
    schedule.save(tmp_path / "s.json")
    assert hso.Schedule.load(tmp_path / "s.json") == schedule


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    lam = np.linspace(-10.0, 10.0, 500)
    schedule = hso.optimize(SD, 2, proxy=hso.ErrorProxy(lam, np.exp(-lam)))
    monkeypatch.setattr("hso.json_file.LARGEST", 10_000)
    with pytest.raises(ValueError, match=r"at most 10000 bytes, got \d+: its tables are too long"):
        schedule.save(tmp_path / "s.json")
    assert not list(tmp_path.iterdir())


def test_levels_that_are_not_those_of_the_fingerprint_are_refused():
    """t, lambdas and sigmas that fit each other, but not the noise schedule that the file says."""
    document = json.loads(hso.optimize(SD, 5).to_json())
    document["lambdas"][1] += 0.01
    document["sigmas"][1] = float(np.exp(-document["lambdas"][1]))
    hso.Schedule.from_json(json.dumps(document))
    with pytest.raises(ValueError, match="is damaged: it has the noise schedule's fingerprint, but at t = "):
        hso.Schedule.from_json(json.dumps(document), noise=SD)


def test_a_schedule_whose_file_says_a_false_fitness_is_explained():
    schedule = hso.optimize(SD, 8, d_min=0.1)
    document = json.loads(schedule.to_json()) | {"mep": 0.0, "fitness": 0.0}
    assert "0 %" in str(hso.explain(hso.Schedule.from_json(json.dumps(document)), SD))


CORPUS = sorted((Path(__file__).parents[1] / "fuzz/corpus/schedule_file").iterdir())


def test_the_corpus_is_there():
    assert 19 <= len(CORPUS) <= 200 and sum(path.stat().st_size for path in CORPUS) < 300_000


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_corpus_of_the_fuzzer(tmp_path, path):
    """Files that fuzzing kept, and those that once broke something: read or refused as they should be."""
    taken = schedule_file_oracle.check(path.read_bytes(), tmp_path)
    kind = path.name.split("_")[0]
    assert taken == kind if kind in ("schedule", "profile") else taken in ("schedule", "profile", "nothing")
