"""`hso export`: a schedule as the text that another program takes."""

from typing import Annotated

import typer

from ._console import note, result, write_text
from ._exit import bad_input, nearest
from ._options import (
    FileOrSource,
    NfeOption,
    NoiseOption,
    SearchOptions,
    SizeOptions,
    complete_format,
)
from ._signature import takes
from ._source import find_schedule

EXAMPLES = "Examples: hso export sd21 comfyui --nfe 6; hso export six.json diffusers --output six.py"


@takes(search=SearchOptions, size=SizeOptions)
def run(
    source: FileOrSource,
    search: SearchOptions,
    size: SizeOptions,
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="comfyui, a1111, forge, sdnext, k-diffusion, stable-diffusion.cpp, diffusers, sigmas or timesteps.",
            autocompletion=complete_format,
            show_default=False,
        ),
    ],
    nfe: NfeOption = None,
    noise: NoiseOption = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to stdout.")
    ] = None,
) -> None:
    """Print a schedule for ComfyUI, A1111, stable-diffusion.cpp, diffusers without hso, ..."""
    from ..exports import FORMATS, instructions

    if format not in FORMATS:
        raise bad_input(
            f"there is no format {format!r}{nearest(format, FORMATS) or ';'} there are {', '.join(FORMATS)}"
        )
    schedule, known = find_schedule(source, nfe, noise, search, size)
    text = schedule.export(format, noise=known)
    if output is None:
        result(text)
    else:
        write_text(output, text)
        note(f"wrote {output}")
    note(instructions(schedule, format))
