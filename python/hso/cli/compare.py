"""`hso compare`: several methods' schedules side by side."""

import os
from typing import Annotated, Any

import typer

from ._console import note, result, result_json
from ._exit import bad_input
from ._methods import METHODS, Row, chosen, compared
from ._options import JsonOption, NfeOption, SearchOptions, SizeOptions, SourceArgument, network_calls
from ._progress import waiting
from ._signature import takes
from ._source import find
from ._table import table
from ._text import number, numbers, spacing

EXAMPLES = (
    "Examples: hso compare sd21 --nfe 5; hso compare sdxl -n 8 --method exact,karras,ays --plot sdxl.png; "
    "hso compare sd21 -n 4,6 --terminal t_min --json"
)


def _complete_method(incomplete: str) -> list[str]:
    return [name for name in METHODS if name.startswith(incomplete)]


@takes(search=SearchOptions, size=SizeOptions)
def run(
    source: SourceArgument,
    search: SearchOptions,
    size: SizeOptions,
    nfe: NfeOption = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", "-m", metavar="NAME[,NAME...]", help=", ".join(METHODS), autocompletion=_complete_method
        ),
    ] = None,
    same_ends: Annotated[
        bool, typer.Option("--same-ends", help="Put all between the ends of the optimum, where F compares.")
    ] = False,
    plot: Annotated[str | None, typer.Option("--plot", metavar="FILE", help="Draw them: .png, .svg or .pdf.")] = None,
    json: JsonOption = False,
) -> None:
    """Set several methods side by side: nodes, spacing and F.

    F judges all of them alike: MEP plus 1e9 times the squared lack of spacing. It ranks schedules between the same ends
    only, and by default each method has its own, as it is used; "above" says how far its MEP is above the least between
    these.
    """
    counts = network_calls(nfe)
    if plot is not None and len(counts) > 1:
        raise bad_input(f"--plot draws one number of calls: give one with --nfe, not {len(counts)}")
    found = find(source, size)
    if search.search is not None:
        raise bad_input("--search must be left out: name the searches with --method exact,bilevel,paper")
    if search.objective not in (None, "mep"):
        raise bad_input("--objective must be left out: F is made of MEP; DM-NonUni is --method dm_nonuni")
    names = chosen(method, found, search.terminal or "zero", same_ends=same_ends)
    tables = {}
    for count in counts:
        with waiting(f"searching, nfe {count}"):
            tables[count] = compared(found, count, names, search, same_ends=same_ends)
    if plot is not None:
        _draw(plot, {row.method: row.schedule for row in tables[counts[0]]}, found.noise)
        note(f"drew {plot}")
    if json:
        result_json({"comparisons": [_document(count, rows) for count, rows in tables.items()]})
    else:
        head = f"{found.name}, terminal {search.terminal or 'zero'}"
        result("\n\n".join(f"{head}, nfe {count}\n\n{_table(rows)}" for count, rows in tables.items()))
        note("above: MEP over the least between the same ends; F ranks schedules between the same ends only")


def _table(rows: list[Row]) -> str:
    measured = rows[0].error is not None
    columns = ["method", "F", "above", "spacing", *(["error"] if measured else []), "timesteps"]
    cells = [
        [
            row.method,
            number(row.fitness, 7),
            f"{100.0 * row.above:.2f} %",
            spacing(row.schedule),
            *([number(row.error, 4)] if measured else []),
            numbers(row.schedule.timesteps, 4),
        ]
        for row in rows
    ]
    return table(columns, cells, left=["method", "timesteps"])


def _document(nfe: int, rows: list[Row]) -> dict[str, Any]:
    return {
        "nfe": nfe,
        "rows": [
            {
                "method": row.method,
                "fitness": row.fitness,
                "mep": row.mep,
                "above": row.above,
                "min_spacing": row.schedule.min_spacing,
                "error": row.error,
                "timesteps": row.schedule.timesteps.tolist(),
                "sigmas": row.schedule.sigmas.tolist(),
            }
            for row in rows
        ],
    }


def _draw(path: str, schedules: dict[str, Any], noise: Any) -> None:
    with waiting("drawing"):
        import matplotlib

        matplotlib.use("Agg")
        from ..plot import plot_schedules

        figure = plot_schedules(schedules, noise).flat[0].figure
        endings = figure.canvas.get_supported_filetypes()
        ending = os.path.splitext(path)[1].removeprefix(".")
        if ending not in endings:
            raise bad_input(f"--plot: the file's ending must be one of {', '.join(sorted(endings))}, got {path!r}")
        figure.savefig(os.path.expanduser(path), dpi=150)
