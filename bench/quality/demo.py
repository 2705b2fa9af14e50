"""From a noise table to optimized schedules to images.

Optimizes Stable Diffusion 2.1's schedule, then samples a small Fashion-MNIST model that was trained
on the same noise table under the scheduler's default schedule, a uniform one, DM-NonUni's and
HSO's, from the same noise, and measures how far each ends from the many-step solution.

    python bench/quality/demo.py --out out
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import hso
from grid import Block, save_grid
from sampling import Images, Sampler, distance

Terminal = Literal["zero", "t_min"]
SETTINGS: dict[str, Terminal] = {"UniPC": "t_min", "DDIM": "zero"}
"""The paper's two settings: solver and terminal."""


def print_schedules(console: Console, nfes: list[int]) -> list[dict[str, Any]]:
    """Optimizes Stable Diffusion 2.1's schedule for both settings and shows what came out."""
    noise = hso.NoiseSchedule.preset("sd21")
    table = Table(title="Stable Diffusion 2.1, optimized schedules")
    for name in ("setting", "nfe", "timesteps", "VE sigmas", "F", "min spacing (d_min)", "time"):
        table.add_column(name, justify="left" if name in ("setting", "timesteps", "VE sigmas") else "right")
    rows = []
    for solver, terminal in SETTINGS.items():
        for nfe in nfes:
            s = hso.optimize(noise, nfe=nfe, terminal=terminal)
            table.add_row(
                f"{solver}, {terminal}",
                str(nfe),
                " ".join(f"{t:.1f}" for t in s.timesteps),
                " ".join(f"{x:.3g}" for x in s.sigmas),
                f"{s.fitness:.5f}",
                f"{s.min_spacing:.4f} ({s.d_min:.4f})",
                f"{1e3 * s.elapsed:.1f} ms",
            )
            rows.append(
                {"solver": solver, "terminal": terminal, "nfe": nfe, "timesteps": s.timesteps.tolist()}
                | {"sigmas": s.sigmas.tolist(), "fitness": s.fitness, "min_spacing": s.min_spacing}
                | {"d_min": s.d_min, "milliseconds": 1e3 * s.elapsed}
            )
    console.print(table)
    return rows


def contenders(noise: hso.NoiseSchedule, solver: str, nfe: int) -> dict[str, hso.Schedule | None]:
    """The schedules that are compared for one solver and nfe, by name; None is the scheduler's own."""
    schedules: dict[str, hso.Schedule | None] = {
        "default": None,
        "uniform": hso.schedules.uniform_t(noise, nfe, terminal="zero"),
        "DM-NonUni": hso.schedules.dm_nonuni(noise, nfe, terminal=SETTINGS[solver]),
    }
    if solver == "UniPC":
        schedules["HSO, t_min"] = hso.optimize(noise, nfe=nfe, terminal="t_min")
    schedules["HSO, zero"] = hso.optimize(noise, nfe=nfe, terminal="zero")
    return schedules


def print_distances(console: Console, results: list[dict[str, Any]], nfes: list[int], count: int) -> None:
    """One table a solver; the least distance of each nfe is marked, whoever has it."""
    for solver in SETTINGS:
        mine = [row for row in results if row["solver"] == solver]
        best = {nfe: min(row["rmse"] for row in mine if row["nfe"] == nfe) for nfe in nfes}
        table = Table(title=f"{solver}: RMSE to the many-step solution, mean of {count} images (standard error)")
        table.add_column("schedule")
        for nfe in nfes:
            table.add_column(f"nfe {nfe}", justify="right")
        for name in dict.fromkeys(row["schedule"] for row in mine):
            cells = []
            for nfe in nfes:
                row = next(row for row in mine if row["nfe"] == nfe and row["schedule"] == name)
                text = f"{row['rmse']:.4f} ({row['standard_error']:.4f})"
                cells.append(f"[bold green]{text} *[/]" if row["rmse"] == best[nfe] else text)
            table.add_row(name, *cells)
        console.print(table)


def compare(
    console: Console, sampler: Sampler, nfes: list[int], steps: int, columns: int
) -> tuple[list[dict[str, Any]], dict[str, float], list[list[Block]]]:
    """Samples every contender; returns the distances, the solution's own convergence, and the picture's blocks."""
    noise = sampler.noise_schedule
    plan = {(solver, nfe): contenders(noise, solver, nfe) for solver in SETTINGS for nfe in nfes}
    calls = 3 * steps // 2 + sum(nfe * len(schedules) for (_, nfe), schedules in plan.items())
    results: list[dict[str, Any]] = []
    blocks: dict[str, list[Block]] = {solver: [] for solver in SETTINGS}
    with Progress(console=console) as progress:
        task = progress.add_task("many-step solution", total=calls)

        def solve(n: int) -> Images:
            images = sampler.run("DPM++ 2M", n, hso.schedules.uniform_t(noise, n, terminal="zero"))
            progress.advance(task, n)
            return images

        solution, coarser = solve(steps), solve(steps // 2)
        convergence = {"steps": steps, "rmse_to_half_the_steps": distance(coarser, solution)[0]}
        for (solver, nfe), schedules in plan.items():
            rows: list[tuple[str, Images]] = [("many-step solution", solution[:columns])]
            for name, schedule in schedules.items():
                progress.update(task, description=f"{solver}, nfe {nfe}: {name}")
                images = sampler.run(solver, nfe, schedule)
                rmse, error = distance(images, solution)
                results.append({"solver": solver, "nfe": nfe, "schedule": name, "rmse": rmse, "standard_error": error})
                rows.append((f"{name}\nRMSE {rmse:.4f}", images[:columns]))
                progress.advance(task, nfe)
            blocks[solver].append(Block(f"{solver}, {nfe} network calls", rows))
    return results, convergence, list(blocks.values())


def main() -> None:
    """Parses the command line and runs the job."""
    parser = argparse.ArgumentParser(description="Optimize schedules and sample a small model under each.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for grid.png and demo.json")
    parser.add_argument("--samples", type=int, default=64, help="images per schedule")
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 5, 6, 8], help="network calls per image")
    parser.add_argument("--steps", type=int, default=200, help="steps of the many-step solution, even")
    parser.add_argument("--columns", type=int, default=8, help="images per row of the picture")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.samples < 1 or options.steps < 2 or options.steps % 2:
        parser.error("--samples must be at least 1, --steps even and at least 2")
    console = Console(width=None if Console().is_terminal else 160)
    schedules = print_schedules(console, options.nfe)
    sampler = Sampler.load(options.samples, options.seed)
    results, convergence, blocks = compare(console, sampler, options.nfe, options.steps, options.columns)
    print_distances(console, results, options.nfe, options.samples)
    options.out.mkdir(parents=True, exist_ok=True)
    save_grid(options.out / "grid.png", blocks)
    report = {
        "samples": options.samples,
        "seed": options.seed,
        "device": str(sampler.noise.device),
        "solution": convergence,
        "stable_diffusion_21": schedules,
        "distances": results,
    }
    (options.out / "demo.json").write_text(json.dumps(report, indent=1) + "\n")
    console.print(
        f"The many-step solution: {convergence['steps']} steps of DPM-Solver++ 2M, "
        f"{convergence['rmse_to_half_the_steps']:.4f} from half as many. "
        f"Wrote {options.out / 'grid.png'} and {options.out / 'demo.json'}."
    )


if __name__ == "__main__":
    main()
