"""Tables of text, never cut: where a terminal is too narrow for a row, each row becomes lines of "name  value".

rich's tables would take longer to import than a whole search.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

from ._console import colours

_GAP = "  "


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Rows under their columns' names, flush right except the columns in `left`; for stdout as it is."""
    sizes = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(columns)]
    bold, plain = ("\033[1m", "\033[0m") if colours(sys.stdout) else ("", "")
    width = _width()
    if width is not None and sum(sizes) + len(_GAP) * (len(sizes) - 1) > width:
        return "\n".join(_record(columns, row, width, bold, plain) for row in rows)

    def line(cells: Sequence[str]) -> str:
        placed = [
            cell.ljust(size) if name in left else cell.rjust(size)
            for name, cell, size in zip(columns, cells, sizes, strict=True)
        ]
        return _GAP.join(placed).rstrip()

    rule = _GAP.join("-" * size for size in sizes)
    return "\n".join([bold + line(columns) + plain, rule, *map(line, rows)])


def _record(columns: Sequence[str], row: Sequence[str], width: int, bold: str, plain: str) -> str:
    size = max(map(len, columns))
    lines = []
    for name, cell in zip(columns, row, strict=True):
        room = max(width - size - len(_GAP), 12)
        first, *more = textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(f"{bold}{name.ljust(size)}{plain}{_GAP}{first}".rstrip())
        lines += [" " * (size + len(_GAP)) + each for each in more]
    return "\n".join([*lines, ""])


def _width() -> int | None:
    """Columns of the terminal; None where there is none to be too narrow."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None
