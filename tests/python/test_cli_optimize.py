"""`hso optimize` and `hso compare`: what they print is what the library finds."""

import dataclasses
import json
import os

import numpy as np
import pytest

pytest.importorskip("typer")

import hso
from command_line import done, run
from hso.cli._table import table
from hso.cli._text import warn_of


def schedules(capsys, *arguments):
    return [
        hso.Schedule.from_json(json.dumps(each))
        for each in json.loads(done(capsys, "optimize", *arguments, "--json"))["schedules"]
    ]


CASES = [
    (["sd21"], ("sd21", {}), 5, {}),
    (["sdxl", "-n", "8", "--terminal", "t_min"], ("sdxl", {}), 8, {"terminal": "t_min"}),
    (["sd3", "--shift", "5", "-n", "4"], ("sd3", {"shift": 5.0}), 4, {}),
    (["flux-dev", "--width", "768", "--height", "512"], ("flux-dev", {"width": 768, "height": 512}), 5, {}),
    (["sd21", "--search", "paper", "--seed", "3", "-n", "4"], ("sd21", {}), 4, {"search": "paper", "seed": 3}),
    (["sd21", "--t-min", "0.01,0.02", "--t-max", "1"], ("sd21", {}), 5, {"t_min": (0.01, 0.02), "t_max": (1.0, 1.0)}),
    (["sd21", "--gap", "none", "--p", "1.5", "--d-min", "0"], ("sd21", {}), 5, {"gap": None, "p": 1.5, "d_min": 0.0}),
    (["sd21", "--solver", "heun", "-n", "7"], ("sd21", {}), 7, {"solver": "heun"}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "preset", "nfe", "options"), CASES)
def test_options_are_the_librarys(arguments, preset, nfe, options, capsys):
    name, size = preset
    assert schedules(capsys, *arguments) == [hso.optimize(hso.NoiseSchedule.preset(name, **size), nfe, **options)]


@pytest.mark.parametrize(
    ("words", "counts"),
    [(["4,5,6,8"], [4, 5, 6, 8]), (["4", "--nfe", "6"], [4, 6]), (["3-5"], [3, 4, 5]), (["5, 4,5"], [5, 4])],
)
def test_lists_of_calls(words, counts, capsys):
    assert [each.nfe for each in schedules(capsys, "sd21", "--nfe", *words)] == counts


def test_table_has_all_nodes_and_the_fitness(capsys):
    schedule = hso.optimize(hso.NoiseSchedule.preset("sd21"), 5)
    out = done(capsys, "optimize", "sd21", "--nfe", "5")
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert np.allclose([float(row[1]) for row in rows], schedule.timesteps, atol=0.005)
    assert np.allclose([float(row[2]) for row in rows], schedule.sigmas[:-1], rtol=1e-5)
    assert f"F {schedule.fitness:.7g}," in out


def test_table_of_several(capsys):
    out = done(capsys, "optimize", "sd21", "--nfe", "4,8")
    found = hso.optimize(hso.NoiseSchedule.preset("sd21"), [4, 8])
    rows = [line.split() for line in out.splitlines() if line.split() and line.split()[0] in ("4", "8")]
    assert [float(row[1]) for row in rows] == pytest.approx([each.fitness for each in found], rel=1e-6)


def test_output_saves_a_schedule_file(tmp_path, capsys):
    path = tmp_path / "six.json"
    code, out, err = run(capsys, "optimize", "sd21", "-n", "6", "-o", path)
    assert code == 0 and "call" in out and err == f"saved {path}\n"
    assert hso.Schedule.load(path) == hso.optimize(hso.NoiseSchedule.preset("sd21"), 6)
    assert done(capsys, "optimize", "sd21", "-n", "4,6", "-o", tmp_path / "x{nfe}.json", "--quiet") != ""
    assert sorted(os.listdir(tmp_path)) == ["six.json", "x4.json", "x6.json"]


def test_export_is_printed_instead(capsys):
    noise = hso.NoiseSchedule.preset("sd21")
    out = done(capsys, "optimize", "sd21", "-n", "6", "--export", "comfyui")
    assert out == hso.optimize(noise, 6).export("comfyui", noise=noise).rstrip("\n") + "\n"


def test_a_missed_spacing_is_told(capsys):
    code, _, err = run(capsys, "optimize", "sd21", "-n", "6", "--search", "paper", "--terminal", "t_min")
    assert code == 0 and err.startswith("hso: warning: nfe 6: the spacing is ") and err.count("\n") == 1


@pytest.mark.parametrize("status", ["uncertified", "collapsed", "max_generations"])
def test_a_search_that_fell_short_is_told(status, capsys):
    found = hso.optimize(hso.NoiseSchedule.preset("sd21"), 5)
    warn_of(found)
    assert capsys.readouterr().err == ""
    warn_of(dataclasses.replace(found, status=status))
    assert capsys.readouterr().err.startswith("hso: warning: nfe 5: ")


def compared(capsys, *arguments):
    rows = json.loads(done(capsys, "compare", *arguments, "--json"))["comparisons"][0]["rows"]
    return {row["method"]: row for row in rows}


def test_compare_has_the_baselines_as_they_are(capsys):
    noise = hso.NoiseSchedule.preset("sd21")
    rows = compared(capsys, "sd21", "-n", "6", "--method", "exact,karras", "-m", "ays")
    assert list(rows) == ["exact", "karras", "ays"]
    for name, schedule in (("karras", hso.schedules.karras(noise, 6)), ("ays", hso.schedules.ays(noise, 6))):
        assert rows[name]["timesteps"] == schedule.timesteps.tolist()
    assert rows["exact"]["fitness"] == pytest.approx(hso.optimize(noise, 6).fitness, rel=1e-12)


@pytest.mark.parametrize("terminal", ["zero", "t_min"])
@pytest.mark.parametrize("preset", ["sd21", "sd3"])
def test_between_the_same_ends_nothing_is_below_the_optimum(preset, terminal, capsys):
    rows = compared(capsys, preset, "-n", "5", "--same-ends", "--terminal", terminal)
    ends = {
        (round(row["sigmas"][0], 9), round(row["sigmas"][-1 if terminal == "t_min" else -2], 9))
        for row in rows.values()
    }
    assert len(ends) == 1
    assert all(row["fitness"] >= rows["exact"]["fitness"] * (1 - 1e-9) for row in rows.values())


def test_above_is_over_the_least_between_a_schedules_own_ends(capsys):
    noise = hso.NoiseSchedule.preset("sd21")
    rows = compared(capsys, "sd21", "-n", "5", "-m", "exact,uniform_t,paper")
    assert rows["exact"]["above"] == pytest.approx(0.0, abs=1e-9)
    even = hso.schedules.uniform_t(noise, 5)
    ends = {"t_min": (even.t[-2],) * 2, "t_max": (even.t[0],) * 2}
    least = hso.optimize(noise, 5, d_min=hso.optimize(noise, 5).d_min, **ends).mep
    assert rows["uniform_t"]["above"] == pytest.approx(even.mep / least - 1.0, abs=1e-9)
    assert all(row["above"] >= 0.0 for row in rows.values())


def test_compare_judges_the_spacing(capsys):
    noise = hso.NoiseSchedule.preset("sd21")
    row = compared(capsys, "sd21", "-n", "5", "-m", "karras")["karras"]
    lack = np.maximum(0.0, hso.optimize(noise, 5).d_min + np.diff(hso.schedules.karras(noise, 5).t[:-1]))
    assert row["fitness"] - row["mep"] == pytest.approx(1e9 * np.sum(lack**2), rel=1e-6)


def test_compare_knows_what_skip_excludes(capsys):
    assert list(compared(capsys, "sd21", "--terminal", "skip")) == ["exact", "bilevel", "paper"]


def test_compare_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "out.png"
    code, _, err = run(capsys, "compare", "sd21", "--json", "--plot", path)
    assert code == 0 and err == f"drew {path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")


class Terminal:
    def __init__(self, written):
        self.written = written

    def isatty(self):
        return True

    def fileno(self):
        raise OSError

    def write(self, text):
        self.written.append(text)


@pytest.mark.parametrize("width", ["30", "200"])
@pytest.mark.parametrize("colour", [True, False])
def test_tables_never_cut_a_number(width, colour, monkeypatch):
    monkeypatch.setattr("sys.stdout", Terminal([]))
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "" if colour else "1")
    cells = [["karras", "0.12345678901234", "999.123 831.456 617.789 358.123 80.456"]]
    text = table(["method", "F", "timesteps"], cells, left=["method", "timesteps"])
    assert all(word in text.split() for cell in cells[0] for word in cell.split())
    assert ("\033[" in text) == colour
    assert (max(map(len, text.splitlines())) > 40) == (width == "200")
