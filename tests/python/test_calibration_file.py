"""Profiles as files."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

import hso
from calibration_models import NOISES, SD, SIZE, calibrate, gaussian
from hso.calibration import Profile

TABLE = hso.NoiseSchedule.from_table([0.01, 0.3, 0.7, 1.0], [0.99, 0.8, 0.5, 0.1], [0.05, 0.5, 1.0, 2.0])
EVERY = {
    **NOISES,
    "betas": hso.NoiseSchedule.from_betas(np.linspace(1e-4, 0.02, 1000)),
    "alphas": hso.NoiseSchedule.from_alphas_cumprod(np.linspace(0.99, 0.01, 50)),
    "linear": hso.NoiseSchedule.vp_linear(beta_max=15.0),
    "cosine": hso.NoiseSchedule.vp_cosine(),
    "edm": hso.NoiseSchedule.edm(sigma_min=0.01, sigma_max=50.0),
    "general": TABLE,
}


@functools.cache
def profile(name="vp", solver="ddim", budget=600):
    return calibrate(gaussian(EVERY[name]), EVERY[name], solver=solver, budget=budget)


@pytest.fixture
def saved(tmp_path):
    profile().save(tmp_path / "p.json")
    return tmp_path / "p.json"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("solver", ["ddim", "unipc"])
def test_a_file_holds_all_of_a_profile(tmp_path, name, solver):
    kept = profile(name, solver)
    kept.save(tmp_path / "p.json")
    loaded = Profile.load(tmp_path / "p.json")
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]
    assert repr(loaded) == repr(kept) and loaded.noise == kept.noise
    for attribute in ("solver", "order", "samples", "evaluations", "seed", "fingerprint"):
        assert getattr(loaded, attribute) == getattr(kept, attribute)
        assert type(getattr(loaded, attribute)) is type(getattr(kept, attribute))
    for terminal in ("zero", "t_min"):
        schedules = kept.optimize([1, 3, 8], terminal=terminal)
        assert loaded.optimize([1, 3, 8], terminal=terminal) == schedules
        assert [loaded.error(s) for s in schedules] == [kept.error(s) for s in schedules]
        assert [loaded.gain(s) for s in schedules] == [kept.gain(s) for s in schedules]
    assert loaded.optimize(4, objective="jump_carried") == kept.optimize(4, objective="jump_carried")
    assert loaded.check(gaussian(EVERY[name]), shape=(SIZE,)) == kept.check(gaussian(EVERY[name]), shape=(SIZE,))
    # and once more, to the byte
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "p.json").read_bytes()


def test_seeds_are_kept_to_the_bit(tmp_path):
    kept = calibrate(seed=2**63 - 1)
    kept.save(str(tmp_path / "p.json"))
    assert Profile.load(str(tmp_path / "p.json")).seed == 2**63 - 1


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            profile().save(saved)
    monkeypatch.setattr("hso.json_file.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        profile("flow").save(saved)
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 1


def test_a_save_replaces_the_old_file(saved):
    profile("flow").save(saved)
    assert Profile.load(saved).noise == EVERY["flow"] and len(list(saved.parent.iterdir())) == 1


def test_files_that_are_none(saved, tmp_path):
    with pytest.raises(FileNotFoundError):
        Profile.load(tmp_path / "none.json")
    schedule = tmp_path / "s.json"
    hso.optimize(SD, 4).save(schedule)
    with pytest.raises(ValueError, match=r"s\.json' must have the format 'hso-profile/1', got 'hso-schedule/"):
        Profile.load(schedule)
    with pytest.raises(ValueError, match="hso-schedule/"):
        hso.Schedule.load(saved)
    for text in ("", "{", "[]", "3", "null", "[" * 100_000, '{"format": "hso-profile/2"}', '{"format": NaN}'):
        saved.write_text(text)
        with pytest.raises(ValueError, match=r"p\.json' (is no profile file|must have the format)"):
            Profile.load(saved)
    saved.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no profile file"):
        Profile.load(saved)


def damaged(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return pytest.raises(ValueError, match=r"p\.json' (is damaged|is no profile file|must have the format)")


def keys():
    return [
        "format", "noise_fingerprint", "noise", "solver", "order", "samples", "evaluations", "seed", "fingerprint",
        "check_lambdas", "check_changes", "rows",
    ]  # fmt: skip


def test_keys_are_all(saved):
    document = json.loads(saved.read_text())
    assert sorted(document) == sorted(keys())
    assert sorted(document["rows"]) == sorted(vars(profile()._rows))


@pytest.mark.parametrize("key", keys())
def test_missing_keys(saved, key):
    with damaged(saved, lambda d: d.pop(key)):
        Profile.load(saved)


@pytest.mark.parametrize("key", vars(profile.__wrapped__()._rows))
def test_damaged_rows(saved, key):
    whole = saved.read_text()

    def spoil(rows, value):
        row = rows[key]
        while isinstance(row[0], list):
            row = row[0]
        row[0] = value

    changes = {
        "missing": lambda rows: rows.pop(key),
        "short": lambda rows: rows[key].pop(),
        "empty": lambda rows: rows.update({key: []}),
        "none": lambda rows: rows.update({key: None}),
        "text": lambda rows: rows.update({key: "text"}),
        "ragged": lambda rows: rows.update({key: [[1.0], [1.0, 2.0]]}),
        "NaN": lambda rows: spoil(rows, float("nan")),
        "infinite": lambda rows: spoil(rows, float("inf")),
        "word": lambda rows: spoil(rows, "word"),
        "nothing": lambda rows: spoil(rows, None),
        "huge": lambda rows: spoil(rows, 10**400),
    }
    for change in changes.values():
        saved.write_text(whole)
        with damaged(saved, lambda d, change=change: change(d["rows"])):
            Profile.load(saved)
    saved.write_text(whole)
    text = json.dumps(json.loads(whole)["rows"][key])
    number = text.strip("[").split(",")[0].strip("]")
    saved.write_text(whole.replace(number, "1e999"))  # which reads as infinity
    with pytest.raises(ValueError, match="is damaged"):
        Profile.load(saved)


VALUES = {
    "noise_fingerprint": ["0" * 16, None, 3],
    "noise": [
        [], None, "flow", ["flow"], ["flow", 1.0, 2.0], ["flow", -1.0], ["flow", None], ["flow", "x"],
        ["flow", 10**400], ["__init__", 1.0], ["lam", 1.0], ["preset", "sd21"], [["flow"], 1.0], [3],
        ["from_betas", []],
        ["from_betas", [0.1, 2.0]], ["from_betas", [[0.1], [0.2]]], ["from_betas", 3.0], ["vp_linear", 0.1, 20.0],
        ["edm", [0.1], [3.0]], ["from_table", [0.1, 0.2], [0.1], [0.2], 1000.0],
    ],
    "solver": ["heun", None, 3, ["ddim"]],
    "order": [0, 2, 1.0, None, True, "1"],
    "samples": [0, -1, 1.5, None, True, "8"],
    "evaluations": [-1, 1.5, None],
    "seed": [-1, 1.5, None],
    "check_lambdas": [[], None, 3.0, [0.0], [[0.0]], "x", [None]],
    "check_changes": [[], None, 3.0, [1.0], [[]], "x"],
    "rows": [None, [], {}, 3],
}  # fmt: skip


@pytest.mark.parametrize("key", VALUES)
def test_damaged_values(saved, key):
    whole = saved.read_text()
    for value in VALUES[key]:
        saved.write_text(whole)
        with damaged(saved, lambda d, value=value: d.update({key: value})):
            Profile.load(saved)


MEMBERS = {
    "noise": [
        ("flow", "noise must be one of from_alphas_cumprod, .* got 'flow'"),
        (["flow", "1.0"], "noise must be a number, got '1.0'"),
        (["vp_linear", [[[0.0]]], 20.0], r"noise must be a number, got \[\[\[0.0\]\]\]"),
        (["from_betas", "0.1"], "noise must be an array of finite numbers, got '0.1'"),
        (["flow", -1.0], "noise shift must be"),
    ],
    "noise_fingerprint": [(None, "noise_fingerprint must be a text, got None")],
    "solver": [("x" * 5000, "solver must be one of 'ddim'"), ([], "solver must be one of 'ddim'")],
    "order": [(True, "order must be a count, got True"), (10**30, "order must be a count, got 1000"), (0, "order")],
    "fingerprint": [(None, "fingerprint must be a text, got None"), ([1] * 5000, r"fingerprint must .* \[1, ")],
    "check_lambdas": [([[0.0], 1.0], r"check_lambdas must be an array of finite numbers"), ([99.0, 100.0], "check_")],
    "rows": [([], r"rows must be an object, got \[\]"), ({"x0": []}, "rows lacks lambdas"), ("x", "rows must be")],
}  # fmt: skip


@pytest.mark.parametrize("key", MEMBERS)
def test_messages_name_the_member(saved, key):
    whole = json.loads(saved.read_text())
    for value, message in MEMBERS[key]:
        saved.write_text(json.dumps(whole | {key: value}))
        with pytest.raises(ValueError, match=rf"p\.json' is damaged: {message}") as raised:
            Profile.load(saved)
        assert len(str(raised.value)) < 1000 and str(raised.value).isprintable()


def test_a_row_of_another_shape_is_named(saved):
    whole = json.loads(saved.read_text())
    for row in whole["rows"]:
        for wrong in (None, "text", [[1.0], [1.0, 2.0]], [[[1.0]]], [True], [1e308, 10**350], {}, _nested(40)):
            saved.write_text(json.dumps(whole | {"rows": whole["rows"] | {row: wrong}}))
            with pytest.raises(ValueError, match=rf"is damaged: rows {row} must (be|have)") as raised:
                Profile.load(saved)
            assert str(raised.value).isprintable()


def _nested(depth):
    return [_nested(depth - 1)] if depth else 0.0


def test_damaged_signatures(saved):
    whole = saved.read_text()
    for change in (
        lambda d: d["check_lambdas"].reverse(),
        lambda d: d["check_lambdas"].pop(),
        lambda d: d["check_changes"].pop(),
        lambda d: d["check_lambdas"].__setitem__(0, -100.0),
        lambda d: d["check_lambdas"].__setitem__(0, float("inf")),
        lambda d: d["check_changes"][0].__setitem__(0, float("inf")),
        lambda d: d["check_changes"][0].pop(),
        lambda d: d.update(check_changes=[[] for _ in d["check_changes"]]),
        lambda d: d.update(check_changes=[row[0] for row in d["check_changes"]]),
    ):
        saved.write_text(whole)
        with damaged(saved, change):
            Profile.load(saved)


def test_damaged_order_of_levels(saved):
    whole = saved.read_text()
    for change in (
        lambda rows: rows["lambdas"].reverse(),
        lambda rows: rows["lambdas"].__setitem__(0, -100.0),
        lambda rows: rows["probe_lambdas"].__setitem__(0, 100.0),
        lambda rows: rows["probe_errors"].__setitem__(0, [0.0] * len(rows["eps"])),
    ):
        saved.write_text(whole)
        with damaged(saved, lambda d, change=change: change(d["rows"])):
            Profile.load(saved)
