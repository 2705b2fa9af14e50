"""The HTML report of a made-up results document, read back with the standard library's parser."""

import base64
import copy
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import report
import report_document

SCRIPT = Path(__file__).parents[2] / "bench" / "quality" / "report.py"
SCHEDULES = [("uniform", "zero"), ("uniform ends", "t_min"), ("dm-nonuni", "t_min"), ("hso", "zero"), ("hso", "t_min")]
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
VOID = {"meta", "img", "br", "link", "hr", "input"}


def document():
    """Two models, two solvers, three nfe; a uniform schedule wins only for the mixture, DDIM, nfe 4 and RMSE."""
    rng = np.random.default_rng(5)
    rows = []
    for model, solver, nfe in itertools.product(("mixture", "sd"), ("DDIM", "UniPC-2"), (4, 5, 8)):
        for rank, (schedule, terminal) in enumerate(SCHEDULES):
            row = {"model": model, "solver": solver, "nfe": nfe, "schedule": schedule, "terminal": terminal}
            row |= {"seeds": 3, "n": 512, "mep": rng.uniform(3, 4), "spf": rng.uniform(3, 4000)}
            row |= {"timesteps": sorted(rng.uniform(0, 999, nfe), reverse=True)}
            row |= {"sigmas": sorted(rng.uniform(0.01, 14, nfe + 1), reverse=True), "seconds_per_image": rng.uniform()}
            for measure in ("rmse", "fid_test", "fid_solution", "kid_test", "kid_solution"):
                row[measure] = {"mean": 1.0 - 0.1 * rank + 0.01 * rng.uniform(), "std": 0.01 * rng.uniform()}
            rows.append(row)
    rows[0]["rmse"] = {"mean": 0.0312345678, "std": 0.00123456}
    return {
        "run": {"name": "made up", "device": "cpu", "seeds": [0, 1, 2], "versions": {"torch": "9.8.7"}},
        "floors": [{"measure": "fid_test", "value": 0.21357, "what": "two halves of the test set"}],
        "rows": rows,
        "tests": [
            found("mixture", "DDIM", 4, "rmse", "hso, t_min", "uniform", 0.5711, 0.0021),
            found("mixture", "DDIM", 4, "rmse", "hso, zero", "uniform", 0.6822, 0.31),
            found("sd", "DDIM", 4, "rmse", "hso, t_min", "dm-nonuni", -0.2933, 0.004),
        ],
        "premise": [
            {"model": "mixture", "solver": "DDIM", "nfe": 4, "schedules": 40, "proxy": proxy, "measure": measure}
            | {"spearman": rng.uniform(), "kendall": rng.uniform(), "low": 0.1234, "high": 0.8765}
            | {"points": rng.uniform(0.5, 1, (40, 2)).tolist()}
            for proxy in ("mep", "spf", "dm_nonuni")
            for measure in ("rmse", "fid_test")
        ],
        "ablation": [
            {"model": "sd", "solver": "DDIM", "nfe": 4, "variant": "uniform", "rmse": 0.43219, "fid_solution": 7.6543}
        ],
        "oracle": [
            {"model": "sd", "solver": "DDIM", "nfe": 4, "method": "hso", "rmse": 0.41171, "share": 0.61803}
        ],
    }  # fmt: skip


def small():
    """The document without most of its rows, which take time to draw."""
    given = document()
    return given | {"rows": given["rows"][:5], "premise": given["premise"][:1]}


def found(model, solver, nfe, measure, ours, rival, difference, p):
    return (
        {"model": model, "solver": solver, "nfe": nfe, "measure": measure, "ours": ours, "rival": rival}
        | {"difference": difference, "low": difference - 0.0511, "high": difference + 0.0622, "p": p / 10, "p_holm": p}
    )  # fmt: skip


class Page(HTMLParser):
    """The tables by caption (a list of lists of cell texts), sections' headings, images and every attribute."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.images, self.attributes, self.headings, self.bold = {}, [], [], [], []
        self.paragraphs = ""
        self._open, self._caption, self._rows = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "table":
            assert self._caption not in self.tables
            self.tables[self._caption] = self._rows

    def handle_data(self, data):
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data
            if "strong" in self._open:
                self.bold.append(data)
        elif {"h1", "h2", "h3"} & set(self._open):
            self.headings[-1] += data
        elif "p" in self._open:
            self.paragraphs += data

    def table(self, start):
        (caption,) = [caption for caption in self.tables if caption.startswith(start)]
        return caption, self.tables[caption]


@pytest.fixture(scope="module")
def page():
    return Page(report.render(report_document.parse(document()), {"mixture grid": PNG, "all of them": PNG}))


@pytest.fixture(scope="module")
def small_page():
    return Page(report.render(report_document.parse(small())))


def test_every_mean_and_deviation_stands_in_its_cell(page):
    for row in document()["rows"]:
        for measure in ("rmse", "fid_test", "fid_solution", "kid_test", "kid_solution"):
            name = report_document.MEASURES[measure]
            caption, (header, *lines) = page.table(f"{row['model']}, {row['solver']}: {name},")
            assert "n = 512 images per seed; seeds: 3; terminal: zero, t_min" in caption
            (line,) = [line for line in lines if line[:2] == [row["schedule"], row["terminal"]]]
            shown = re.fullmatch(r"(\S+) ± ([\d.e-]+)\D?", line[header.index(f"nfe {row['nfe']}")])
            assert float(shown[1]) == pytest.approx(row[measure]["mean"], rel=5e-4)
            assert float(shown[2]) == pytest.approx(row[measure]["std"], rel=5e-2)


def test_every_other_number_of_the_rows_is_there_with_all_its_digits(page):
    titles = {value for _, name, value in page.attributes if name == "title"}
    for row in document()["rows"]:
        for key in ("mep", "spf", "seconds_per_image"):
            assert str(row[key]) in titles
        assert f"mean {row['rmse']['mean']}, std {row['rmse']['std']}" in titles


def test_numbers_of_the_other_parts_are_there(page):
    cells = {cell for rows in page.tables.values() for row in rows for cell in row}
    given = document()
    for part, keys in {
        "tests": ("difference", "low", "high", "p", "p_holm"),
        "premise": ("spearman", "kendall", "low", "high", "schedules"),
        "ablation": ("rmse", "fid_solution"),
        "oracle": ("rmse", "share"),
        "floors": ("value",),
    }.items():
        for row, key in itertools.product(given[part], keys):
            assert f"{row[key]:.4g}" in cells, (part, key)


def test_best_is_bold_and_the_tests_mark_the_others(page):
    _, (header, *lines) = page.table("mixture, DDIM: RMSE")
    at = {tuple(line[:2]): line[header.index("nfe 4")] for line in lines}
    assert at["uniform", "zero"].endswith("*") and at["uniform", "zero"].startswith("0.03123 ")
    assert at["hso", "t_min"].endswith("†") and at["hso", "zero"].endswith("=")
    assert at["dm-nonuni", "t_min"][-1].isdigit()
    assert sum("0.03123 ± 0.0012" in text for text in page.bold) == 1


def test_every_table_of_results_says_n_seeds_and_terminal(page):
    for caption in page.tables:
        if not caption.startswith(("Settings", "Versions")):
            assert all(word in caption for word in ("n = ", "seeds: ", "terminal: ")), caption


def test_where_uniform_wins_comes_first_and_is_told_with_its_test(page):
    assert page.headings[:2] == ["Quality of schedules: made up", "Where a uniform schedule wins"]
    _, (header, line) = page.table("Where a uniform schedule beats")
    told = dict(zip(header, line, strict=True))
    assert (told["model"], told["solver"], told["nfe"], told["measure"]) == ("mixture", "DDIM", "4", "rmse")
    assert told["uniform"] == "0.03123 ± 0.0012" and told["best of HSO"] == "hso, t_min"
    assert float(told["p (Holm)"]) == 0.0021
    assert "In 1 of 60 comparisons" in page.paragraphs


def test_no_uniform_win_is_said_too():
    given = document()
    given["rows"] = given["rows"][5:10]
    assert "In 0 of 5 comparisons" in report.render(report_document.parse(given))
    given["rows"] = [row for row in given["rows"] if row["schedule"] != "hso"]
    assert "No model, solver and nfe has both" in report.render(report_document.parse(given))


def test_nothing_outside_the_file_is_referenced(page):
    for tag, name, value in page.attributes:
        assert tag not in ("script", "link", "iframe", "object") and name not in ("href", "srcset", "style")
        if name == "src":
            assert value.startswith("data:image/")
    text = report.render(report_document.parse(small()))
    assert "http" not in text and "@import" not in text and "url(" not in text


def test_images_hold_what_they_say(page):
    kinds = [image["src"].split(";")[0] for image in page.images]
    # the curves of two models, two measures of the premise, two grids
    assert kinds.count("data:image/webp") == 4 and kinds.count("data:image/png") == 2
    assert all(image["alt"] for image in page.images)
    for image in page.images:
        content = base64.b64decode(image["src"].split(",", 1)[1], validate=True)
        assert content.startswith(b"\x89PNG") or content[8:12] == b"WEBP"
    assert "Samples" in page.headings


def test_the_same_document_gives_the_same_page():
    given = report_document.parse(small())
    assert report.render(given) == report.render(given)


@pytest.mark.parametrize("missing", ["floors", "tests", "premise", "ablation", "oracle"])
def test_missing_parts_leave_the_others(missing, small_page):
    given = small()
    del given[missing]
    rest = Page(report.render(report_document.parse(given)))
    assert set(small_page.tables) > set(rest.tables)
    assert "mixture, DDIM: KID against the test set" in " ".join(rest.tables)


def test_a_document_without_rows_and_one_without_some_measures():
    assert Page(report.render(report_document.parse({"run": {}, "rows": []}))).headings[-1] == "Settings and versions"
    given = small()
    for row in given["rows"]:
        del row["kid_test"]
        del row["mep"]
    shown = Page(report.render(report_document.parse(given)))
    assert not any("KID against the test set" in caption for caption in shown.tables)


def test_names_are_escaped():
    given = small()
    for row in given["rows"]:
        row["schedule"] = f"<b>{row['schedule']} & co"
    text = report.render(report_document.parse(given))
    assert "<b>" not in text and "&lt;b&gt;hso &amp; co" in text


def test_grid_goes_to_the_model_of_the_longest_name():
    given = small()
    for row in given["rows"]:
        row["model"] = "sd latent"
    text = report.render(report_document.parse(given), {"sd latent": PNG, "sd": PNG})
    latent, plain = text.index("<figcaption>sd latent<"), text.index("<figcaption>sd<")
    assert text.index("<h2>Model sd latent<") < latent < text.index("<h2>Model sd<") < plain


def broken(path, value):
    given = copy.deepcopy(document())
    *parents, last = path
    target = given
    for key in parents:
        target = target[key]
    target[last] = value
    return given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"document must be an object with 'run' and 'rows', got \[\]"),
        ({"rows": []}, "'run' must be an object"),
        ({"run": {}}, "'rows' is missing"),
        (broken(["rows"], {}), r"'rows' must be a list, got \{\}"),
        (broken(["rows", 3], 7), r"rows\[3\] must be an object, got 7"),
        (broken(["rows", 3, "nfe"], "4"), r"rows\[3\]: 'nfe' must be an integer of at least 1, got '4'"),
        (broken(["rows", 3, "nfe"], True), r"rows\[3\]: 'nfe' must be an integer"),
        (broken(["rows", 3, "seeds"], 0), r"rows\[3\]: 'seeds' must be an integer of at least 1, got 0"),
        (broken(["rows", 3, "schedule"], None), r"rows\[3\]: 'schedule' must be a name, got None"),
        (broken(["rows", 3, "rmse"], 0.5), r"rows\[3\]: 'rmse' must have numbers 'mean' and 'std', got 0.5"),
        (broken(["rows", 3, "rmse", "mean"], float("nan")), r"rows\[3\]: 'rmse': 'mean' must be finite, got nan"),
        (broken(["rows", 3, "timesteps"], None), r"rows\[3\]: 'timesteps' must be a list of numbers"),
        (broken(["tests", 1, "p_holm"], None), r"tests\[1\]: 'p_holm' must be a number, got None"),
        (broken(["premise", 0, "points"], [[1.0]]), r"premise\[0\]: 'points' must be a list of pairs"),
        (broken(["oracle", 0, "method"], ""), r"oracle\[0\]: 'method' must be a name"),
    ],
)
def test_wrong_documents_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        report_document.parse(given)


def test_row_without_any_measure_and_a_grid_that_is_none():
    given = document()
    for measure in report_document.MEASURES:
        del given["rows"][0][measure]
    with pytest.raises(ValueError, match=r"rows\[0\] has none of the measures rmse"):
        report_document.parse(given)
    with pytest.raises(ValueError, match="grid 'x' must be a PNG file, got 3 bytes"):
        report.render(report_document.parse(document()), {"x": b"GIF"})


def test_command(tmp_path):
    (tmp_path / "quality_x.json").write_text(json.dumps(small()))
    (tmp_path / "sd.png").write_bytes(PNG)
    arguments = [
        str(tmp_path / "quality_x.json"),
        "--out",
        str(tmp_path / "a.html"),
        "--grids",
        str(tmp_path / "sd.png"),
    ]
    subprocess.run([sys.executable, str(SCRIPT), *arguments], check=True)
    assert "<figcaption>sd</figcaption>" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("content", "message"), [("{", "is not a JSON file"), (None, "cannot be read: No such file")])
def test_command_says_what_is_wrong(tmp_path, capsys, content, message):
    path = tmp_path / "quality_x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit):
        report.main([str(path), "--out", str(tmp_path / "a.html")])
    assert message in capsys.readouterr().err and not (tmp_path / "a.html").exists()
