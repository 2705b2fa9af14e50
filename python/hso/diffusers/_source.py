"""From what a user has, a scheduler: an object, a pipeline, a configuration, a file or a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._libraries import load
from ._target import class_names, is_scheduler

CONFIG_FILE = "scheduler_config.json"
INDEX_FILE = "model_index.json"


@dataclass(frozen=True)
class Source:
    """A scheduler, and what is known of the pipeline that it belongs to."""

    scheduler: Any
    pipeline: str | None = None
    """Name of diffusers' pipeline class."""
    live: Any = None
    """The pipeline itself, where it was given."""


def resolve(source: object) -> Source:
    """Return the scheduler that ``source`` is, has or describes.

    Nothing is downloaded, and no model is loaded: only the scheduler's class is built, from JSON.

    Raises ValueError for a configuration that names no scheduler class of diffusers, and TypeError
    for anything that is not a source.
    """
    if is_scheduler(source):
        return Source(source)
    if isinstance(source, Mapping):
        return Source(_build(source, source.get("_class_name"), "source"))
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source))
    scheduler = getattr(source, "scheduler", None)
    if is_scheduler(scheduler):
        return Source(scheduler, next(iter(class_names(source)), None), source)
    raise TypeError(
        "source must be a diffusers scheduler, a pipeline with one, a configuration (dict), or the "
        f"path of a {CONFIG_FILE} or of a model's folder, got {type(source).__name__}"
    )


def _from_path(path: Path) -> Source:
    if path.is_file():
        return _from_index(path.parent) if path.name == INDEX_FILE else _from_config(path)
    if (path / CONFIG_FILE).is_file():
        return _from_config(path / CONFIG_FILE)
    if (path / INDEX_FILE).is_file():
        return _from_index(path)
    if (path / "scheduler" / CONFIG_FILE).is_file():
        return _from_config(path / "scheduler" / CONFIG_FILE)
    if path.is_dir():
        raise ValueError(f"source: the folder {str(path)!r} holds neither {CONFIG_FILE} nor {INDEX_FILE}")
    raise ValueError(
        f"source: there is no file or folder {str(path)!r} (nothing is downloaded; for known models "
        "there is hso.NoiseSchedule.preset)"
    )


def _from_config(path: Path) -> Source:
    config = _read(path)
    return Source(_build(config, config.get("_class_name"), f"source: {str(path)!r}"))


def _from_index(folder: Path) -> Source:
    """A model's folder: its index names the classes, as for diffusers' ``from_pretrained``."""
    index = _read(folder / INDEX_FILE)
    entry = index.get("scheduler")
    where = f"source: {str(folder / INDEX_FILE)!r}"
    if not (isinstance(entry, list) and len(entry) == 2 and entry[0] == "diffusers"):
        raise ValueError(f"{where} must name a scheduler of diffusers, got {entry!r}")
    path = folder / "scheduler" / CONFIG_FILE
    if not path.is_file():
        raise ValueError(f"source: there is no file {str(path)!r}, which {INDEX_FILE} beside it calls for")
    pipeline = index.get("_class_name")
    return Source(_build(_read(path), entry[1], where), pipeline if isinstance(pipeline, str) else None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"source: {str(path)!r} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"source: {str(path)!r} must hold a JSON object, got {type(content).__name__}")
    return content


def _build(config: Mapping[str, Any], name: object, where: str) -> Any:
    """A scheduler of the class ``name``, which must be one of diffusers' own."""
    if not isinstance(name, str):
        raise ValueError(f"{where} has no _class_name, which says what scheduler the configuration is of")
    diffusers = load("diffusers")
    # Repositories from 2022 name the Flax classes, which had the same configuration and are gone.
    cls = getattr(diffusers, name.removeprefix("Flax"), None) if name.endswith("Scheduler") else None
    if not (isinstance(cls, type) and issubclass(cls, diffusers.SchedulerMixin)):
        raise ValueError(
            f"{where}: _class_name must be a scheduler of diffusers {diffusers.__version__}, as installed, got {name!r}"
        )
    try:
        return cls.from_config(dict(config))  # type: ignore[attr-defined]
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{where}: {name} cannot be built from the configuration: {error}") from error
