"""Every script under examples/ runs on models of random weights, loaded from disk as a user loads his."""

from __future__ import annotations

from pathlib import Path

import pytest

for module in ("torch", "diffusers", "transformers", "matplotlib", "PIL", "rich"):
    pytest.importorskip(module)

import hso  # noqa: E402
import tiny_flow_models  # noqa: E402
import tiny_stable_diffusion  # noqa: E402
from example_scripts import EXAMPLES, SCRIPTS, load  # noqa: E402

RUNS: dict[str, tuple[list[str], list[str]]] = {
    "adaptivity": (["--nfe", "4", "--plot", "picture.png"], ["picture.png"]),
    "calibrate": (["--model", "{sd}", "--prompt", "a cat", "--budget", "336"], ["profile.json"]),
    "flux_sizes": (["--model", "{flux}", "--sizes", "32x32", "64x32", "32x64", "--nfe", "3"],
                   ["flux-32x32.png", "flux-64x32.png", "flux-32x64.png"]),
    "own_sampler": (["--nfe", "4", "--points", "50", "--reference", "100"], []),
    "own_scheduler": (["--model", "{sd}", "--nfe", "4"], ["own-scheduler.png"]),
    "stable_diffusion": (["--model", "{sd}", "--nfe", "4", "--reference", "8", "--images", "2"],
                         ["stable-diffusion.png"]),
    "video": (["--model", "{wan}", "--width", "32", "--height", "32", "--num-frames", "5", "--nfe", "4"],
              ["video.gif"]),
}  # fmt: skip
"""Arguments of each script, and the files that it writes. quickstart has no arguments."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders by name."""
    folder = tmp_path_factory.mktemp("models")
    tiny_stable_diffusion.save(folder / "sd", folder / "sd-words")
    tiny_flow_models.save_flux(folder / "flux", folder / "flux-words")
    tiny_flow_models.save_wan(folder / "wan")
    return {name: str(folder / name) for name in ("sd", "flux", "wan")}


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "quickstart"])
def test_script_runs_and_writes_what_it_says(
    name: str,
    models: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, files = RUNS[name]
    monkeypatch.chdir(tmp_path)
    load(name).main([argument.format(**models) for argument in arguments])
    assert capsys.readouterr().out.strip()
    written = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert written == set(files)
    assert all((tmp_path / file).stat().st_size > 100 for file in files)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "quickstart"])
def test_help_tells_the_default_model_and_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        load(name).main(["--help"])
    assert exit_status.value.code == 0
    text = capsys.readouterr().out
    arguments, _ = RUNS[name]
    assert all(word in text for word in arguments if word.startswith("--"))
    ids = [preset.hub_id for preset in map(hso.presets.get, hso.presets.names())]
    if "--model" in text and name not in ("calibrate", "video"):  # their defaults are a folder, and the preset's
        assert any(hub_id and hub_id in "".join(text.split()) for hub_id in ids)


def test_quickstart_prints_the_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    quickstart = load("quickstart")
    expected = hso.optimize(hso.NoiseSchedule.preset("sd21"), nfe=5)
    assert quickstart.schedule == expected
    assert capsys.readouterr().out == f"{expected.timesteps}\n{expected.sigmas}\n"


def test_every_script_says_how_it_is_run() -> None:
    for name in SCRIPTS:
        if name != "quickstart":
            assert f"python examples/{name}.py" in (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
