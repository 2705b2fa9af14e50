"""`hso presets`: the models that are known by name."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._console import result, result_json
from ._exit import bad_input, nearest
from ._options import JsonOption
from ._table import table

if TYPE_CHECKING:
    from ..presets import Preset

EXAMPLES = "Examples: hso presets; hso presets flux-dev; hso presets --json"


def _complete(incomplete: str) -> list[str]:
    from .. import presets

    return [name for name in presets.names() if name.startswith(incomplete)]


def run(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One of them, in detail.", autocompletion=_complete)
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the known models, or what is published about one."""
    from .. import presets

    if name is None:
        found = [(each, presets.get(each)) for each in presets.names()]
        if json:
            result_json({"presets": [_document(each, preset) for each, preset in found]})
            return
        rows = [
            [each, _family(preset), _size(preset), _text(preset.steps), _text(preset.hub_id)] for each, preset in found
        ]
        result(table(["name", "family", "size", "steps", "model"], rows, left=["name", "family", "size", "model"]))
        return
    if name not in presets.names():
        near = nearest(name, presets.names())
        raise bad_input(f"there is no preset {name!r}{near or ';'} hso presets lists them")
    document = _document(name, presets.get(name))
    if json:
        result_json(document)
        return
    config = document.pop("scheduler_config")
    rows = [
        [key, _text(value)] for key, value in {**document, **{f"scheduler: {k}": v for k, v in config.items()}}.items()
    ]
    result(table(["", "published"], rows, left=["", "published"]))


def _family(preset: "Preset") -> str:
    factory, _ = preset.noise_arguments()
    return {"flow": "flow", "edm": "ve"}.get(factory, "vp")


def _size(preset: "Preset") -> str:
    if preset.width is None:
        return "-"
    frames = "" if preset.num_frames is None else f"x{preset.num_frames}"
    return f"{preset.width}x{preset.height}{frames}"


def _document(name: str, preset: "Preset") -> dict[str, Any]:
    return {
        "name": name,
        "family": _family(preset),
        "model": preset.hub_id,
        "pipeline": preset.pipeline,
        "prediction_type": preset.prediction_type,
        "steps": preset.steps,
        "guidance_scale": preset.guidance_scale,
        "width": preset.width,
        "height": preset.height,
        "num_frames": preset.num_frames,
        "shift_depends_on_size": preset.grid is not None,
        "scheduler_config": preset.scheduler_config,
    }


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
