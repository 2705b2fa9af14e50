"""Pictures of schedules: legible on light and dark, without touching labels, and leaving no trace in matplotlib."""

import functools
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import hso
from tables import SD

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import colors, pyplot  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402

from hso.plot import PANELS, plot_schedule, plot_schedules  # noqa: E402
from hso.plot import _style as style  # noqa: E402

FLOW = hso.NoiseSchedule.preset("flux-dev")
EDM = hso.NoiseSchedule.edm()
DOCS = Path(__file__).parents[2] / "docs"
TERMINALS = ["zero", "t_min", "skip"]
STYLES = ["default", "dark_background"]


def luminance(color):
    """WCAG 2's relative luminance."""
    rgb = np.array(colors.to_rgb(color))
    return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_measured_as_wcag_says():
    assert contrast("white", "black") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


COMPARED = {
    "ours": hso.optimize(SD, 6),
    "uniform t": hso.schedules.uniform_t(SD, 6),
    "uniform lambda": hso.schedules.uniform_lambda(SD, 6),
    "Karras": hso.schedules.karras(SD, 6),
    "published, stops at t_min": hso.optimize(SD, 6, search="paper", terminal="t_min"),
}


def pictures():
    for nfe, terminal in [*itertools.product((1, 5), TERMINALS), *zip((2, 20, 100), TERMINALS, strict=True)]:
        schedule = hso.optimize(SD, nfe, terminal=terminal, gap=None)
        yield f"sd21 {nfe} {terminal}", lambda s=schedule: plot_schedule(s, SD)
        if (nfe, terminal) in ((1, "zero"), (5, "skip")):
            yield f"sd21 {nfe} {terminal} bare", lambda s=schedule: plot_schedule(s)
    yield "flux 4", lambda: plot_schedule(hso.optimize(FLOW, 4), FLOW)
    yield "flux 28", lambda: plot_schedule(hso.optimize(FLOW, 28, gap=None), FLOW)
    yield "edm 8", lambda: plot_schedule(hso.optimize(EDM, 8, terminal="t_min"), EDM)
    yield "p 3.5", lambda: plot_schedule(hso.optimize(SD, 6, p=3.5), SD)
    yield "published", lambda: plot_schedule(COMPARED["published, stops at t_min"], SD)
    yield "dm_nonuni", lambda: plot_schedule(hso.optimize(SD, 5, objective="dm_nonuni"), SD)
    yield "compared", lambda: plot_schedules(COMPARED, SD)
    yield "one compared", lambda: plot_schedules({"alone": COMPARED["ours"]})
    yield "many", lambda: plot_schedules({f"schedule {n}": hso.optimize(SD, n, gap=None) for n in range(3, 18)}, SD)


PICTURES = dict(pictures())


def drawn_colors(axes):
    """Of all lines, markers and bars, with what they are laid over left out."""
    for line in axes.get_lines():
        yield line.get_color()
    for container in axes.containers:
        yield from (bar.get_edgecolor() for bar in container)
    for collection in axes.collections:
        yield from collection.get_edgecolor()


@pytest.mark.parametrize("name", ["sd21 5 skip", "p 3.5", "published", "compared", "many"])
def test_contrast_to_light_and_dark(name):
    found = {colors.to_hex(color) for axes in PICTURES[name]() for color in drawn_colors(axes)}
    assert len(found) >= 2
    for color, paper in itertools.product(found, ("#ffffff", "#111111")):
        assert contrast(color, paper) >= 3.0, (color, paper)


def test_color_is_never_the_only_difference():
    styles = [style.style(index) for index in range(24)]
    for a, b in itertools.combinations(styles, 2):
        assert a != b and (a.marker != b.marker or a.line != b.line or a.color != b.color)
    for a, b in itertools.combinations(styles[:8], 2):
        assert a.marker != b.marker
    assert len({s.color for s in styles}) == 6


@pytest.mark.parametrize("sheet", STYLES)
def test_text_follows_the_style(sheet):
    with matplotlib.style.context(sheet):
        expected = matplotlib.rcParams["text.color"]
        for axes in PICTURES["compared"]():
            for text in (axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels()):
                assert text.get_color() == expected
            for text in axes.get_legend().get_texts() if axes.get_legend() else ():
                assert text.get_color() == expected


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("sheet", STYLES)
def test_rasterizes_in_light_and_dark(sheet, transparent):
    with matplotlib.style.context(sheet):
        figure = PICTURES["sd21 5 skip"]()[0].figure
        png = io.BytesIO()
        figure.savefig(png, format="png", transparent=transparent)
    png.seek(0)
    pixels = matplotlib.image.imread(png)
    corner = pixels[0, 0]
    assert corner[3] == (0.0 if transparent else 1.0)
    if not transparent:
        assert np.all(corner[:3] == (sheet == "default"))


def texts(figure, renderer):
    """(text, box in pixels) of all that is written in a figure."""
    for text in figure.findobj(matplotlib.text.Text):
        box = text.get_window_extent(renderer)
        if text.get_visible() and text.get_text().strip() and box.width > 0.0:
            yield text.get_text(), box


def shown_ticks(figure):
    """Tick labels outside the axis' limits are not drawn, but have boxes."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                tick.label1.set_visible(bool(low - 1e-9 <= tick.get_loc() <= high + 1e-9))


def overlaps(a, b):
    """By more than half a pixel in each direction."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width > 0.5 and height > 0.5


@functools.cache
def drawn(name):
    """A picture's axes, its figure and what has drawn it."""
    axes = PICTURES[name]()
    figure = axes[0].figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shown_ticks(figure)
    return axes, figure, canvas.get_renderer()


@pytest.mark.parametrize("name", PICTURES)
def test_labels_do_not_touch(name):
    _, figure, renderer = drawn(name)
    for (a, box), (b, other) in itertools.combinations(texts(figure, renderer), 2):
        assert not overlaps(box, other), (a, b)
    inside = figure.bbox.padded(0.5)
    for text, box in texts(figure, renderer):
        assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1, text


@pytest.mark.parametrize("name", PICTURES)
def test_legends_hide_no_node_and_no_step(name):
    axes, _, renderer = drawn(name)
    for panel in axes:
        if panel.get_legend() is None:
            continue
        box = panel.get_legend().get_window_extent(renderer)
        for container in panel.containers:
            assert not any(overlaps(box, bar.get_window_extent()) for bar in container)
        for line in panel.get_lines():
            if line.get_gid() in ("nodes", "end", "steps"):
                places = line.get_transform().transform(line.get_xydata())
                assert not any(box.contains(*place) for place in places), line.get_label()


@pytest.mark.parametrize("panels", [None, "lambda", ("steps", "mep", "t", "density"), PANELS[:3], PANELS[:5]])
def test_the_axes_are_those_of_a_new_figure(panels):
    count = 6 if panels is None else 1 if isinstance(panels, str) else len(panels)
    axes = plot_schedule(COMPARED["ours"], panels=panels)
    assert isinstance(axes, np.ndarray) and axes.shape == (count,)
    assert axes[0].figure.axes == list(axes)
    assert axes._repr_png_().startswith(b"\x89PNG")  # what a notebook shows


def test_given_axes_are_drawn_into():
    figure = matplotlib.figure.Figure()
    grid = figure.subplots(2, 3)
    axes = COMPARED["ours"].plot(SD, axes=grid)
    assert not hasattr(axes, "_repr_png_")  # a notebook shows the caller's figure
    assert list(axes) == list(grid.ravel()) and figure.axes == list(axes) and figure.get_suptitle() == ""
    alone = figure.add_subplot()
    assert list(plot_schedule(COMPARED["ours"], panels="steps", axes=alone)) == [alone]
    named = plot_schedules(COMPARED, panels=("t", "sigma"), axes=figure.subplots(1, 2))
    for panel in named:
        assert [label.get_text() for label in panel.get_yticklabels()] == list(COMPARED)


def test_the_documents_pictures_are_those_its_code_draws():
    page = (DOCS / "pictures.md").read_text(encoding="utf-8")
    stored = {path.name: path.stat().st_size for path in (DOCS / "images").glob("schedule-*.png")}
    drawn = re.findall(r'savefig\("(schedule-[^"]*)"', page)
    assert sorted(stored) == sorted(drawn) and all(f"(images/{name})" in page for name in drawn)
    assert max(stored.values()) < 150_000


def test_names_are_not_taken_for_formulas():
    axes = plot_schedules({"costs $5": COMPARED["ours"], "a $b$ c": COMPARED["Karras"]})
    axes[0].figure.draw_without_rendering()
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [r"costs \$5", r"a \$b\$ c"]


def test_nothing_is_left_in_matplotlib():
    before, figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    for name in ("sd21 5 zero", "compared"):
        PICTURES[name]()[0].figure.savefig(io.BytesIO(), format="png")
    assert dict(matplotlib.rcParams) == before and pyplot.get_fignums() == figures
    figure, axes = pyplot.subplots(1, 2)
    other = pyplot.figure()
    plot_schedule(COMPARED["ours"], panels=("t", "steps"), axes=axes)
    assert pyplot.gcf() is other and axes[0].figure is figure
    pyplot.close("all")
