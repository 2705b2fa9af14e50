"""The results document of the quality runs: read, checked, and asked the questions a report answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

MEASURES = {
    "rmse": "RMSE to the many-step solution",
    "fid_test": "Fréchet distance to the test set",
    "fid_solution": "Fréchet distance to the many-step solution",
    "kid_test": "KID against the test set",
    "kid_solution": "KID against the many-step solution",
}
"""The measures in the order of the report; less is better in all of them."""

SIGNIFICANT = 0.05
"""What a p value after Holm's correction must be below."""

_OPTIONAL = ("floors", "tests", "premise", "ablation", "oracle")
_WORDS = {
    "rows": ("model", "solver", "schedule", "terminal"),
    "tests": ("model", "solver", "measure", "ours", "rival"),
    "premise": ("model", "solver", "proxy", "measure"),
    "ablation": ("model", "solver", "variant"),
    "oracle": ("model", "solver", "method"),
}
_NUMBERS = {
    "rows": (),
    "tests": ("difference", "low", "high", "p", "p_holm"),
    "premise": ("schedules", "spearman", "kendall", "low", "high"),
    "ablation": (),
    "oracle": (),
}


@dataclass(frozen=True)
class Document:
    """A checked results document; a part that the file lacks is empty."""

    run: Row
    rows: list[Row]
    floors: list[Row]
    tests: list[Row]
    premise: list[Row]
    ablation: list[Row]
    oracle: list[Row]

    @property
    def models(self) -> list[str]:
        """The models of all parts, in the order of the file."""
        parts = (self.rows, self.tests, self.premise, self.ablation, self.oracle)
        return unique(row["model"] for part in parts for row in part)

    def verdict(self, one: Row, other: Row, measure: str) -> Row | None:
        """The paired test of two rows of one model, solver and nfe, whichever way round it was done."""
        for test in self.tests:
            if any(test[name] != one[name] for name in ("model", "solver", "nfe")) or test["measure"] != measure:
                continue
            pair = (test["ours"], test["rival"])
            if any(a in self._names(one) and b in self._names(other) for a, b in (pair, pair[::-1])):
                return test
        return None

    def _names(self, row: Row) -> tuple[str, ...]:
        """What a test may call a row: the schedule alone where no other terminal of it was run."""
        long = label(row)
        same = ("model", "solver", "nfe", "schedule")
        alone = sum(all(other[name] == row[name] for name in same) for other in self.rows) == 1
        return (row["schedule"], long) if alone else (long,)


def label(row: Row) -> str:
    """A schedule with its terminal."""
    return f"{row['schedule']}, {row['terminal']}"


def unique(values: Iterable[Any]) -> list[Any]:
    """The values without repetitions, in the order of their first appearance."""
    return list(dict.fromkeys(values))


def is_uniform(row: Row) -> bool:
    """Whether a row's schedule is one of the uniform ones."""
    return str(row["schedule"]).lower().startswith("uniform")


def is_ours(row: Row) -> bool:
    """Whether a row's schedule is one of HSO's."""
    return str(row["schedule"]).lower().startswith("hso")


def load(path: Path) -> Document:
    """Read a results file; ValueError says what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error
    return parse(content)


def parse(content: Any) -> Document:
    """Check a decoded document; ValueError names the entry, its value and what it should be."""
    if not isinstance(content, dict):
        raise ValueError(f"the document must be an object with 'run' and 'rows', got {_short(content)}")
    run = content.get("run")
    if not isinstance(run, dict):
        raise ValueError(f"'run' must be an object with the run's settings, got {_short(run)}")
    if "rows" not in content:
        raise ValueError("'rows' is missing: the results of the schedules")
    parts = {name: _part(name, content.get(name, [])) for name in ("rows", *_OPTIONAL)}
    for place, row in _places("rows", parts["rows"]):
        _check_result(place, row)
    for place, row in _places("premise", parts["premise"]):
        _check_points(place, row)
    for place, row in _places("oracle", parts["oracle"]):
        if "share" not in row or not (row["share"] is None or is_number(row["share"])):
            raise ValueError(f"{place}: 'share' must be a number, or null for no gap, got {_short(row.get('share'))}")
    return Document(run=run, **parts)


def _part(name: str, rows: Any) -> list[Row]:
    if not isinstance(rows, list):
        raise ValueError(f"'{name}' must be a list, got {_short(rows)}")
    for place, row in _places(name, rows):
        if not isinstance(row, dict):
            raise ValueError(f"{place} must be an object, got {_short(row)}")
        _check_finite(place, row)
        if name == "floors":
            continue
        for key in _WORDS[name]:
            if not isinstance(row.get(key), str) or not row[key]:
                raise ValueError(f"{place}: '{key}' must be a name, got {_short(row.get(key))}")
        _check_count(place, row, "nfe")
        for key in _NUMBERS[name]:
            if not is_number(row.get(key)):
                raise ValueError(f"{place}: '{key}' must be a number, got {_short(row.get(key))}")
    return rows


def _check_result(place: str, row: Row) -> None:
    _check_count(place, row, "seeds")
    _check_count(place, row, "n")
    for key in ("timesteps", "sigmas"):
        values = row.get(key)
        if not isinstance(values, list) or not all(is_number(value) for value in values):
            raise ValueError(f"{place}: '{key}' must be a list of numbers, got {_short(values)}")
    for key in (measure for measure in MEASURES if measure in row):
        value = row[key]
        if not isinstance(value, dict) or not is_number(value.get("mean")) or not _is_deviation(value.get("std", "")):
            raise ValueError(f"{place}: '{key}' must have numbers 'mean' and 'std', got {_short(value)}")
    if not any(measure in row for measure in MEASURES):
        raise ValueError(f"{place} has none of the measures {', '.join(MEASURES)}")


def _check_points(place: str, row: Row) -> None:
    points = row.get("points")
    pairs = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    if not pairs or not all(is_number(value) for point in row["points"] for value in point):
        raise ValueError(f"{place}: 'points' must be a list of pairs of numbers, got {_short(points)}")


def _check_count(place: str, row: Row, key: str) -> None:
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{place}: '{key}' must be an integer of at least 1, got {_short(value)}")


def _check_finite(place: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be finite, got {value}")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_finite(f"{place}: '{key}'", inner)
    if isinstance(value, list):
        for index, inner in enumerate(value):
            _check_finite(f"{place}[{index}]", inner)


def is_number(value: Any) -> bool:
    """Whether a decoded value is a number; a Boolean is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_deviation(value: Any) -> bool:
    """A single seed has none."""
    return value is None or (is_number(value) and value >= 0)


def _places(name: str, rows: list[Any]) -> list[tuple[str, Any]]:
    return [(f"{name}[{index}]", row) for index, row in enumerate(rows)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
