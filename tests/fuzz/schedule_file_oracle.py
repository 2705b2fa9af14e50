"""What has to hold for any bytes that are read as a schedule file or as a calibration profile."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

import hso
from hso.calibration import Profile

LONGEST_MESSAGE = 2000
"""Characters. An error quotes what is wrong, but not a whole file."""


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads((Path(hso.__file__).parent / "schedule.schema.json").read_text(encoding="utf-8"))
    )


@cache
def _noises() -> tuple[hso.NoiseSchedule, ...]:
    """Noise schedules that a file is read for: those of the corpus among them."""
    return (
        hso.NoiseSchedule.preset("sd21"),
        hso.NoiseSchedule.flow(shift=3.0),
        hso.NoiseSchedule.edm(),
        hso.NoiseSchedule.from_table([0.01, 0.3, 0.7, 1.0], [0.99, 0.8, 0.5, 0.1], [0.05, 0.5, 1.0, 2.0]),
    )


def check(data: bytes, folder: Path) -> str:
    """Reads `data` as both kinds of files and says what it was taken for: "schedule", "profile" or "nothing".

    Writes into `folder`. AssertionError where a promise is broken; other errors, and warnings, as the library raises.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return _checked(data, folder)


def _checked(data: bytes, folder: Path) -> str:
    path = folder / "read.json"
    path.write_bytes(data)
    schedule = _read(hso.Schedule.load, path)
    if schedule is not None:
        _check_schedule(schedule, path, folder / "saved.json")
    profile = _read(Profile.load, path)
    if profile is not None:
        _check_profile(profile, folder / "saved.json")
    assert schedule is None or profile is None, "one file cannot be both"
    return "schedule" if schedule is not None else "profile" if profile is not None else "nothing"


def _read(load: Callable[[Path], Any], path: Path) -> Any:
    """What `load` returns; None where it refuses the file as it should: with a ValueError of one line that names it."""
    try:
        return load(path)
    except ValueError as error:
        _check_message(error, repr(str(path)))
        return None


def _check_message(error: ValueError, shown: str) -> None:
    message = str(error)
    assert type(error) is ValueError, f"{type(error).__name__}: {message}"
    assert message.startswith(shown), f"does not name {shown}: {message!r}"
    assert message.isprintable(), f"not one line of printable text: {message!r}"
    assert len(message) <= LONGEST_MESSAGE, f"{len(message)} characters: {message[:200]!r}..."


def _check_schedule(schedule: hso.Schedule, path: Path, saved: Path) -> None:
    assert isinstance(schedule, hso.Schedule)
    assert len(schedule.t) == len(schedule.lambdas) == len(schedule.sigmas) == schedule.steps + 1
    assert np.all(np.diff(schedule.t) < 0) and schedule.t[0] <= 1.0 and schedule.t[-1] >= 0.0
    assert np.all(np.diff(schedule.sigmas) < 0) and np.all(np.isfinite(schedule.timesteps))
    repr(schedule), hash(schedule)
    schedule.save(saved)
    again = hso.Schedule.load(saved)
    assert again == schedule and same(_values(again), _values(schedule)), "read again it is another"
    assert saved.read_text(encoding="utf-8") == again.to_json() == schedule.to_json()
    _validator().validate(json.loads(saved.read_bytes()))
    assert hso.Schedule.from_json(path.read_bytes().decode("utf-8")) == schedule
    assert same(_values(pickle.loads(pickle.dumps(schedule))), _values(schedule))
    for noise in _noises():
        _check_noise(schedule, path, noise)


def _check_noise(schedule: hso.Schedule, path: Path, noise: hso.NoiseSchedule) -> None:
    wanted = _read(lambda file: hso.Schedule.load(file, noise=noise), path)
    if wanted is None:
        return
    assert same(_values(wanted), _values(schedule)) and wanted.family == noise.family
    finite = np.isfinite(schedule.lambdas)
    lambdas = np.asarray(noise.lam(np.clip(schedule.t[finite], *noise.t_range)))
    assert np.all(np.abs(lambdas - schedule.lambdas[finite]) <= 1e-3), "its levels are not those of the noise schedule"
    try:
        str(hso.explain(wanted, noise))
    except ValueError as error:
        assert str(error).isprintable()


def _check_profile(profile: Profile, saved: Path) -> None:
    assert isinstance(profile, Profile)
    profile.save(saved)
    first = saved.read_bytes()
    again = Profile.load(saved)
    assert repr(again) == repr(profile) and again.noise == profile.noise
    again.save(saved)
    assert saved.read_bytes() == first, "read again it is another"


def _values(schedule: hso.Schedule) -> dict[str, Any]:
    return dict(vars(schedule))


def same(one: Any, other: Any) -> bool:
    """Equal values of equal types, all the way down; NaN is equal to itself."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
        )
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return type(one) is type(other) and one == other
