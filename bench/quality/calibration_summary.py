"""The tables on calibration of docs/quality.md from the results of its study, as Markdown.

python bench/quality/calibration_summary.py bench/results/calibration_*.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration_quality import BEFORE_THE_DECODER, DIRECT, OURS, UNIFORM, VARIANTS, best, calibrated_name, is_analytic
from report_document import SIGNIFICANT, unique
from summarize import markdown

Row = dict[str, Any]
Documents = Sequence[dict[str, Any]]

SHOWN = (
    UNIFORM,
    "Karras, zero",
    "AYS, zero",
    OURS,
    "best analytic",
    "GITS, free start",
    "BOSS, free start",
    "VE jumps, squares, free start",
    "KLUB, HSO's ends",
    "entropic, rescaled, HSO's ends",
    "score-optimal, HSO's ends",
    "spectral",
    "MEP limit, HSO's ends",
    "OSS median, published",
    "OSS mean_error, published",
    "OSS median, 1024",
    "OSS median, 4096",
    "OSS median, 8192",
    "OSS mean_error, 8192",
    *(
        f"{calibrated_name(budget)}{what}"
        for what in (*(f", {name}" for name in (BEFORE_THE_DECODER, *VARIANTS)), "")
        for budget in (1024, 4096, 8192, 32768)
    ),
    DIRECT,
)


def quality(documents: Documents, measure: str = "rmse") -> str:
    """RMSE of each method; the least of the methods shown, without the direct search, in bold."""
    lines, nfes = [], _nfes(documents, "quality")
    for rows in _by(documents, "quality", "model", "solver"):
        cells = {(row["method"], row["nfe"]): row for row in rows if row["rmse"] is not None}
        for nfe in nfes:
            analytic = [row for row in rows if row["nfe"] == nfe and is_analytic(row)]
            if analytic:
                cells["best analytic", nfe] = best(analytic)
        shown = {key: row[measure] for key, row in cells.items() if key[0] in SHOWN}
        least = {nfe: min((v for (m, n), v in shown.items() if n == nfe and m != DIRECT), default=None) for nfe in nfes}
        for method in SHOWN:
            if not any(key[0] == method for key in shown):
                continue
            texts = [_marked(shown.get((method, nfe)), least[nfe]) for nfe in nfes]
            lines.append([f"{rows[0]['model']}, {rows[0]['solver']}", method, *texts])
    return markdown(["model, solver", "method", *(f"nfe {nfe}" for nfe in nfes)], lines)


def costs(documents: Documents) -> str:
    """Network evaluations of single samples, and seconds on one CPU thread, for the schedules of all nfe together."""
    lines = []
    methods = [method for method in SHOWN if method not in ("best analytic", DIRECT)]
    models = [document["quality"][0]["model"] for document in documents if document.get("quality")]
    for method in methods:
        texts = []
        for model in models:
            mine = [row for row in _all(documents, "quality") if (row["model"], row["method"]) == (model, method)]
            mine = [row for row in mine if row["rmse"] is not None and row["evaluations"]]
            first = mine[0] if mine else None
            texts.append(f"{first['evaluations']}, {np.mean([r['seconds'] for r in mine]):.1f} s" if first else "-")
        if any(text != "-" for text in texts):
            lines.append([method, *texts])
    return markdown(["method", *models], lines)


def shares(documents: Documents) -> str:
    """Share of the gap from the best of HSO's analytic schedules to the direct search that calibration closes, in %."""
    nfes = _nfes(documents, "quality")

    def text(row: Row) -> str:
        return "-" if row.get("share") is None else f"{100 * row['share']:.0f}"

    return _calibrated(documents, nfes, text)


def spreads(documents: Documents) -> str:
    """(greatest - least) / mean of the RMSE over calibration seeds, in %; those of single seeds are left out."""
    nfes = _nfes(documents, "quality")

    def text(row: Row) -> str:
        return f"{100 * row['spread']:.1f}" if "spread" in row else "-"

    return _calibrated(documents, nfes, text)


def tests(documents: Documents) -> str:
    """Calibrated against the best analytic schedule of the cell: better / not told apart / worse (p < 0.05, Holm)."""
    lines = []
    models = [document["quality"][0]["model"] for document in documents if document.get("quality")]
    for method in unique(row["method"] for row in _all(documents, "quality") if "test" in row):
        texts = []
        for model in models:
            mine = [row for row in _all(documents, "quality") if (row["model"], row["method"]) == (model, method)]
            found = [row["test"] for row in mine if "test" in row]
            better = sum(test["p_holm"] < SIGNIFICANT and test["difference"] < 0 for test in found)
            worse = sum(test["p_holm"] < SIGNIFICANT and test["difference"] > 0 for test in found)
            texts.append(f"{better} / {len(found) - better - worse} / {worse}" if found else "-")
        lines.append([method, *texts])
    return markdown(["method", *models], lines)


def correlation(documents: Documents) -> str:
    """Spearman's rho of an objective with the RMSE over random schedules, 95 % interval; each nfe."""
    lines = []
    nfes = _nfes(documents, "correlation")
    for rows in _by(documents, "correlation", "model", "solver", "ends", "objective"):
        first = rows[0]
        of_nfe = {row["nfe"]: f"{row['spearman']:.2f} ({row['low']:.2f}..{row['high']:.2f})" for row in rows}
        cells = [of_nfe.get(nfe, "-") for nfe in nfes]
        lines.append([f"{first['model']}, {first['solver']}", first["ends"], first["objective"], *cells])
    return markdown(["model, solver", "ends", "objective", *(f"nfe {nfe}" for nfe in nfes)], lines)


def mismatch(documents: Documents) -> str:
    """RMSE of schedules calibrated for one solver (rows) and run with another (columns); in brackets HSO's default."""
    lines = []
    solvers = unique(row["solver"] for row in _all(documents, "mismatch"))
    for rows in _by(documents, "mismatch", "model", "nfe", "calibrated"):
        of = {row["solver"]: f"{row['rmse']:.4f} ({row['rmse_hso']:.4f})" for row in rows}
        first = rows[0]
        lines.append([first["model"], str(first["nfe"]), first["calibrated"], *(of.get(s, "-") for s in solvers)])
    return markdown(["model", "nfe", "calibrated for", *solvers], lines)


def transfer(documents: Documents) -> str:
    """RMSE of schedules calibrated on another model, on the model itself, and of HSO's default; what the check says."""
    lines = []
    for row in _all(documents, "transfer"):
        errors = [f"{row[name]:.4f}" for name in ("rmse", "rmse_own", "rmse_hso")]
        lines.append(
            [
                f"{row['model']}, {row['solver']}",
                str(row["nfe"]),
                row["calibrated_on"],
                *errors,
                f"{row['changed']:.3f}",
                f"{100 * row['loss']:.1f} %",
                "yes" if row["fits"] else "no",
            ]
        )
    header = ["model, solver", "nfe", "calibrated on", "RMSE", "own", "HSO", "changed", "loss", "fits"]
    return markdown(header, lines)


def gain(documents: Documents) -> str:
    """RMSE / Frechet distance to the test images / to the solution's, by how the gain was found; in brackets the
    gain."""
    lines = []
    kinds = unique(row["by"] for row in _all(documents, "gain"))
    for rows in _by(documents, "gain", "model", "solver", "schedule", "nfe"):
        of = {row["by"]: row for row in rows}
        texts = [
            f"{of[k]['rmse']:.4f} / {of[k]['fid_test']:.2f} / {of[k]['fid_solution']:.2f} ({of[k]['gain']:.3f})"
            for k in kinds
        ]
        first = rows[0]
        lines.append([f"{first['model']}, {first['solver']}", first["schedule"], str(first["nfe"]), *texts])
    return markdown(["model, solver", "schedule", "nfe", *kinds], lines)


def refinement(documents: Documents) -> str:
    """RMSE before and after a refinement by gradients."""
    lines = []
    for row in _all(documents, "refinement"):
        change = 100 * (row["rmse"] / row["rmse_start"] - 1)
        lines.append(
            [
                f"{row['model']}, {row['solver']}",
                str(row["nfe"]),
                row["start"],
                f"{row['rmse_start']:.4f}",
                f"{row['rmse']:.4f}",
                f"{change:+.1f} %",
                f"{row['seconds']:.0f}",
                f"{row['evaluations']:.0f}",
            ]
        )
    return markdown(["model, solver", "nfe", "start", "RMSE", "refined", "change", "seconds", "evaluations"], lines)


def _calibrated(documents: Documents, nfes: Sequence[int], text: Callable[[Row], str]) -> str:
    lines = []
    for rows in _by(documents, "quality", "model", "solver", "method"):
        if not rows[0]["method"].startswith(calibrated_name(0)[:-1]):
            continue
        of = {row["nfe"]: text(row) if row["rmse"] is not None else "-" for row in rows}
        first = rows[0]
        lines.append([f"{first['model']}, {first['solver']}", first["method"], *(of.get(n, "-") for n in nfes)])
    return markdown(["model, solver", "method", *(f"nfe {nfe}" for nfe in nfes)], lines)


def _marked(value: float | None, least: float | None) -> str:
    if value is None:
        return "-"
    return f"**{value:.4f}**" if value == least else f"{value:.4f}"


def _all(documents: Documents, part: str) -> list[Row]:
    return [row for document in documents for row in document.get(part, [])]


def _nfes(documents: Documents, part: str) -> list[int]:
    return sorted({row["nfe"] for row in _all(documents, part)})


def _by(documents: Documents, part: str, *keys: str) -> Iterable[list[Row]]:
    """The rows of a part in groups of equal keys, in the order of their first ones."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in _all(documents, part):
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups.values()


def main(argv: list[str] | None = None) -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description="Print the tables on calibration.")
    parser.add_argument("results", type=Path, nargs="+", help="calibration_*.json")
    documents = [json.loads(path.read_bytes()) for path in parser.parse_args(argv).results]
    for table in (quality, costs, shares, spreads, tests, correlation, mismatch, transfer, gain, refinement):
        sys.stdout.write(f"{' '.join((table.__doc__ or '').split())}\n\n{table(documents)}\n\n")


if __name__ == "__main__":
    main()
