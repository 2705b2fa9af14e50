"""The paper's protocol on a machine with Stable Diffusion: FID of every solver, nfe and schedule.

    python bench/quality/protocol.py --model stabilityai/stable-diffusion-2-1-base --prompts prompts.txt --real coco/

prompts.txt holds one prompt a line, the folder the real images. On several GPUs put
`accelerate launch --multi_gpu --num_processes 8` in the place of `python`: the images are the same. Interrupt it when
you like: the same command goes on where it was. Needs, besides the packages of the extra "demo", torchmetrics[image].
Writes results.json (which report.py reads, too) and table.md into the output folder, after every schedule.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import hso
from protocol_fid import Extractor, Inception, frechet_distance
from protocol_inputs import find_images, jobs, read_prompts
from protocol_model import Model
from protocol_run import Set, Worker
from protocol_schedules import PAPER_TERMINAL, SCHEDULES
from protocol_store import digest, write_json
from protocol_table import markdown
from whole_file import write

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

MakeExtractor = Callable[[torch.device], Extractor]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options, checked."""
    parser = argparse.ArgumentParser(description="FID of Stable Diffusion's images under few-step schedules.")
    parser.add_argument("--model", required=True, help="a pipeline's folder, or owner/name on the Hugging Face hub")
    parser.add_argument("--prompts", type=Path, required=True, help="text file, one prompt a line")
    parser.add_argument(
        "--real", type=Path, required=True, help="folder of real images, cut and resized to the model's size"
    )
    parser.add_argument("--solvers", nargs="+", choices=PAPER_TERMINAL, default=list(PAPER_TERMINAL), metavar="SOLVER")
    parser.add_argument("--nfe", type=int, nargs="+", default=[4, 5, 6, 8, 10], help="network calls per image")
    compared = ["hso", "hso-decoder", "hso-paper", "uniform", "default", "dm-nonuni"]
    parser.add_argument(
        "--schedules", nargs="+", choices=SCHEDULES, default=compared, metavar="SCHEDULE", help=", ".join(SCHEDULES)
    )
    parser.add_argument("--images-per-prompt", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16, help="images sampled together by one process")
    parser.add_argument("--guidance-scale", type=float, default=7.5, help="the paper's text states none; 7.5 is usual")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=DTYPES, help="default: float16 on a GPU, float32 without")
    parser.add_argument("--features", default="inception", help="or MODULE:FACTORY, called with the device")
    parser.add_argument("--inception-weights", type=Path, help="torch-fidelity's file, where it cannot be downloaded")
    parser.add_argument(
        "--discard-images", action="store_true", help="keep only features; 30,000 images are about 12 GB"
    )
    parser.add_argument("--out", type=Path, default=Path("out/protocol"))
    options = parser.parse_args(arguments)
    for name, least in (("images_per_prompt", 1), ("batch", 1), ("seed", 0)):
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {getattr(options, name)}")
    if min(options.nfe) < 2 or max(options.nfe) > 100:
        parser.error(f"--nfe must be from 2 to 100, got {' '.join(map(str, options.nfe))}")
    if not 0.0 <= options.guidance_scale <= 100.0:
        parser.error(f"--guidance-scale must be from 0 to 100, got {options.guidance_scale}")
    options.nfe = sorted(set(options.nfe))
    for name in ("solvers", "schedules"):
        setattr(options, name, list(dict.fromkeys(getattr(options, name))))
    return options


def make_extractor(options: argparse.Namespace, device: torch.device) -> Extractor:
    """Inception, or what the factory named by --features makes."""
    if options.features == "inception":
        return Inception(device, options.inception_weights)
    module, _, name = options.features.partition(":")
    try:
        make: MakeExtractor = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"--features must be inception or MODULE:FACTORY, got {options.features!r}: {error}"
        ) from error
    return make(device)


def run(options: argparse.Namespace, state: PartialState, console: Console) -> list[dict[str, Any]]:
    """Sample and measure everything that is asked for; ValueError and StorageError say what is in the way.

    Returns the rows, in the main process with their FIDs.
    """
    planned = jobs(read_prompts(options.prompts), images_per_prompt=options.images_per_prompt, seed=options.seed)
    if len(planned) < 2:
        raise ValueError(f"FID needs at least 2 images, got {len(planned)}: give more prompts or --images-per-prompt")
    real = find_images(options.real)
    on_gpu = state.device.type == "cuda"
    dtype = options.dtype or ("float16" if on_gpu else "float32")
    with state.main_process_first():  # which downloads what is missing
        model = Model.load(options.model, state.device, DTYPES[dtype])
        extractor = make_extractor(options, state.device)
    worker = Worker(state, extractor, options.out, options.batch, not options.discard_images)
    about = _settings(options, state, model, extractor, dtype) | {"images": len(planned), "real_images": len(real)}
    rows, sets = _plan(options, model, planned)
    report = _Report(options.out, about, rows, state.is_main_process)
    report.write()

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("batches"))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*parts, *times, console=console, disable=not state.is_main_process) as progress:
        total = worker.share(len(real)) + len(sets) * worker.share(len(planned))
        task = progress.add_task("real images", total=total)
        worker.real(real, model.size, lambda: progress.advance(task))
        state.wait_for_everyone()
        real_features = worker.real_features(real, model.size) if state.is_main_process else None
        for row, (images, schedule) in zip(rows, sets, strict=True):
            progress.update(task, description=f"{row['solver']}, nfe {row['nfe']}: {row['schedule']}")
            model.prepare(row["solver"], row["nfe"], schedule)
            worker.sampled(model, images, lambda: progress.advance(task))
            state.wait_for_everyone()
            if real_features is not None:
                row["fid_test"] = {
                    "mean": frechet_distance(real_features, worker.sampled_features(images)),
                    "std": None,
                }
                report.write()
    return rows


class _Report:
    """results.json and table.md, written by the main process."""

    def __init__(self, folder: Path, about: dict[str, Any], rows: list[dict[str, Any]], is_main: bool) -> None:
        self._folder, self._about, self._rows, self._is_main = folder, about, rows, is_main

    def write(self) -> None:
        """Write what is measured so far."""
        if self._is_main:
            done = [row for row in self._rows if "fid_test" in row]
            write_json(self._folder / "results.json", {"run": self._about, "rows": done})
            write(self._folder / "table.md", markdown(self._about, self._rows).encode())


def _plan(
    options: argparse.Namespace, model: Model, planned: Sequence[Any]
) -> tuple[list[dict[str, Any]], list[tuple[Set, hso.Schedule | None]]]:
    """The rows without their FIDs, and what has to be sampled for each."""
    noise = model.noise_schedule
    rows, sets = [], []
    for solver in options.solvers:
        for nfe in options.nfe:
            for name in options.schedules:
                schedule = SCHEDULES[name](noise, solver, nfe)
                content = model.prepare(solver, nfe, schedule) | {"guidance_scale": options.guidance_scale}
                sets.append((Set(digest(content), planned, nfe, options.guidance_scale), schedule))
                rows.append(
                    {"model": options.model, "solver": solver, "nfe": nfe, "schedule": name}
                    | {"terminal": "zero" if schedule is None else schedule.terminal, "seeds": 1, "n": len(planned)}
                    | {
                        "timesteps": content["timesteps"],
                        "sigmas": [] if schedule is None else schedule.sigmas.tolist(),
                    }
                    | ({} if schedule is None else {"mep": schedule.mep, "spf": schedule.fitness})
                    | {"images": sets[-1][0].key}
                )
    return rows, sets


def _settings(
    options: argparse.Namespace, state: PartialState, model: Model, extractor: Extractor, dtype: str
) -> dict[str, Any]:
    """What the results depend on, besides what their rows say."""
    packages = ("hso", "torch", "diffusers", "transformers", "accelerate", "torchmetrics")
    return {
        "name": "the paper's protocol",
        "model": options.model,
        "fingerprint": model.fingerprint,
        "prompts": len(read_prompts(options.prompts)),
        "images_per_prompt": options.images_per_prompt,
        "prompts_file": str(options.prompts),
        "real": str(options.real),
        "size": list(model.size),
        "seed": options.seed,
        "guidance_scale": options.guidance_scale,
        "batch": options.batch,
        "dtype": dtype,
        "features": extractor.name,
        "device": state.device.type,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; 1 where something is in its way, which is said on the standard error."""
    options = parse(arguments)
    # processes wait for the slowest: far longer than the ten minutes after which NCCL would give up
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=7))
    console = Console(width=None if Console().is_terminal else 160)
    try:
        run(options, state, console)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if state.is_main_process:
        console.print((options.out / "table.md").read_text(encoding="utf-8"), markup=False, highlight=False)
        console.print(f"Wrote {options.out / 'results.json'} and {options.out / 'table.md'}.", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
