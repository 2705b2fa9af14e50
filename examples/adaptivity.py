"""One search, many models: the schedules of SD 2.1, PixArt-alpha, SD3 and Flux at two resolutions, side by side.

    python examples/adaptivity.py --nfe 6 --plot schedules.png

A schedule follows from the noise schedule alone, so a new model or resolution costs one search, about a
millisecond, and no sample. What the table shows:

* Between models the optimum moves: another table of alpha and sigma has its optimum elsewhere. `lambda` is where the
  nodes lie in half log-SNR, the coordinate in which models can be compared.
* A resolution changes the schedule only where the model's noise schedule knows of it. Flux's pipeline shifts its noise
  levels with the number of image tokens; Stable Diffusion 2.1, PixArt-alpha and SD3 run the same one at every size, and
  so get the same schedule.
* Even for Flux the objective (MEP) does not see the shift: alpha = 1 - s and sigma = s whatever it is. What the shift
  moves is the last node, by default at s / (1 - s) = 1.5 shift/nfe: a larger image stops at more noise, and the nodes
  between follow. With ranges of your own (`t_min=`, `t_max=` of hso.optimize) both sizes get the same schedule.

F is the fitness: the objective, plus a penalty for nodes closer than d_min. gap is how far, relative to F, the optimum
can be below it, as the search has proved. spacing is the least distance of two nodes in t. F ranks schedules on one
noise schedule and one range of ends; between rows of the table it says nothing.
"""

import argparse
from collections.abc import Sequence

import numpy as np

import hso

CASES = [
    ("sd21", (512, 512)),
    ("sd21", (768, 768)),
    ("pixart-alpha", (512, 512)),
    ("pixart-alpha", (1024, 1024)),
    ("sd3", (512, 512)),
    ("sd3", (1024, 1024)),
    ("flux-dev", (512, 512)),
    ("flux-dev", (1024, 1024)),
]


def noise_schedule(name: str, width: int, height: int) -> hso.NoiseSchedule:
    """The model's noise schedule; the size is an argument only of presets that depend on it."""
    if hso.presets.get(name).grid is None:
        return hso.NoiseSchedule.preset(name)
    return hso.NoiseSchedule.preset(name, width=width, height=height)


def optimize(nfe: int) -> list[tuple[str, hso.NoiseSchedule, hso.Schedule]]:
    rows = []
    for name, (width, height) in CASES:
        noise = noise_schedule(name, width, height)
        rows.append((f"{name} {width}x{height}", noise, hso.optimize(noise, nfe)))
    return rows


def table(rows: Sequence[tuple[str, hso.NoiseSchedule, hso.Schedule]]) -> str:
    """A block of three lines for each model and size: timesteps, sigmas, lambdas."""
    lines = [f"{'model':<24} {'shift':>6} {'F':>9} {'gap':>8} {'spacing':>8}   nodes"]
    for label, noise, schedule in rows:
        head = f"{label:<24} {noise.shift:6.3f} {schedule.fitness:9.5f} {schedule.gap:8.1e} {schedule.min_spacing:8.4f}"
        for name, values, digits in (
            ("timesteps", schedule.timesteps, 1),
            ("sigma", schedule.sigmas, 3),
            ("lambda", schedule.lambdas[np.isfinite(schedule.lambdas)], 3),
        ):
            lines.append(f"{head}   {name:<9} " + " ".join(f"{value:8.{digits}f}" for value in values))
            head = " " * len(head)
    return "\n".join(lines)


def plot(rows: Sequence[tuple[str, hso.NoiseSchedule, hso.Schedule]], path: str) -> None:
    """One line of nodes over lambda for each model and size (needs matplotlib)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for place, (_, _, schedule) in enumerate(rows):
        nodes = schedule.lambdas[np.isfinite(schedule.lambdas)]
        axes.plot(nodes, np.full(nodes.size, -place), "o-", color="#0072b2")
    axes.set_yticks([-place for place in range(len(rows))], [label for label, _, _ in rows])
    axes.set_xlabel("lambda = log(alpha/sigma)")
    axes.set_title(f"nodes of {rows[0][2].nfe} network calls")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="schedules of four models at two resolutions")
    parser.add_argument("--nfe", type=int, default=6, help="network calls per image (default 6)")
    parser.add_argument("--plot", metavar="FILE", help="also write a picture (needs matplotlib)")
    options = parser.parse_args(arguments)
    rows = optimize(options.nfe)
    print(table(rows))
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
