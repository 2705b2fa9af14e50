"""The tables of docs/quality.md from the results of the lab, as Markdown.

python bench/quality/summarize.py bench/results/quality_*.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from report_document import SIGNIFICANT, Document, Row, is_ours, label, load, unique

OURS = "HSO exact, zero"
UNIFORM = "uniform t, trailing, zero"
SHOWN = (
    UNIFORM,
    "uniform lambda, zero",
    "Karras, zero",
    "AYS, zero",
    "DM-NonUni, t_min",
    "HSO paper, t_min",
    "HSO paper, zero",
    "HSO exact, published limits, zero",
    "HSO exact, skip",
    "HSO exact to 1/nfe, t_min",
    OURS,
)
NFE = (3, 4, 5, 6, 8, 10, 15, 20)
SECOND_ORDER = ("UniPC-2", "DPM++ 2M")
"""The solver that is shown of each model: the first of these that it was run with."""


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def errors(document: Document) -> str:
    """RMSE of chosen schedules for every model with its second-order solver; the best of all, shown or not, in bold."""
    lines = []
    for model in document.models:
        rows = [row for row in document.rows if row["model"] == model]
        solver = next(each for each in SECOND_ORDER if any(row["solver"] == each for row in rows))
        cells = {(label(row), row["nfe"]): float(row["rmse"]["mean"]) for row in rows if row["solver"] == solver}
        best = {nfe: min((v for (_, n), v in cells.items() if n == nfe), default=None) for nfe in NFE}
        for name in SHOWN:
            if not any(key[0] == name for key in cells):
                continue
            values = [cells.get((name, nfe)) for nfe in NFE]
            texts = ["-" if v is None else f"{v:.4f}" for v in values]
            marked = [
                f"**{t}**" if v is not None and v == best[n] else t for t, v, n in zip(texts, values, NFE, strict=True)
            ]
            lines.append([f"{model}, {solver}", name, *marked])
    return markdown(["model, solver", "schedule", *(f"nfe {nfe}" for nfe in NFE)], lines)


def verdicts(document: Document) -> str:
    """How often HSO's default is better than a rival, not told apart, or worse; p after Holm's correction."""
    lines = []
    tests = [test for test in document.tests if test["ours"] == OURS]
    for rival in unique(test["rival"] for test in tests):
        if rival.startswith("HSO bilevel"):
            continue  # the same optimum
        found = []
        for model in document.models:
            mine = [test for test in tests if (test["rival"], test["model"]) == (rival, model)]
            better = sum(test["p_holm"] < SIGNIFICANT and test["difference"] < 0 for test in mine)
            worse = sum(test["p_holm"] < SIGNIFICANT and test["difference"] > 0 for test in mine)
            found.append(f"{better} / {len(mine) - better - worse} / {worse}" if mine else "-")
        lines.append([rival, *found])
    return markdown(["rival", *document.models], lines)


def losses(document: Document) -> str:
    """Where something that is not HSO's has the least mean RMSE."""
    lines = []
    for model, solver, nfe in unique((row["model"], row["solver"], row["nfe"]) for row in document.rows):
        rows = [row for row in document.rows if (row["model"], row["solver"], row["nfe"]) == (model, solver, nfe)]
        best = min(rows, key=lambda row: float(row["rmse"]["mean"]))
        ours = next((row for row in rows if label(row) == OURS), None)
        if ours is None or is_ours(best) or "HSO's ends" in best["schedule"]:
            continue
        test = document.verdict(ours, best, "rmse")
        p = "-" if test is None else f"{test['p_holm']:.2g}"
        values = [f"{float(row['rmse']['mean']):.4f}" for row in (best, ours)]
        lines.append([model, solver, str(nfe), label(best), *values, p])
    return markdown(["model", "solver", "nfe", "best", "its RMSE", "HSO's default", "p (Holm)"], lines)


def correlations(document: Document) -> str:
    """Spearman's rho of each proxy with the RMSE, over solvers and nfe: the mean, and the least and greatest."""
    lines = []
    rows = [row for row in document.premise if row["measure"] == "rmse"]
    for limits, proxy in unique((row["limits"], row["proxy"]) for row in rows):
        found = []
        for model in document.models:
            rho = [
                row["spearman"] for row in rows if (row["model"], row["limits"], row["proxy"]) == (model, limits, proxy)
            ]
            found.append(f"{np.mean(rho):.2f} ({min(rho):.2f}..{max(rho):.2f})" if rho else "-")
        lines.append([limits, proxy, *found])
    return markdown(["ends", "proxy", *document.models], lines)


def parts(document: Document) -> str:
    """What HSO's ends and interior take off the uniform schedule's RMSE, in percent of it; terminal zero."""
    lines = []
    rows = [row for row in document.ablation if row["group"] == "parts, zero"]
    for model, solver in unique((row["model"], row["solver"]) for row in rows):
        found = []
        for nfe in unique(row["nfe"] for row in rows):
            mine = {r["variant"]: r for r in rows if (r["model"], r["solver"], r["nfe"]) == (model, solver, nfe)}
            worth = mine["hso"]["contributions"]
            uniform = mine["uniform"]["rmse"]
            found.append(", ".join(f"{part} {100 * value / uniform:+.0f} %" for part, value in worth.items()))
        lines.append([model, solver, *found])
    return markdown(["model", "solver", *(f"nfe {nfe}" for nfe in unique(row["nfe"] for row in rows))], lines)


def shares(document: Document) -> str:
    """Share of the gap from uniform to oracle that each method closes, over solvers: the mean, and the least."""
    lines = []
    for method, nfe in unique((row["method"], row["nfe"]) for row in document.oracle):
        if method in ("uniform t", "oracle"):
            continue
        found = []
        for model in document.models:
            same = (model, method, nfe)
            cells = [r["share"] for r in document.oracle if (r["model"], r["method"], r["nfe"]) == same]
            mine = [share for share in cells if share is not None]  # none where the oracle does not beat uniform
            found.append(f"{100 * np.mean(mine):.0f} % ({100 * min(mine):.0f})" if mine else "-")
        lines.append([method, str(nfe), *found])
    return markdown(["method", "nfe", *document.models], lines)


def together(documents: Sequence[Document]) -> Document:
    """Several runs, of different models, as one."""
    names = ("rows", "floors", "tests", "premise", "ablation", "oracle")
    parts: dict[str, list[Row]] = {name: [row for each in documents for row in getattr(each, name)] for name in names}
    return Document(run={}, **parts)


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description="Print the tables of docs/quality.md.")
    parser.add_argument("results", type=Path, nargs="+", help="quality_*.json, of different models")
    try:
        document = together([load(path) for path in parser.parse_args().results])
    except ValueError as error:
        parser.error(str(error))
    for table in (errors, verdicts, losses, correlations, parts, shares):
        sys.stdout.write(f"{table.__doc__}\n\n{table(document)}\n\n")


if __name__ == "__main__":
    main()
