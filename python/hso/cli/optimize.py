"""`hso optimize`: the best schedules for a noise schedule."""

import os
from json import loads as read_json
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import note, result, result_json
from ._exit import bad_input
from ._options import FormatOption, JsonOption, NfeOption, SearchOptions, SizeOptions, SourceArgument, network_calls
from ._signature import takes
from ._source import find, optimized
from ._text import nodes_table, schedules_table, summary, warn_of

if TYPE_CHECKING:
    from .. import Schedule

EXAMPLES = (
    "Examples: hso optimize sd21 --nfe 5; hso optimize flux-dev -n 4,8 --width 768 --height 512 --json; "
    "hso optimize my-model/ -n 6 --output six.json"
)


@takes(search=SearchOptions, size=SizeOptions)
def run(
    source: SourceArgument,
    search: SearchOptions,
    size: SizeOptions,
    nfe: NfeOption = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Save the schedule; {nfe} in the name with more than one of them."
        ),
    ] = None,
    export: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Find the best schedules of so many network calls."""
    counts = network_calls(nfe)
    if json and export is not None:
        raise bad_input("--json and --export exclude each other")
    if export is not None and len(counts) > 1:
        raise bad_input(f"--export prints one schedule: give one number with --nfe, not {len(counts)}")
    if output is not None and len(counts) > 1 and "{nfe}" not in output:
        raise bad_input("--output needs {nfe} in its name where --nfe asks for more than one schedule")
    found = find(source, size)
    schedules = optimized(found, counts, search)
    exported = None if export is None else schedules[0].export(export, noise=found.noise)
    if output is not None:
        for asked, schedule in zip(counts, schedules, strict=True):
            path = output.replace("{nfe}", str(asked))
            schedule.save(os.path.expanduser(path))
            note(f"saved {path}")
    errors = None if found.profile is None else [found.profile.error(schedule) for schedule in schedules]
    if errors is None:
        for schedule in schedules:
            warn_of(schedule)
    if exported is not None:
        result(exported)
    elif json:
        expected = {} if errors is None else {"expected_errors": errors}
        result_json({"schedules": [read_json(schedule.to_json()) for schedule in schedules], **expected})
    elif len(schedules) == 1:
        only = schedules[0]
        last = summary(only, None if errors is None else errors[0])
        result(f"{_title(found.name, only)}\n\n{nodes_table(only)}\n\n{last}")
    else:
        result(f"{_title(found.name, schedules[0], nfe=False)}\n\n{schedules_table(schedules, errors)}")


def _title(name: str, schedule: "Schedule", *, nfe: bool = True) -> str:
    calls = f"{schedule.nfe} network calls, " if nfe else ""
    solver = "" if schedule.solver is None else f", solver {schedule.solver}"
    return f"{name}: {calls}terminal {schedule.terminal}, search {schedule.search}{solver}"
