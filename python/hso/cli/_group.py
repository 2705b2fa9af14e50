"""The commands, each imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from ._console import result, session
from ._exit import bad_input, nearest

COMMANDS = ("optimize", "compare", "explain", "export", "calibrate", "demo", "presets")


class Command(TyperCommand):
    """A command that takes --quiet and --debug too."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params += [
            _switch("--quiet", "-q", callback=_set_quiet, help="Only results, warnings and errors."),
            _switch("--debug", callback=_set_debug, help="Show the traceback of an error."),
        ]


def _switch(*names: str, callback: Any, help: str) -> TyperOption:
    return TyperOption(
        param_decls=list(names), is_flag=True, default=False, expose_value=False, callback=callback, help=help
    )


def _set_quiet(context: Any, parameter: Any, value: bool) -> None:
    session.quiet |= value


def _set_debug(context: Any, parameter: Any, value: bool) -> None:
    session.debug |= value


def _command(name: str, markup: Any) -> Any:
    module = importlib.import_module(f".{name}", __package__)
    app = typer.Typer(add_completion=False, rich_markup_mode=markup, pretty_exceptions_enable=False)
    app.command(name=name, cls=Command, epilog=module.EXAMPLES, no_args_is_help=False)(module.run)
    return typer.main.get_command(app)


class _Plain(TyperGroup):
    markup: Any = None

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _command(cmd_name, self.markup)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = nearest(args[0], COMMANDS)
            raise bad_input(f"there is no command {args[0]!r}{near or ';'} hso --help lists them")
        return super().resolve_command(ctx, args)


class _Rich(_Plain):
    markup = "rich"


def group(*, everything: bool) -> Any:
    """All commands; with `everything` rich's help and the options for shell completion."""
    app = typer.Typer(
        cls=_Rich if everything else _Plain,
        add_completion=everything,
        rich_markup_mode="rich" if everything else None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    return typer.main.get_command(app)


def _print_version(value: bool) -> None:
    if value:
        from .._core import __version__

        result(f"hso {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results, warnings and errors.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Where to place the few network calls of a diffusion sampler.

    Exit codes: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.
    """
    session.quiet, session.debug = quiet, debug
