"""Options that several commands share, written once as a class."""

import inspect
from collections.abc import Callable
from typing import Any


class Options:
    """A group of options: annotated class attributes with their defaults."""

    def __init__(self, **values: Any) -> None:
        for name in type(self).__annotations__:
            setattr(self, name, values.pop(name))
        if values:
            raise TypeError(f"unknown options {', '.join(values)}")


def takes(**groups: type[Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of the groups; it gets each group as one argument of the given name."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            for name, kind in groups.items():
                values[name] = kind(**{each: values.pop(each) for each in kind.__annotations__})
            command(**values)

        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=getattr(kind, name), annotation=annotation)
            for kind in groups.values()
            for name, annotation in kind.__annotations__.items()
        ]
        own = [each for each in inspect.signature(command).parameters.values() if each.name not in groups]
        keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        first = [each for each in keyword_only if each.name in ("source", "nfe")]
        rest = [each for each in keyword_only if each not in first]
        run.__signature__ = inspect.Signature([*first, *shared, *rest])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in [*first, *shared, *rest]}
        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        return run

    return decorate
