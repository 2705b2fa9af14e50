"""A self-contained HTML report of a quality run: tables, plots and sample grids in one file.

python bench/quality/report.py bench/results/quality_x.json --out report.html
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import report_plots as plots
import report_tables as tables
from report_document import MEASURES, Document, Row, load, unique

_PNG = b"\x89PNG\r\n\x1a\n"

_CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --line: #b8b8b8; --band: #f0f0f0; --best: #004d80; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #161616; --line: #555555; --band: #242424; --best: #7cc4f5; }
}
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 75rem; padding: 1rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.85rem; }
caption { text-align: left; padding: 0.3rem 0; }
th, td { padding: 0.15rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody tr:nth-child(even) { background: var(--band); }
strong { color: var(--best); }
img { max-width: 100%; background: #ffffff; padding: 0.5rem; box-sizing: border-box; }
.finding { border-left: 0.3rem solid var(--best); padding: 0.3rem 1rem; }
"""

_LEGEND = """<p>Less is better everywhere. <strong>*</strong> best of its column; <sup>=</sup> not told apart from it by
the paired test; <sup>†</sup> worse than it, p &lt; 0.05 after Holm's correction; without a mark they were not tested.
A number's tooltip has its digits. terminal: where the last step ends, at sigma 0 ("zero"; "skip": straight from the
last but one node) or at t_min with that much noise left.</p>"""


def render(document: Document, grids: Mapping[str, bytes] | None = None) -> str:
    """The report as one HTML page.

    `grids` are sample grids, PNG files' bytes by title; those whose title begins with a model's name are shown with it.
    Raises ValueError for a grid that is no PNG file.
    """
    left = dict(grids or {})
    for title, content in left.items():
        if not content.startswith(_PNG):
            raise ValueError(f"grid {title!r} must be a PNG file, got {len(content)} bytes of something else")
    title = f"Quality of schedules: {document.run.get('name', 'results')}"
    parts = [f"<h1>{escape(title)}</h1>", _uniform(document), _floors(document)]
    # longest first, so that the grids of "sd21" are not taken for those of "sd"
    owner = {title: _owner(title, document.models) for title in left}
    for model in document.models:
        shown = {title: content for title, content in left.items() if owner[title] == model}
        parts.append(_model(document, model, shown))
    rest = {title: content for title, content in left.items() if owner[title] is None}
    if rest:
        parts.append("<section>\n<h2>Samples</h2>\n" + _grids(rest) + "\n</section>")
    parts.append(_settings(document))
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _owner(title: str, models: Sequence[str]) -> str | None:
    fitting = [model for model in models if title.startswith(model)]
    return max(fitting, key=len, default=None)


def _uniform(document: Document) -> str:
    """The first thing to be read: where the optimized schedules lose to the simplest."""
    found, wins, compared = tables.uniform_wins(document)
    if not compared:
        said = "<p>No model, solver and nfe has both a uniform schedule and one of HSO's.</p>"
    else:
        said = (
            f'<p class="finding">In {wins} of {compared} comparisons (model, solver, nfe and measure) the best uniform '
            f"schedule is better than every schedule of HSO.</p>\n{found}"
        )
    return f'<section id="uniform">\n<h2>Where a uniform schedule wins</h2>\n{said}\n</section>'


def _floors(document: Document) -> str:
    if not document.floors:
        return ""
    caption = f"What two samples of the same distribution measure; {tables.statement(document.floors, document.rows)}"
    return f'<section id="floors">\n<h2>Floors</h2>\n{tables.plain(caption, document.floors)}\n</section>'


def _model(document: Document, model: str, grids: Mapping[str, bytes]) -> str:
    def of_model(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row["model"] == model]

    rows = of_model(document.rows)
    parts = [f'<section class="model">\n<h2>Model {escape(model)}</h2>']
    if rows:
        parts += ["<h3>Error against nfe</h3>", plots.error_against_nfe(model, rows, document.floors), _LEGEND]
        for solver in unique(row["solver"] for row in rows):
            parts.append(f"<h3>{escape(solver)}</h3>")
            parts += [tables.results(document, model, solver, measure) for measure in MEASURES]
        parts.append(f"<details><summary>The schedules</summary>\n{tables.schedules(model, rows)}\n</details>")
    else:
        parts.append("<p>No schedule was sampled with this model.</p>")
    if tests := of_model(document.tests):
        parts.append(f"<h3>Tests</h3>\n<details><summary>{len(tests)} paired tests</summary>")
        parts.append(f"{tables.tests(model, tests, rows)}\n</details>")
    if premise := of_model(document.premise):
        caption = f"{model}: rank correlation over random schedules; {tables.statement(premise, rows)}"
        parts += ["<h3>Does the proxy predict the error?</h3>", plots.premise(model, premise)]
        parts.append(tables.plain(caption, premise, leave_out=("model", "points")))
    if ablation := of_model(document.ablation):
        caption = (
            f"{model}: ends, terminal and interior replaced by the uniform ones; {tables.statement(ablation, rows)}"
        )
        parts += ["<h3>Ablation</h3>", tables.plain(caption, ablation, leave_out=("model",))]
    if oracle := of_model(document.oracle):
        caption = (
            f"{model}: share of the gap from uniform to oracle that a method closes; {tables.statement(oracle, rows)}"
        )
        parts += ["<h3>Oracle</h3>", tables.plain(caption, oracle, leave_out=("model",))]
    if grids:
        parts += ["<h3>Samples</h3>", _grids(grids)]
    return "\n".join([*(part for part in parts if part), "</section>"])


def _grids(grids: Mapping[str, bytes]) -> str:
    shown = []
    for title, content in grids.items():
        shown.append(f"<figure>{plots.image(content, 'png', title)}<figcaption>{escape(title)}</figcaption></figure>")
    return "\n".join(shown)


def _settings(document: Document) -> str:
    """The run's settings and, for the versions it does not state, those that the report was made with."""
    settings = [{"setting": name, "value": value} for name, value in document.run.items()]
    here = [{"name": "python", "version": platform.python_version()}]
    for name in ("hso", "numpy", "matplotlib"):
        here.append({"name": name, "version": importlib.metadata.version(name)})
    run = tables.plain("Settings and versions of the run", settings)
    return (
        f'<section id="settings">\n<h2>Settings and versions</h2>\n{run}\n'
        f"{tables.plain('Versions that this report was made with', here)}\n</section>"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the results and writes the report."""
    parser = argparse.ArgumentParser(description="Write a quality run's results as one HTML file.")
    parser.add_argument("results", type=Path, help="quality_*.json")
    parser.add_argument("--out", type=Path, required=True, help="the HTML file")
    parser.add_argument("--grids", type=Path, nargs="*", default=[], help="sample grids, PNG; MODEL*.png goes to MODEL")
    options = parser.parse_args(arguments)
    try:
        page = render(load(options.results), {path.stem: path.read_bytes() for path in options.grids})
        options.out.write_text(page, encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
