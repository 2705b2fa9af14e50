"""The report's plots as data URIs, on a white ground that both colour schemes leave alone."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from report_document import MEASURES, Row, is_number, is_ours, is_uniform, label, unique

# Okabe and Ito's colours, which are told apart with any colour vision; yellow is left out as too light on white.
_OURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_UNIFORM = ("#000000", "#E69F00", "#56B4E9")
_OTHERS = "#777777"
_MARKERS = "osD^v<>PXhp*8d"
_DASHES = ("-", "--", "-.", ":")
_PROXIES = {"mep": "MEP", "spf": "SPF", "dm_nonuni": "DM-NonUni's bound"}
_STYLE: Any = {"font.size": 8, "figure.facecolor": "white", "axes.grid": True, "grid.alpha": 0.3}


def image(content: bytes, kind: str, alternative: str) -> str:
    """An image element that holds its content; `kind` is "png" or "webp"."""
    encoded = base64.b64encode(content).decode("ascii")
    return f'<img alt="{escape(alternative)}" src="data:image/{kind};base64,{encoded}">'


def _shown(figure: Any, alternative: str) -> str:
    """The figure as an image element. WebP: a page of a full run has megabytes of plots otherwise."""
    buffer = BytesIO()
    figure.savefig(buffer, format="webp", dpi=90, bbox_inches="tight", pil_kwargs={"quality": 60, "method": 6})
    return image(buffer.getvalue(), "webp", alternative)


def _styles(names: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """HSO's and the uniform schedules thick and in colour, the others grey and told apart by their markers."""
    kind = {label(row): 0 if is_ours(row) else 1 if is_uniform(row) else 2 for row in rows}
    styles: dict[str, dict[str, Any]] = {}
    seen = [0, 0, 0]
    for name in names:
        group, index = kind[name], seen[kind[name]]
        seen[group] += 1
        palette = (_OURS, _UNIFORM, (_OTHERS,))[group]
        styles[name] = {
            "color": palette[index % len(palette)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linestyle": _DASHES[(index // len(palette) if group < 2 else index // len(_MARKERS)) % len(_DASHES)],
            "linewidth": 0.8 if group == 2 else 1.8,
            "markersize": 3.5,
            "zorder": 3 - group,
        }
    return styles


def _floor(floors: Sequence[Row], model: str, measure: str) -> float | None:
    """The least value that `measure` can be expected to take, where the run measured one for the model."""
    for floor in floors:
        value: Any = floor.get("value", floor.get("mean"))
        if floor.get("measure") == measure and floor.get("model", model) == model and is_number(value):
            return float(value)
    return None


def error_against_nfe(model: str, rows: Sequence[Row], floors: Sequence[Row]) -> str:
    """One panel for every solver and measure, both axes logarithmic where the values allow it."""
    solvers = unique(row["solver"] for row in rows)
    measures = [measure for measure in MEASURES if any(measure in row for row in rows)]
    names = unique(label(row) for row in rows)
    styles = _styles(names, rows)
    with matplotlib.rc_context(_STYLE):
        figure: Any = Figure(figsize=(3.3 * len(measures), 2.7 * len(solvers)), layout="constrained")
        panels = figure.subplots(len(solvers), len(measures), squeeze=False)
        for solver, line in zip(solvers, panels, strict=True):
            for measure, axes in zip(measures, line, strict=True):
                chosen = [row for row in rows if row["solver"] == solver and measure in row]
                for name in names:
                    points = sorted(
                        (row["nfe"], row[measure]["mean"], row[measure]["std"] or 0.0)
                        for row in chosen
                        if label(row) == name
                    )
                    if points:
                        nfe, mean, std = zip(*points, strict=True)
                        axes.errorbar(nfe, mean, yerr=std, label=name, capsize=1.5, elinewidth=0.6, **styles[name])
                floor = _floor(floors, model, measure)
                if floor is not None:
                    axes.axhline(floor, color="black", linewidth=0.8, linestyle=":", label="floor")
                # an unbiased KID may be negative
                if all(row[measure]["mean"] > 0 for row in chosen):
                    axes.set_yscale("log")
                ticks = sorted({row["nfe"] for row in chosen})
                axes.set_xscale("log")
                axes.set_xticks(ticks, [str(tick) for tick in ticks])
                axes.minorticks_off()
                axes.set(title=f"{solver}: {measure}", xlabel="nfe")
        handles = {
            text: handle for axes in panels.flat for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=7)
        return _shown(figure, f"{model}: error against nfe for every solver, measure and schedule")


def premise(model: str, rows: Sequence[Row]) -> str:
    """One figure for every measure: random schedules' error against each proxy, with the rank correlation."""
    figures = []
    for measure in unique(row["measure"] for row in rows):
        chosen = [row for row in rows if row["measure"] == measure]
        cells = unique(_cell(row) for row in chosen)
        proxies = unique(row["proxy"] for row in chosen)
        with matplotlib.rc_context(_STYLE):
            figure: Any = Figure(figsize=(2.6 * len(proxies), 2.1 * len(cells)), layout="constrained")
            panels = figure.subplots(len(cells), len(proxies), squeeze=False)
            for axes in panels.flat:
                axes.set_axis_off()
            for row in chosen:
                axes = panels[cells.index(_cell(row))][proxies.index(row["proxy"])]
                axes.set_axis_on()
                _scatter(axes, row)
            alternative = f"{model}: {MEASURES.get(measure, measure)} of random schedules against the proxies"
            figures.append(_shown(figure, alternative))
    return "\n".join(figures)


def _cell(row: Row) -> tuple[Any, ...]:
    """What the random schedules of a row have in common."""
    return row["solver"], row["nfe"], row.get("limits")


def _scatter(axes: Any, row: Row) -> None:
    axes.scatter(
        [point[0] for point in row["points"]], [point[1] for point in row["points"]], s=5, color=_OURS[0], alpha=0.6
    )
    # SPF and bounds span decades as soon as one schedule misses the spacing
    values = [point[0] for point in row["points"] if point[0] > 0]
    if len(values) == len(row["points"]) > 0 and math.log10(max(values) / min(values)) > 2:
        axes.set_xscale("log")
    limits = f", {row['limits']}" if "limits" in row else ""
    title = (
        f"{row['solver']}, nfe {row['nfe']}{limits}: rho = {row['spearman']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    )
    axes.set_title(title, fontsize=7)
    axes.set_xlabel(_PROXIES.get(row["proxy"], row["proxy"]))
    axes.set_ylabel(row["measure"])
