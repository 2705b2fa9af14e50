"""What a run's schedules make of the same starts, as sample grids for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grid import Block, png
from plan import Plan, Task

if TYPE_CHECKING:
    from lab import Lab

COLUMNS = 12
NFE = (5, 8)
"""Where they are in the plan; else its first."""
SOLVER = "UniPC-2"
"""Where it is in the plan; else its last."""
SCHEDULES = (
    ("uniform t, trailing", "zero"),
    ("Karras", "zero"),
    ("AYS", "zero"),
    ("HSO paper", "zero"),
    ("HSO exact", "zero"),
)
"""In the order of the rows, below the many-step solution; those that the model was not run with are left out."""


def grids(lab: Lab, model: str, found: list[Task]) -> dict[str, bytes]:
    """Up to two grids, PNG files' bytes by title, of the first starts of seed 0; `found` is what was measured."""
    subject = lab.subject(model, 0, lab.plan.samples)
    solver = _solver(lab.plan, model)
    drawn = {}
    for nfe in _nfe(lab.plan):
        made = {(name, terminal): schedule for _, s, n, name, terminal, schedule in found if (s, n) == (solver, nfe)}
        rows = [("many-step\nsolution", subject.solution[:COLUMNS])]
        for name, terminal in SCHEDULES:
            if (name, terminal) in made:
                images = subject.first_images(solver, made[(name, terminal)], COLUMNS)
                rows.append((name.replace(", ", ",\n"), images))
        # The report shows a grid with the model that its title begins with.
        title = f"{model}: {solver}, {nfe} network calls"
        drawn[title] = png([[Block(title, rows)]])
    return drawn


def _solver(plan: Plan, model: str) -> str:
    solvers = plan.solvers_of(model)
    return SOLVER if SOLVER in solvers else solvers[-1]


def _nfe(plan: Plan) -> list[int]:
    return [nfe for nfe in NFE if nfe in plan.nfe] or [plan.nfe[0]]
