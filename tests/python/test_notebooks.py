"""The notebooks under examples/notebooks run from top to bottom, offline, and show what hso computes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("nbclient", "nbformat", "ipykernel", "matplotlib"):
    pytest.importorskip(module)

import hso  # noqa: E402

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
MODEL = Path(__file__).parents[2] / "bench" / "quality" / "models" / "fashion_mnist_sd"
SECONDS = 300  # of a notebook: ten times what it takes on a machine with nothing else to do

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

source, folder, probe, seconds, out = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(probe))
resources = {"metadata": {"path": folder}}  # where it runs
NotebookClient(notebook, timeout=int(seconds), kernel_name="python3", resources=resources).execute()
nbformat.write(notebook, out)
"""
"""In a process of its own: Jupyter's warnings are not ours."""

PROBE = "import json, sys\nprint(json.dumps({'python': sys.executable, **%s}))"


def execute(name: str, folder: Path, probe: str) -> tuple[list[Any], dict[str, Any]]:
    """Runs a notebook in ``folder``; returns its code cells and the values of ``probe``, an expression for a dict."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this Python, whatever is installed for the user
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "IPYTHONDIR": str(folder / "ipython"),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    out = folder / "executed.ipynb"
    arguments = [str(NOTEBOOKS / name), str(folder), PROBE % probe, str(SECONDS), str(out)]
    process = subprocess.run(
        [sys.executable, "-c", EXECUTE, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=SECONDS + 60,
    )
    assert process.returncode == 0, process.stderr
    *cells, probed = [cell for cell in json.loads(out.read_text())["cells"] if cell["cell_type"] == "code"]
    values = json.loads(printed(probed))
    assert Path(values["python"]).resolve() == Path(sys.executable).resolve()
    return cells, values


def printed(cell: Any) -> str:
    return "".join(
        "".join(output["text"])
        for output in cell["outputs"]
        if output["output_type"] == "stream" and output["name"] == "stdout"
    )


def pictures(cells: list[Any]) -> int:
    """How many cells drew."""
    return sum(any("image/png" in output.get("data", {}) for output in cell["outputs"]) for cell in cells)


def test_every_notebook_has_a_test() -> None:
    assert sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")) == [
        "faster_stable_diffusion.ipynb",
        "getting_started.ipynb",
    ]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_valid_and_holds_no_outputs(path: Path) -> None:
    import nbformat

    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


def test_getting_started_shows_the_schedule(tmp_path: Path) -> None:
    cells, found = execute(
        "getting_started.ipynb",
        tmp_path,
        "{'t': schedule.t.tolist(), 'mep': {name: s.mep for name, s in same_ends.items()},"
        " 'flux': {name: s.sigmas.tolist() for name, s in sizes.items()},"
        " 'imported': sorted({'torch', 'diffusers', 'scipy'} & set(sys.modules))}",
    )
    noise = hso.NoiseSchedule.preset("sd21")
    schedule = hso.optimize(noise, nfe=5)
    assert found["t"] == schedule.t.tolist()
    assert found["imported"] == []  # NumPy and matplotlib are enough
    assert min(found["mep"], key=found["mep"].__getitem__) == "HSO" and len(found["mep"]) == 4
    for side in (512, 1024):
        flux = hso.NoiseSchedule.preset("flux-dev", width=side, height=side)
        assert found["flux"][f"{side} x {side}"] == hso.optimize(flux, 5).sigmas.tolist()
    assert hso.Schedule.load(tmp_path / "sd21-5.json", noise=noise) == schedule
    texts = list(map(printed, cells))
    assert str(schedule.timesteps.round(1)) in texts[1]
    assert texts[2] == f"{hso.explain(schedule, noise)}\n"
    assert "made for another noise schedule" in texts[-2]
    exported = [float(number) for number in texts[-1].split(",")]
    assert exported == schedule.sigmas.tolist()
    assert pictures(cells) == 3


def test_faster_stable_diffusion_measures_what_the_schedules_do(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    (tmp_path / "bench" / "quality" / "models").mkdir(parents=True)
    (tmp_path / "bench" / "quality" / "models" / MODEL.name).symlink_to(MODEL)
    cells, found = execute(
        "faster_stable_diffusion.ipynb",
        tmp_path,
        "{'timesteps': schedule.timesteps.tolist(), 'rows': {name: x[:2].tolist() for name, x in rows.items()},"
        " 'rmse': {name: values.mean().item() for name, values in distances.items()},"
        " 'own': distance(solutions[MANY // 2]).mean().item(), 'curves': curves, 'counts': COUNTS, 'nfe': NFE}",
    )
    schedule, images = sampled(torch, found["nfe"])
    assert found["timesteps"] == schedule.timesteps.tolist()
    np.testing.assert_allclose(found["rows"]["HSO"], images[:2], atol=1e-4)
    table = next(text for text in map(printed, cells) if "RMSE to" in text)
    rows = dict(re.findall(r"^(\S.*?)\s+(\d\.\d{4}) \(", table, re.MULTILINE))
    assert rows == {name: f"{value:.4f}" for name, value in found["rmse"].items()}
    (least,) = re.findall(r"^(\S.*?)\s+\d\.\d{4} \(.*least$", table, re.MULTILINE)
    assert least == min(found["rmse"], key=found["rmse"].__getitem__)
    assert 0.0 < 4.0 * found["own"] < min(found["rmse"].values())  # the solution is one, beside what is compared
    assert all(len(curve) == len(found["counts"]) for curve in found["curves"].values())
    at = found["counts"].index(found["nfe"])
    assert all(curve[at] == pytest.approx(found["rmse"][name]) for name, curve in found["curves"].items())
    assert pictures(cells) == 2


def sampled(torch: Any, nfe: int) -> tuple[hso.Schedule, np.ndarray]:
    """HSO's row by a loop of our own over the same network, from the noise that the pipeline draws."""
    from diffusers import DPMSolverMultistepScheduler, UNet2DModel

    unet = UNet2DModel.from_pretrained(MODEL / "unet", use_safetensors=True).eval()
    scheduler = DPMSolverMultistepScheduler.from_pretrained(MODEL / "scheduler")
    schedule = hso.optimize(hso.diffusers.noise_schedule(scheduler), nfe)
    hso.diffusers.apply(scheduler, schedule)
    x = torch.randn((6, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x).prev_sample
    return schedule, (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
