"""The protocol's table: measured FIDs beside those that the paper prints."""

from __future__ import annotations

from typing import Any

from protocol_paper import DATASETS, PUBLISHED, published

_NOTE = """\
Bold: the least measured FID of a solver and nfe. An FID depends on the number of images, on the real images and on the
guidance scale, which the paper's text does not state: compare columns only where the run had the paper's 30,000 images
(50,000 for ImageNet) of the same data set. "default" is the scheduler's own timesteps (Table 4's baseline), "hso-paper"
the published search, "dm-nonuni-bilevel" configuration B of Table 7. Table 3 does not name its data set.
"""


def markdown(run: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Every planned cell and every printed one; `fid_test` is missing from the rows that are not measured yet."""
    columns = [
        "solver",
        "nfe",
        "schedule",
        "terminal",
        "measured FID",
        *(f"paper: {name}" for name in DATASETS.values()),
    ]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    cells = {(row["solver"], row["nfe"], row["schedule"]): row for row in rows}
    printed = {(entry.solver, entry.nfe, entry.schedule) for entry in PUBLISHED}
    least: dict[tuple[str, int], float] = {}
    for (solver, nfe, _), row in cells.items():
        if "fid_test" in row:
            fid = row["fid_test"]["mean"]
            least[solver, nfe] = min(fid, least.get((solver, nfe), fid))
    for cell in sorted(cells.keys() | printed, key=lambda cell: (cell[0], cell[1], cell not in cells, cell[2])):
        row = cells.get(cell, {})
        measured = ""
        if "fid_test" in row:
            fid = row["fid_test"]["mean"]
            measured = f"**{fid:.2f}**" if fid == least[cell[:2]] else f"{fid:.2f}"
        solver, nfe, schedule = cell
        paper = [published(dataset, solver, nfe, schedule) for dataset in DATASETS]
        lines.append("| " + " | ".join([solver, str(nfe), schedule, row.get("terminal", ""), measured, *paper]) + " |")
    head = (
        f"Model {run['model']}: n = {run['images']} images of {run['prompts']} prompts, seed {run['seed']} (one seed), "
        f"guidance scale {run['guidance_scale']}, {run['real_images']} real images, features {run['features']}.\n"
    )
    return f"{head}\n" + "\n".join(lines) + f"\n\n{_NOTE}"
