"""From a noise table to optimized schedules to images.

Optimizes Stable Diffusion 2.1's schedule, then samples a small Fashion-MNIST model that was trained
on the same noise table under the scheduler's default schedule, a uniform one, DM-NonUni's and
HSO's, from the same noise, and measures how far each ends from the many-step solution.

    python bench/quality/demo.py --out out
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import hso
from comparison import Result
from grid import Block, save_grid
from measures import distances
from sampling import Images, Sampler

Search = Literal["exact", "paper"]
Terminal = Literal["zero", "t_min"]
SETTINGS: dict[str, Terminal] = {"UniPC": "t_min", "DDIM": "zero"}
"""The paper's two settings: solver and terminal."""

MOST_STEPS = 350
"""Uniform steps closer than these are too close in lambda for a multistep solver in float32."""

LEGEND = """\
* least of its column. = not told apart from it: on the same noise the mean difference is below twice its standard
error. default: the timesteps that diffusers sets from the model's own configuration. terminal: where the last step
ends, at sigma 0 or at t_min with that much noise left in the image."""


def print_schedules(console: Console, nfes: list[int]) -> list[dict[str, Any]]:
    """Optimizes Stable Diffusion 2.1's schedule, as hso does and as published, and shows what came out."""
    noise = hso.NoiseSchedule.preset("sd21")
    table = Table(title="Stable Diffusion 2.1, optimized schedules", title_justify="left")
    for name in ("search", "nfe", "timesteps", "VE sigmas", "F", "min spacing (d_min)", "time"):
        table.add_column(name, justify="left" if name in ("search", "timesteps", "VE sigmas") else "right")
    rows = []
    settings: list[tuple[Search, Terminal]] = [("exact", "zero"), *(("paper", end) for end in SETTINGS.values())]
    for search, terminal in settings:
        for nfe in nfes:
            s = hso.optimize(noise, nfe=nfe, terminal=terminal, search=search)
            table.add_row(
                f"{search}, {terminal}",
                str(nfe),
                " ".join(f"{t:.1f}" for t in s.timesteps),
                " ".join(f"{x:.3g}" for x in s.sigmas),
                f"{s.fitness:.5g}",
                f"{s.min_spacing:.4f} ({s.d_min:.4f})",
                f"{1e3 * s.elapsed:.1f} ms",
                end_section=nfe == nfes[-1],
            )
            rows.append(
                {"search": search, "terminal": terminal, "nfe": nfe, "timesteps": s.timesteps.tolist()}
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
    schedules["HSO paper"] = hso.optimize(noise, nfe=nfe, terminal=SETTINGS[solver], search="paper")
    schedules["HSO"] = hso.optimize(noise, nfe=nfe)
    return schedules


def print_distances(console: Console, results: list[Result], nfes: list[int], count: int) -> None:
    """One table a solver; the least distance of each nfe is marked, whoever has it."""
    title = f"RMSE to the many-step solution, mean of {count} images (standard error)"
    table = Table(title=title, title_justify="left")
    for name in ("solver", "schedule", "terminal"):
        table.add_column(name)
    for nfe in nfes:
        table.add_column(f"nfe {nfe}", justify="right")
    for solver in SETTINGS:
        of_nfe = {nfe: [r for r in results if (r.solver, r.nfe) == (solver, nfe)] for nfe in nfes}
        for row in zip(*of_nfe.values(), strict=True):
            cells = []
            for result in row:
                mark = result.mark(of_nfe[result.nfe])
                text = f"{result.rmse:.4f} ({result.standard_error:.4f}) {mark:1}"
                cells.append(f"[bold green]{text}[/]" if mark == "*" else text)
            first = row[0]
            last = first is of_nfe[first.nfe][-1]
            table.add_row(solver, first.schedule, first.terminal, *cells, end_section=last)
    console.print(table)
    console.print(LEGEND, highlight=False)


def compare(
    console: Console, sampler: Sampler, nfes: list[int], steps: int, columns: int
) -> tuple[list[Result], dict[str, float], list[list[Block]]]:
    """Samples every contender; returns the distances, the solution's own convergence, and the picture's blocks."""
    noise = sampler.noise_schedule
    plan = {(solver, nfe): contenders(noise, solver, nfe) for solver in SETTINGS for nfe in nfes}
    calls = 3 * steps // 2 + sum(nfe * len(schedules) for (_, nfe), schedules in plan.items())
    results: list[Result] = []
    blocks: dict[str, list[Block]] = {solver: [] for solver in SETTINGS}
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("network calls"))
    with Progress(*parts, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("", total=calls)

        def sample(label: str, scheduler: Any) -> Images:
            progress.update(task, description=f"{label:32}")
            return sampler.run(scheduler, lambda: progress.advance(task))

        def solve(n: int) -> Images:
            schedule = hso.schedules.uniform_t(noise, n, terminal="zero")
            return sample(f"many-step solution, {n} steps", sampler.scheduler("DPM++ 2M", n, schedule))

        solution, coarser = solve(steps), solve(steps // 2)
        convergence = {"steps": steps, "rmse_to_half_the_steps": float(distances(coarser, solution).mean())}
        for (solver, nfe), schedules in plan.items():
            rivals: list[tuple[Result, Images]] = []
            for name, schedule in schedules.items():
                scheduler = sampler.scheduler(solver, nfe, schedule)
                images = sample(f"{solver}, nfe {nfe}: {name}", scheduler)
                terminal = "zero" if schedule is None else schedule.terminal
                timesteps = [float(t) for t in scheduler.timesteps]
                result = Result(solver, nfe, name, terminal, timesteps, distances(images, solution))
                rivals.append((result, images[:columns]))
            ranked = [result for result, _ in rivals]
            rows = [("many-step solution", solution[:columns])]
            for result, images in rivals:
                label = f"{result.schedule}\nRMSE {result.rmse:.4f} {result.mark(ranked)}"
                rows.append((label, images))
            blocks[solver].append(Block(f"{solver}, {nfe} network calls", rows))
            results += ranked
        progress.update(task, description=f"{'done':32}")
    return results, convergence, list(blocks.values())


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description="Optimize schedules and sample a small model under each.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for grid.png and demo.json")
    parser.add_argument("--samples", type=int, default=64, help="images per schedule")
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 5, 6, 8], help="network calls per image")
    parser.add_argument("--steps", type=int, default=200, help="steps of the many-step solution, even")
    parser.add_argument("--columns", type=int, default=8, help="images per row of the picture")
    parser.add_argument("--seed", type=int, default=0, help="of the noise that every schedule starts from")
    options = parser.parse_args(arguments)
    if options.samples < 1 or options.columns < 1:
        parser.error("--samples and --columns must be at least 1")
    if options.steps < 2 or options.steps > MOST_STEPS or options.steps % 2:
        parser.error(f"--steps must be even, at least 2 and at most {MOST_STEPS}, got {options.steps}")
    if min(options.nfe) < 2 or max(options.nfe) > 50:
        parser.error("--nfe must be from 2 to 50")
    options.nfe = sorted(set(options.nfe))
    return options


def main() -> None:
    """Runs the job."""
    options = parse()
    # a log has no width to fit; the tables have
    console = Console(width=None if Console().is_terminal else 160)
    schedules = print_schedules(console, options.nfe)
    started = time.perf_counter()
    sampler = Sampler.load(options.samples, options.seed)
    results, convergence, blocks = compare(console, sampler, options.nfe, options.steps, options.columns)
    seconds = time.perf_counter() - started
    print_distances(console, results, options.nfe, options.samples)
    options.out.mkdir(parents=True, exist_ok=True)
    save_grid(options.out / "grid.png", blocks)
    report = {
        "samples": options.samples,
        "seed": options.seed,
        "device": str(sampler.noise.device),
        "sampling_seconds": seconds,
        "solution": convergence,
        "stable_diffusion_21": schedules,
        "distances": [result.as_json() for result in results],
    }
    (options.out / "demo.json").write_text(json.dumps(report, indent=1) + "\n")
    console.print(
        f"The many-step solution: {convergence['steps']} steps of DPM-Solver++ 2M, "
        f"{convergence['rmse_to_half_the_steps']:.4f} from half as many. Sampled in {seconds:.0f} s.\n"
        f"Wrote {options.out / 'grid.png'} and {options.out / 'demo.json'}.",
        highlight=False,
    )


if __name__ == "__main__":
    main()
