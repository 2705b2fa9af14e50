"""What a command's SOURCE names: a preset, a scheduler's configuration, a model's folder, a profile or a schedule."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ._exit import CommandError, bad_input, nearest
from ._options import SearchOptions, SizeOptions, one_count
from ._progress import waiting

if TYPE_CHECKING:
    from .. import NoiseSchedule, Profile, Schedule


class Source(NamedTuple):
    """A noise schedule by name, and the profile where it was measured."""

    name: str
    noise: NoiseSchedule
    profile: Profile | None = None


def find(text: str, size: SizeOptions) -> Source:
    """The source that `text` names, at the size asked for."""
    import hso

    given = size.given()
    if text in hso.presets.names():
        return Source(text, hso.NoiseSchedule.preset(text, **given))
    if not os.path.exists(text):
        raise _unknown(text, hso.presets.names())
    kind = document_format(text)
    if kind.startswith("hso-schedule/"):
        raise bad_input(f"{text!r} is a schedule file, which needs no search: see hso explain and hso export")
    if kind.startswith("hso-profile/"):
        if given:
            raise bad_input(f"{_names(given)} must be left out with a profile, which has its own noise schedule")
        with waiting("reading the profile"):
            profile = hso.Profile.load(text)
        return Source(os.path.basename(text), profile.noise, profile)
    if "shift" in given:
        raise bad_input("--shift is for presets; a scheduler's configuration has its own")
    with waiting("reading the scheduler with diffusers"):
        quieten_diffusers()
        noise = hso.diffusers.noise_schedule(text, **given)
    return Source(os.path.basename(os.path.abspath(text)), noise)


def find_schedule(
    text: str, nfe: list[str] | None, noise: str | None, search: SearchOptions, size: SizeOptions
) -> tuple[Schedule, NoiseSchedule | None]:
    """The schedule in a file, or the one found for a source, with its noise schedule where that is known.

    `noise` names the noise schedule of a file, at the size asked for; the file is refused where it was made for
    another. The search's options go with a source alone.
    """
    import hso

    if os.path.isfile(text) and document_format(text).startswith("hso-schedule/"):
        given = _names({**({"nfe": nfe} if nfe else {}), **search.given()})
        if given:
            raise bad_input(f"{given} must be left out with a schedule file, which says it")
        if noise is None and size.given():
            raise bad_input(f"{_names(size.given())} must be left out with a schedule file, or go with --noise")
        known = None if noise is None else find(noise, size).noise
        return hso.Schedule.load(text, noise=known), known
    if noise is not None:
        raise bad_input("--noise is for schedule files; a source has its own noise schedule")
    found = find(text, size)
    return optimized(found, [one_count(nfe)], search)[0], found.noise


def optimized(source: Source, counts: list[int], search: SearchOptions) -> list[Schedule]:
    """The schedules for these network calls."""
    import hso

    with waiting(f"searching, nfe {', '.join(map(str, counts))}"):
        return hso.optimize(source.profile or source.noise, counts, **search.given())


def document_format(path: str) -> str:
    """What the "format" of a JSON file says; "" for a folder or another JSON object."""
    if os.path.isdir(path):
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise bad_input(f"{path!r} is no JSON file: {error}") from None
    except OSError as error:
        raise bad_input(f"{path!r} cannot be read: {error.strerror}") from None
    if not isinstance(document, dict):
        raise bad_input(f"{path!r} must hold a JSON object: a scheduler's configuration, a profile or a schedule")
    return str(document.get("format", ""))


def _unknown(text: str, names: list[str]) -> CommandError:
    if os.sep in text or text.endswith(".json") or text in (".", ".."):
        return bad_input(f"there is no file or folder {text!r}; nothing is downloaded, hso presets lists known models")
    near = nearest(text, names)
    return bad_input(f"there is no preset, file or folder {text!r}{near or ';'} hso presets lists what is known")


def _names(given: dict[str, Any]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in given)


def quieten_diffusers() -> None:
    """Keeps remarks of diffusers and transformers, which read this when they are imported, off stderr."""
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
