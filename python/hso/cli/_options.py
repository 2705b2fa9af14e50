"""Arguments and options that several commands share, and how their words are read."""

import glob
import os
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from ._exit import bad_input
from ._signature import Options

Terminal = Literal["zero", "t_min", "skip"]
Search = Literal["exact", "bilevel", "paper"]
Local = Literal["newton", "slsqp"]
Limits = Literal["measured", "published"]
Objective = Literal["mep", "dm_nonuni", "solver", "jump", "jump_x0", "jump_carried"]
Solver = Literal[
    "ddim", "ddpm", "deis", "dpm-solver++", "euler", "heun", "kdpm2", "lcm", "lms", "sa-solver", "tcd", "unipc"
]

_MOST_NFE = 100  # values of one range


def files(incomplete: str, *endings: str) -> list[str]:
    """Folders, and files with one of the endings, that a word may become."""
    found = []
    for path in sorted(glob.glob(glob.escape(os.path.expanduser(incomplete)) + "*")):
        if os.path.isdir(path):
            found.append(path + os.sep)
        elif path.endswith(endings):
            found.append(path)
    return found


def complete_source(incomplete: str) -> list[str]:
    """Presets, JSON files and folders."""
    from .. import presets

    return [name for name in presets.names() if name.startswith(incomplete)] + files(incomplete, ".json")


def complete_format(incomplete: str) -> list[str]:
    """Export formats."""
    from ..exports import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A preset (hso presets), a scheduler_config.json, a scheduler's or model's folder, or a profile of "
        "hso calibrate.",
        autocompletion=complete_source,
        show_default=False,
    ),
]
FileOrSource = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A schedule file, or what hso optimize takes: a preset, a scheduler_config.json, a model's folder, a "
        "profile.",
        autocompletion=complete_source,
        show_default=False,
    ),
]
NfeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--nfe", "-n", metavar="N[,N...]", help="Network calls: 5, a list 4,5,6,8 or a range 4-8. Default: 5."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
NoiseOption = Annotated[
    str | None,
    typer.Option(
        "--noise",
        metavar="SOURCE",
        help="A schedule file's noise schedule; a file made for another is refused.",
        autocompletion=complete_source,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--export", metavar="FORMAT", help="Print this instead of a table.", autocompletion=complete_format),
]
_SEARCH = "Search"
_SIZE = "Noise schedule"


class SearchOptions(Options):
    """What `hso.optimize` takes; None is its default."""

    terminal: Annotated[
        Terminal | None, typer.Option("--terminal", help="Where the last call's step ends.", rich_help_panel=_SEARCH)
    ] = None
    solver: Annotated[
        Solver | None,
        typer.Option("--solver", help="heun and kdpm2 spend two calls a step.", rich_help_panel=_SEARCH),
    ] = None
    search: Annotated[
        Search | None,
        typer.Option("--search", help="exact: the optimum, with proof. Default: exact.", rich_help_panel=_SEARCH),
    ] = None
    local: Annotated[
        Local | None, typer.Option("--local", help="Solver within bilevel and paper.", rich_help_panel=_SEARCH)
    ] = None
    objective: Annotated[
        Objective | None,
        typer.Option(
            "--objective",
            help="mep or dm_nonuni; with a profile: solver or one of the jumps.",
            rich_help_panel=_SEARCH,
        ),
    ] = None
    p: Annotated[float | None, typer.Option("--p", help="Exponent of the error proxy.", rich_help_panel=_SEARCH)] = None
    limits: Annotated[
        Limits | None, typer.Option("--limits", help="Where ends and spacing come from.", rich_help_panel=_SEARCH)
    ] = None
    d_min: Annotated[
        float | None, typer.Option("--d-min", help="Least spacing of the nodes in t.", rich_help_panel=_SEARCH)
    ] = None
    t_min: Annotated[
        str | None,
        typer.Option(
            "--t-min", metavar="T|LOW,HIGH", help="Where the last optimized node may be.", rich_help_panel=_SEARCH
        ),
    ] = None
    t_max: Annotated[
        str | None,
        typer.Option("--t-max", metavar="T|LOW,HIGH", help="Where the first node may be.", rich_help_panel=_SEARCH),
    ] = None
    gamma: Annotated[
        float | None,
        typer.Option("--gamma", help="Make the spacing a penalty of this weight.", rich_help_panel=_SEARCH),
    ] = None
    gap: Annotated[
        str | None,
        typer.Option("--gap", metavar="NUMBER|none", help="What to certify. Default: 1e-6.", rich_help_panel=_SEARCH),
    ] = None
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of bilevel and paper. Default: 0.", rich_help_panel=_SEARCH)
    ] = None
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Of bilevel and paper; 0: all. Default: 1.", rich_help_panel=_SEARCH),
    ] = None

    def given(self) -> dict[str, Any]:
        """What was given, as arguments of `hso.optimize`."""
        words = {name: getattr(self, name) for name in type(self).__annotations__}
        found = {name: value for name, value in words.items() if value is not None}
        for name in ("t_min", "t_max"):
            if name in found:
                found[name] = _range(f"--{name.replace('_', '-')}", found[name])
        if "gap" in found:
            found["gap"] = None if found["gap"] == "none" else _number("--gap", found["gap"])
        return found


class SizeOptions(Options):
    """What the noise schedule of some flow models depends on."""

    shift: Annotated[float | None, typer.Option("--shift", help="A flow model's shift.", rich_help_panel=_SIZE)] = None
    width: Annotated[int | None, typer.Option("--width", help="Pixels.", rich_help_panel=_SIZE)] = None
    height: Annotated[int | None, typer.Option("--height", help="Pixels.", rich_help_panel=_SIZE)] = None
    num_frames: Annotated[int | None, typer.Option("--num-frames", help="Of a video.", rich_help_panel=_SIZE)] = None

    def given(self) -> dict[str, Any]:
        """What was given, as arguments of `hso.NoiseSchedule.preset`."""
        words = {name: getattr(self, name) for name in type(self).__annotations__}
        return {name: value for name, value in words.items() if value is not None}


def network_calls(words: Iterable[str] | None) -> list[int]:
    """The counts that --nfe asks for, in order, each once."""
    counts: list[int] = []
    for word in [part.strip() for each in words or ["5"] for part in each.split(",")]:
        first, dash, last = word.partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise bad_input(f"--nfe must be a number of network calls, a list 4,5,6,8 or a range 4-8, got {word!r}")
        low, high = int(first), int(last or first)
        if not low <= high < low + _MOST_NFE:
            raise bad_input(f"--nfe: a range must go up and hold at most {_MOST_NFE} values, got {word!r}")
        counts += range(low, high + 1)
    return list(dict.fromkeys(counts))


def one_count(words: Iterable[str] | None) -> int:
    """The single count that --nfe asks for."""
    counts = network_calls(words)
    if len(counts) > 1:
        raise bad_input(f"--nfe must be a single number here, got {len(counts)} of them")
    return counts[0]


def _range(option: str, text: str) -> tuple[float, float]:
    numbers = [_number(option, part) for part in text.split(",")]
    if len(numbers) > 2:
        raise bad_input(f"{option} must be a number or LOW,HIGH, got {text!r}")
    return numbers[0], numbers[-1]


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise bad_input(f"{option} must be a number, got {text!r}") from None
