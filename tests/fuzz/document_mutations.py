"""Changes of JSON documents that keep their structure: what flips of single bytes hardly ever reach."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

_DEPTHS = (2, 20, 200, 2000, 20_000)
_NUMBERS = (
    "0", "-0.0", "1", "-1", "1.5", "1e-320", "5e-324", "1e308", "1e309", "-1e999", "1e-999", "NaN", "Infinity",
    "-Infinity", "9007199254740993", "2147483648", "18446744073709551616", "1" + "0" * 400, "0." + "3" * 5000,
    "7" * 5000,
)  # fmt: skip
_WORDS = (
    "", "inf", "-inf", "nan", "zero", "t_min", "skip", "vp", "flow", "ve", "general", "heun", "unipc", "ddim", "exact",
    "mep", "hso-schedule/1", "hso-schedule/2", "hso-profile/1", "from_table", "edm", "\ud800", "\u2028", "a\nb", "\x00",
    "x" * 3000,
)  # fmt: skip
_NAMES = (
    "format", "t", "lambdas", "sigmas", "timesteps", "options", "proxy", "values", "objective", "p", "calibration",
    "rows", "",
)  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes | None:
    """`data` as a JSON document with one to four changes, by `seed`; None where it is no JSON."""
    try:
        root = [json.loads(data)]
    except (ValueError, RecursionError):
        return None
    chance = random.Random(seed)
    verbatim: dict[str, str] = {}
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if root:
            container, key = chance.choice(list(_places(root)))
            chance.choice(_CHANGES)(chance, container, key, verbatim)
    try:
        text = json.dumps(root[0], indent=chance.choice((None, 1))) if root else ""
    except RecursionError:
        return None
    for mark, meant in verbatim.items():
        text = text.replace(json.dumps(mark), meant)
    return text.encode("utf-8")


def _places(container: Any, least: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every value, as its container and its key there; of long lists the first and last few."""
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    for key in keys if len(keys) < 60 else keys[:10] + keys[-10:]:
        yield container, key
        if isinstance(container[key], dict | list) and least < 50:
            yield from _places(container[key], least + 1)


def _verbatim(verbatim: dict[str, str], meant: str) -> str:
    """A word that stands for a piece of text which no value is written as."""
    mark = f"@verbatim {len(verbatim)}@"
    verbatim[mark] = meant
    return mark


def _remove(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    del container[key]


def _number(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    container[key] = _verbatim(verbatim, chance.choice(_NUMBERS))


def _word(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    container[key] = chance.choice(_WORDS)


def _other_type(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    container[key] = chance.choice((None, True, False, [], {}, 0, 1.0, "", [[]], {"": {}}, [None], [1.0, [2.0]]))


def _wrapped(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    container[key] = chance.choice(([container[key]], {"x": container[key]}))


def _nested(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    depth = chance.choice(_DEPTHS)
    begin, end = chance.choice((("[", "]"), ('{"a":', "}")))
    container[key] = _verbatim(verbatim, begin * depth + "0" + end * depth)


def _scaled(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    value = container[key]
    if type(value) in (int, float) and abs(value) < 1e300:
        container[key] = chance.choice((-value, value + 1, value * 1.0000001, value * 1e10, value / 3.0, int(value)))
    elif isinstance(value, list):
        chance.choice((value.reverse, value.clear, lambda: value.extend(list(value)), lambda: value.append(None)))()
    else:
        _other_type(chance, container, key, verbatim)


def _longer(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    if isinstance(container, list):
        container.insert(key, container[key])
    else:  # the same name twice
        container[_verbatim(verbatim, json.dumps(key))] = chance.choice((container[key], None))


def _renamed(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    if isinstance(container, dict):
        container[chance.choice((*_NAMES, *_WORDS))] = container.pop(key)
    else:
        container[key] = container[chance.randrange(len(container))]


def _swapped(chance: random.Random, container: Any, key: Any, verbatim: dict[str, str]) -> None:
    keys = list(container) if isinstance(container, dict) else range(len(container))
    other = chance.choice(keys)
    container[key], container[other] = container[other], container[key]


_CHANGES: tuple[Callable[[random.Random, Any, Any, dict[str, str]], None], ...] = (
    _remove, _number, _number, _word, _other_type, _wrapped, _nested, _scaled, _scaled, _longer, _renamed, _swapped,
)  # fmt: skip
