"""`hso calibrate`: measures a model, for schedules of its own."""

import importlib
import os
from typing import Annotated, Any, Literal

import typer

from ._console import note, result, result_json
from ._exit import CommandError, bad_input
from ._options import JsonOption, files
from ._progress import counting, waiting
from ._signature import Options, takes
from ._source import quieten_diffusers
from ._table import table
from ._text import number

EXAMPLES = (
    "Examples: hso calibrate my-model/ --prompts-file prompts.txt --solver unipc --device cuda -o my-model.json; "
    "hso optimize my-model.json --nfe 5"
)
_CALL = "The pipeline's call"


class CallOptions(Options):
    """What the pipeline is called with."""

    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="Repeat it for more than one.", rich_help_panel=_CALL)
    ] = None
    prompts_file: Annotated[
        str | None,
        typer.Option("--prompts-file", metavar="FILE", help="Prompts, one a line.", rich_help_panel=_CALL),
    ] = None
    negative_prompt: Annotated[
        str | None, typer.Option("--negative-prompt", help="One for all.", rich_help_panel=_CALL)
    ] = None
    guidance: Annotated[float | None, typer.Option("--guidance", help="guidance_scale.", rich_help_panel=_CALL)] = None
    width: Annotated[int | None, typer.Option("--width", help="Pixels.", rich_help_panel=_CALL)] = None
    height: Annotated[int | None, typer.Option("--height", help="Pixels.", rich_help_panel=_CALL)] = None
    num_frames: Annotated[int | None, typer.Option("--num-frames", help="Of a video.", rich_help_panel=_CALL)] = None

    def given(self) -> dict[str, Any]:
        """The call's arguments."""
        prompts = [*(self.prompt or []), *(_lines(self.prompts_file) if self.prompts_file is not None else [])]
        words = {
            "prompt": prompts or None,
            "negative_prompt": self.negative_prompt,
            "guidance_scale": self.guidance,
            "width": self.width,
            "height": self.height,
            "num_frames": self.num_frames,
        }
        return {name: value for name, value in words.items() if value is not None}


def _complete_folder(incomplete: str) -> list[str]:
    return files(incomplete, os.sep)


@takes(call=CallOptions)
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="A diffusers pipeline on disk; nothing is downloaded.",
            autocompletion=_complete_folder,
            show_default=False,
        ),
    ],
    call: CallOptions,
    solver: Annotated[
        Literal["ddim", "euler", "dpm-solver++", "unipc"], typer.Option("--solver", help="What will sample.")
    ] = "unipc",
    order: Annotated[int | None, typer.Option("--order", help="Of the solver. Default: 2, ddim 1.")] = None,
    budget: Annotated[
        int | None,
        typer.Option("--budget", help="Network evaluations, at most. Default: 8192; ddim and euler 1024."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="Samples in one call.")] = 1,
    device: Annotated[str | None, typer.Option("--device", help="cuda, mps or cpu. Default: cpu.")] = None,
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"] | None, typer.Option("--dtype", help="Of the weights.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the noise.")] = 0,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="The profile. Default: FOLDER's name.profile.json."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure a model, so that hso optimize finds the schedules that fit it."""
    asked = call.given()
    path = os.path.expanduser(output or f"{os.path.basename(os.path.abspath(source))}.profile.json")
    _check_writable(path)
    import hso

    pipe = _pipeline(source, device, dtype)
    with counting("calibrating") as report:
        profile = hso.calibrate(
            pipe, solver=solver, order=order, budget=budget, seed=seed, batch=batch, call=asked, progress=report
        )
    profile.save(path)
    note(f"saved {path}: {profile.evaluations} evaluations of {profile.samples} samples")
    with waiting("searching"):
        curve = profile.curve()
    if json:
        names = ("solver", "order", "samples", "evaluations", "seed", "fingerprint")
        result_json({"profile": path, **{name: getattr(profile, name) for name in names}, "curve": curve})
        return
    rows = [[str(nfe), number(error, 4)] for nfe, error in curve.items()]
    title = f"{os.path.basename(path)}: solver {profile.solver}, order {profile.order}"
    result(f"{title}\n\n{table(['nfe', 'expected error'], rows)}")


def _pipeline(folder: str, device: str | None, dtype: str | None) -> Any:
    if not os.path.isdir(folder):
        raise bad_input(f"there is no folder {folder!r}; calibrate needs a pipeline on disk and downloads nothing")
    if not os.path.isfile(os.path.join(folder, "model_index.json")):
        raise bad_input(
            f"{folder!r} holds no model_index.json: calibrate needs a whole pipeline, as save_pretrained makes"
        )
    with waiting("loading the pipeline"):
        quieten_diffusers()
        import torch
        from diffusers import DiffusionPipeline

        load: Any = DiffusionPipeline.from_pretrained
        _hide_progress_bars()
        kind = None if dtype is None else getattr(torch, dtype)
        try:
            pipe = load(folder, torch_dtype=kind, local_files_only=True)
            pipe = pipe if device is None else pipe.to(device)
        except (OSError, ValueError, RuntimeError, AttributeError, TypeError) as error:
            raise CommandError(f"{folder!r} cannot be loaded: {error}") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _hide_progress_bars() -> None:
    for library in ("diffusers", "transformers"):
        try:
            logging = importlib.import_module(f"{library}.utils.logging")
        except ImportError:  # not every pipeline needs transformers
            continue
        logging.disable_progress_bar()


def _lines(path: str) -> list[str]:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            prompts = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise bad_input(f"--prompts-file {path!r} cannot be read: {getattr(error, 'strerror', error)}") from None
    if not prompts:
        raise bad_input(f"--prompts-file {path!r} holds no prompts")
    return prompts


def _check_writable(path: str) -> None:
    """Before minutes are spent."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK) or os.path.isdir(path):
        raise CommandError(f"{path!r} cannot be written: --output must name a file in a folder that you may write to")
