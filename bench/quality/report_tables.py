"""The report's tables as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from report_document import MEASURES, SIGNIFICANT, Document, Row, is_number, is_ours, is_uniform, label, unique

_NAMES = {"nfe": "nfe", "mep": "MEP", "spf": "SPF", "p_holm": "p (Holm)", "n": "n", "low": "95 % from", "high": "to"}


def number(value: float) -> str:
    """Four significant digits; integers in full."""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def cell(value: Any) -> str:
    """What a table shows for a decoded JSON value; a mean comes with its deviation."""
    if value is None:
        return "-"
    if isinstance(value, dict) and is_number(value.get("mean")):
        deviation = f" ± {value['std']:.2g}" if is_number(value.get("std")) else ""
        return f"{number(value['mean'])}{deviation}"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(cell(inner) for inner in value)
    return number(value) if is_number(value) else str(value)


def _exact(value: Any) -> str:
    """A title attribute with the digits that the cell leaves out."""
    if isinstance(value, dict) and is_number(value.get("mean")):
        return f' title="{escape(", ".join(f"{key} {inner}" for key, inner in value.items()))}"'
    if isinstance(value, float):
        return f' title="{value}"'
    return ""


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of finished cells (`<td>` and `<th>`)."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _data(value: Any) -> str:
    kind = ' class="number"' if is_number(value) or isinstance(value, dict) else ""
    return f"<td{kind}{_exact(value)}>{escape(cell(value))}</td>"


def plain(caption: str, rows: Sequence[Row], leave_out: Sequence[str] = ()) -> str:
    """A table with one column for every key of `rows`."""
    keys = [key for key in unique(key for row in rows for key in row) if key not in leave_out]
    return table(
        caption,
        [_NAMES.get(key, key.replace("_", " ")) for key in keys],
        [[_data(row.get(k)) for k in keys] for row in rows],
    )


def statement(rows: Sequence[Row], results: Sequence[Row]) -> str:
    """n, seeds and terminals of `rows`, or, where they do not say, of the `results` they were made with."""
    said = []
    for key, name in (("n", "n = {} images per seed"), ("seeds", "seeds: {}"), ("terminal", "terminal: {}")):
        values = unique(row[key] for row in rows if key in row) or unique(row[key] for row in results if key in row)
        if values:
            said.append(name.format(", ".join(str(value) for value in values)))
    return "; ".join(said) or "n, seeds and terminal: not stated in the results"


def _mark(document: Document, row: Row, best: Row, measure: str) -> str:
    """`*` for the best of its column, `=` and `†` for what a paired test says of the others."""
    if row is best:
        return "*"
    test = document.verdict(row, best, measure)
    if test is None:
        return ""
    return "†" if test["p_holm"] < SIGNIFICANT else "="


def results(document: Document, model: str, solver: str, measure: str) -> str:
    """Every schedule against nfe for one model, solver and measure; nothing where it was not measured."""
    rows = [r for r in document.rows if (r["model"], r["solver"]) == (model, solver) and measure in r]
    if not rows:
        return ""
    nfes = sorted({row["nfe"] for row in rows})
    best = {nfe: min((r for r in rows if r["nfe"] == nfe), key=lambda r: float(r[measure]["mean"])) for nfe in nfes}
    lines = []
    for name in unique(label(row) for row in rows):
        of_nfe = {row["nfe"]: row for row in rows if label(row) == name}
        first = next(iter(of_nfe.values()))
        line = [f'<th scope="row">{escape(first["schedule"])}</th>', f"<td>{escape(first['terminal'])}</td>"]
        for nfe in nfes:
            if nfe not in of_nfe:
                line.append("<td></td>")
                continue
            row = of_nfe[nfe]
            text = f"{escape(cell(row[measure]))}<sup>{_mark(document, row, best[nfe], measure)}</sup>"
            text = f"<strong>{text}</strong>" if row is best[nfe] else text
            line.append(f'<td class="number"{_exact(row[measure])}>{text}</td>')
        lines.append(line)
    caption = f"{model}, {solver}: {MEASURES[measure]}, mean ± deviation over seeds; {statement(rows, rows)}"
    return table(caption, ["schedule", "terminal", *(f"nfe {nfe}" for nfe in nfes)], lines)


def schedules(model: str, rows: Sequence[Row]) -> str:
    """Where the schedules put their steps, with their proxies and the time of an image."""
    keys = (
        "solver",
        "nfe",
        "schedule",
        "terminal",
        "seeds",
        "n",
        "mep",
        "spf",
        "seconds_per_image",
        "timesteps",
        "sigmas",
    )
    chosen = [{key: row.get(key) for key in keys} for row in rows]
    return plain(f"{model}: schedules as they were run; {statement(rows, rows)}", chosen)


def tests(model: str, rows: Sequence[Row], of_model: Sequence[Row]) -> str:
    """Every paired test with what follows from it."""
    said = []
    for row in rows:
        outcome = f"{row['ours'] if row['difference'] < 0 else row['rival']} is better"
        said.append(row | {"outcome": outcome if row["p_holm"] < SIGNIFICANT else "not told apart"})
    caption = f"{model}: paired tests; difference = ours - rival, below 0 ours is better; {statement(rows, of_model)}"
    return plain(caption, said, leave_out=("model",))


def uniform_wins(document: Document) -> tuple[str, int, int]:
    """Where the best uniform schedule beats the best of HSO's: the table, how many cells, of how many."""
    found, compared = [], 0
    of_cell: dict[tuple[str, str, int], list[Row]] = {}
    for row in document.rows:
        of_cell.setdefault((row["model"], row["solver"], row["nfe"]), []).append(row)
    for (model, solver, nfe), rivals in of_cell.items():
        for measure in MEASURES:
            rows = sorted((row for row in rivals if measure in row), key=lambda row: float(row[measure]["mean"]))
            uniform = next(filter(is_uniform, rows), None)
            ours = next(filter(is_ours, rows), None)
            if uniform is None or ours is None:
                continue
            compared += 1
            if uniform[measure]["mean"] >= ours[measure]["mean"]:
                continue
            test = document.verdict(uniform, ours, measure)
            found.append(
                {"model": model, "solver": solver, "nfe": nfe, "measure": measure, "uniform schedule": label(uniform)}
                | {"uniform": uniform[measure], "best of HSO": label(ours), "HSO": ours[measure]}
                | {"best of all": label(rows[0]), "n": uniform["n"], "seeds": uniform["seeds"]}
                | {"p (Holm)": None if test is None else test["p_holm"]}
            )
    caption = f"Where a uniform schedule beats every schedule of HSO; {statement(document.rows, document.rows)}"
    return (plain(caption, found) if found else ""), len(found), compared
