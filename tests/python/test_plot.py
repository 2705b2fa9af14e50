"""Pictures of schedules: what is drawn are the schedule's own numbers."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import hso
from calibration_models import SIZE, gaussian
from tables import SD

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from hso.plot import plot_schedule, plot_schedules  # noqa: E402
from hso.plot._measure import error_density, mep_terms  # noqa: E402

FLOW, EDM = hso.NoiseSchedule.flow(shift=3.0), hso.NoiseSchedule.edm()
_T = np.linspace(0.01, 1.0, 100)
GENERAL = hso.NoiseSchedule.from_table(_T, 1.0 - 0.9 * _T, _T**2 + 0.01)
PROXY = hso.ErrorProxy([-3.0, -1.0, 0.5, 3.0], [9.0, 2.0, 1.0, 0.1])
CASES = {
    "zero": (SD, {}),
    "t_min": (SD, {"terminal": "t_min"}),
    "skip": (SD, {"terminal": "skip"}),
    "flow": (FLOW, {}),
    "edm": (EDM, {"terminal": "skip"}),
    "p": (SD, {"p": 3.5}),
    "proxy": (SD, {"proxy": PROXY}),
    "general": (GENERAL, {"terminal": "t_min"}),
    "solver": (SD, {"solver": "heun"}),
}


def lines(axes, gid):
    """The lines that bear this mark."""
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def only(axes, gid):
    found = lines(axes, gid)
    assert len(found) == 1
    return found[0]


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.fixture(params=CASES)
def case(request):
    noise, options = CASES[request.param]
    return noise, hso.optimize(noise, 5, **options)


@pytest.mark.parametrize("with_noise", [False, True])
def test_nodes_are_the_schedules(case, with_noise):
    noise, s = case
    axes = plot_schedule(s, noise if with_noise else None, panels=("t", "lambda", "sigma"))
    for panel, levels in zip(axes, (s.t, s.lambdas, s.sigmas), strict=True):
        np.testing.assert_allclose(only(panel, "nodes").get_xdata(), levels[: s.steps], rtol=1e-12)
        np.testing.assert_array_equal(only(panel, "nodes").get_ydata(), np.arange(s.steps))
        end = only(panel, "end")
        assert end.get_ydata()[0] == s.steps and end.get_markerfacecolor() == "none"
        left, right = panel.get_xlim()
        assert (left > right) == (panel is not axes[1])  # noise on the left
        if s.terminal == "t_min" or panel is axes[0]:
            assert end.get_xdata()[0] == pytest.approx(levels[-1], rel=1e-12)
        else:  # sigma 0 has no place there: an arrow at the right edge, 1 in the axes' coordinates
            assert end.get_marker() == ">" and list(end.get_xdata()) == [1.0]
            assert end.get_transform().transform((1.0, 0.0))[0] == pytest.approx(panel.bbox.x1)
        if with_noise:
            path, uniform = only(panel, "path"), only(panel, "uniform")
            for line in (path, uniform):
                assert np.all(np.diff(line.get_ydata()) > 0.0)
            at = np.isin(path.get_ydata(), np.arange(s.steps))
            np.testing.assert_allclose(path.get_xdata()[at], levels[: s.steps], rtol=1e-6, atol=1e-6)


def test_between_nodes_the_lines_follow_the_noise_schedule():
    s = hso.optimize(SD, 3)
    in_t, in_lambda = (only(panel, "path") for panel in plot_schedule(s, SD, panels=("t", "lambda")))
    np.testing.assert_allclose(in_lambda.get_xdata(), SD.lam(np.asarray(in_t.get_xdata())), rtol=1e-12)
    uniform = only(plot_schedule(s, SD, panels="lambda")[0], "uniform")
    third = np.isclose(uniform.get_ydata(), 1.0)
    expected = hso.schedules.uniform_t(SD, 3).lambdas[1]
    assert uniform.get_xdata()[third][0] == pytest.approx(expected, rel=1e-12)


def bars(axes):
    """Heights of the steps' bars by their number, and the label of each."""
    found = {}
    for container in axes.containers:
        for bar in container:
            found[round(bar.get_x() + bar.get_width() / 2)] = (bar.get_height(), container.get_label())
    return found


def test_steps_and_d_min(case):
    _, s = case
    axes = plot_schedule(s, panels="steps")[0]
    heights = bars(axes)
    np.testing.assert_allclose([heights[i + 1][0] for i in range(s.steps)], -np.diff(s.t), rtol=1e-12)
    line = only(axes, "d_min")
    assert set(line.get_ydata()) == {s.d_min} and f"{s.d_min:.3g}" in line.get_label()
    assert ("not bounded" in heights[s.steps][1]) == (s.terminal != "t_min")
    if s.terminal == "skip":  # the spacing to the node that is left out is bounded too
        assert only(axes, "left out").get_ydata()[0] == pytest.approx(s.t[-2] - s.psi.t_min, rel=1e-12)


def test_steps_say_which_ones_bind():
    s = hso.optimize(SD, 6, d_min=0.15, terminal="t_min")
    heights = bars(plot_schedule(s, panels="steps")[0])
    at = [label == r"at $d_{min}$: it binds" for _, (_, label) in sorted(heights.items())]
    np.testing.assert_array_equal(at, np.isclose(-np.diff(s.t), 0.15, rtol=1e-6))
    assert any(at) and not all(at)
    published = hso.optimize(SD, 6, search="paper", terminal="t_min")
    assert published.min_spacing < 0.99 * published.d_min
    assert bars(plot_schedule(published, panels="steps")[0])[1][1] == "shorter than $d_{min}$"


def test_a_spacing_that_nobody_asked_for_is_said_to_be_none():
    s = hso.schedules.uniform_lambda(SD, 6)
    assert labels(plot_schedule(s, panels="steps")[0]) == [f"$d_{{min}}$ = {s.d_min:.3g}, not asked for"]
    asked = hso.Schedule.from_nodes(SD, s.t[:-1], d_min=0.05)
    assert "shorter than $d_{min}$" in labels(plot_schedule(asked, panels="steps")[0])
    free = hso.optimize(SD, 5, d_min=0.0)
    assert not lines(plot_schedule(free, panels="steps")[0], "d_min")


POWERS = {"vp": SD, "flow": FLOW, "ve": EDM, "general": GENERAL}


def integrand(noise, lam, p):
    return np.asarray(noise.sigma(lam)) ** (p - 1.0)


@pytest.mark.parametrize("family", POWERS)
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5])
def test_density_is_g_less_its_second_derivative(family, p):
    noise = POWERS[family]
    low, high = noise.lambda_range
    t = noise.t(np.linspace(0.8 * low + 0.2 * high, 0.3 * low + 0.7 * high, 5))
    s = hso.Schedule.from_nodes(noise, t, p=p, terminal="t_min")
    axes = plot_schedule(s, noise, panels="density")[0]
    lam, w = only(axes, "density").get_data()
    assert lam[0] == pytest.approx(low) and lam[-1] == pytest.approx(high)
    middle, h = lam[5:-5], 1e-4 if family != "general" else 1e-3
    center = integrand(noise, middle, p)
    second = (integrand(noise, middle + h, p) - 2.0 * center + integrand(noise, middle - h, p)) / h**2
    smooth = np.ones(len(middle), dtype=bool)
    if family == "general":  # G'' jumps at the table's entries
        knots = np.asarray(noise.lam(_T))
        smooth = np.min(np.abs(middle[:, None] - knots), axis=1) > 2.0 * h
    scale = np.maximum(center, 1e-3)
    np.testing.assert_allclose((w[5:-5] / scale)[smooth], ((center - second) / scale)[smooth], atol=3e-5)
    nodes = only(axes, "nodes")
    np.testing.assert_allclose(nodes.get_xdata(), s.lambdas[:-1])
    np.testing.assert_allclose(nodes.get_ydata(), np.interp(s.lambdas[:-1], lam, w), rtol=0.05, atol=0.02 * w.max())


def test_density_of_a_tabulated_proxy():
    s = hso.optimize(SD, 5, proxy=PROXY)
    lam, h = np.array([-2.1, -0.4, 0.9]), 1e-4

    def g(x):
        return np.asarray(PROXY(x)) * np.exp(x)

    expected = g(lam) - (g(lam + h) - 2 * g(lam) + g(lam - h)) / h**2
    np.testing.assert_allclose(error_density(s, None, lam), expected, rtol=1e-5)
    assert "$w$, tabulated proxy" in labels(plot_schedule(s, panels="density")[0])


def test_limit_density_is_the_cube_root():
    s = hso.optimize(SD, 5)
    axes = plot_schedule(s, SD, panels="density")[0]
    lam, limit = only(axes, "limit").get_data()
    expected = np.asarray(SD.sigma(lam)) * np.cbrt(1.0 + 3.0 * np.asarray(SD.alpha(lam)) ** 2)
    inside = slice(1, -1)  # the ends' values are taken just inside
    np.testing.assert_allclose((limit / limit.max())[inside], (expected / expected.max())[inside], rtol=1e-4)
    many = hso.optimize(SD, 200, d_min=0.0, gap=None)
    spacing = np.diff(many.lambdas[:-1])
    middles = (many.lambdas[1:-1] + many.lambdas[:-2]) / 2.0
    product = spacing * np.interp(middles, lam, limit)
    assert np.ptp(product) < 0.01 * product.mean()  # so many nodes are as dense as the curve


@pytest.mark.parametrize(("p", "negative"), [(2.0, False), (3.5, True)])
def test_negative_density_is_shaded(p, negative):
    s = hso.optimize(SD, 6, p=p)
    axes = plot_schedule(s, SD, panels="density")[0]
    shaded = [each for each in axes.collections if each.get_gid() == "negative"]
    assert bool(shaded) == negative == any("rewards huge steps" in label for label in labels(axes))
    limit = only(axes, "limit").get_ydata()
    np.testing.assert_array_equal(np.isnan(limit), only(axes, "density").get_ydata() <= 0.0)


def test_mep_is_summed_over_the_nodes(case):
    noise, s = case
    terms = mep_terms(s, noise)
    nodes = s.lambdas if s.terminal == "t_min" else s.lambdas[:-1]
    if s.terminal == "skip":
        nodes = np.append(nodes, noise.lam(s.psi.t_min))
    proxy = PROXY if s.options["p"] is None else None
    each = [hso.mep(noise, pair, p=s.options["p"], proxy=proxy) for pair in itertools.pairwise(nodes)]
    np.testing.assert_allclose(terms, each, rtol=1e-10)
    assert terms.sum() == pytest.approx(s.mep, rel=1e-10)
    axes = plot_schedule(s, noise, panels="mep")[0]
    lam, sums = only(axes, "path").get_data()
    np.testing.assert_allclose(lam, nodes, rtol=1e-12)
    np.testing.assert_allclose(sums, np.concatenate([[0.0], np.cumsum(each)]), rtol=1e-10)
    assert f"sum {s.mep:.5g}, " in labels(axes)[-1]
    np.testing.assert_allclose(axes.patches[0].get_data().values, each, rtol=1e-10)


def test_mep_of_skip_without_the_noise_schedule():
    s = hso.optimize(SD, 5, terminal="skip")
    np.testing.assert_allclose(mep_terms(s, None), mep_terms(s, SD), rtol=1e-9)
    axes = plot_schedule(s, panels="mep")[0]
    end = only(axes, "end")
    assert list(end.get_xdata()) == [1.0] and end.get_ydata()[0] == pytest.approx(s.mep, rel=1e-12)


def test_other_objectives_are_shown_under_mep_and_say_so():
    s = hso.optimize(SD, 5, objective="dm_nonuni", p=1.5)
    axes = plot_schedule(s, SD, panels=("density", "mep"))
    assert [panel.get_title() for panel in axes] == ["nodes by dm_nonuni, not by MEP"] * 2
    sums = only(axes[1], "path").get_ydata()
    lam = s.lambdas[np.isfinite(s.lambdas)]
    assert sums[-1] == pytest.approx(hso.mep(SD, lam, p=1.5), rel=1e-12) != pytest.approx(s.mep, rel=1e-3)
    assert "$w$, p = 1.5" in labels(axes[0])
    for other, name in ((hso.schedules.karras(SD, 5), "karras"), (hso.optimize(SD, 5), None)):
        title = plot_schedule(other, panels="mep")[0].get_title()
        assert title == ("" if name is None else f"nodes by {other.search}, not by MEP")


def test_a_calibrated_schedule_names_the_profiles_objective():
    profile = hso.calibrate(gaussian(SD), SD, solver="ddim", shape=(SIZE,), budget=256)
    s = hso.optimize(profile, 4, objective="jump")
    axes = plot_schedule(s, SD)
    assert axes[4].get_title() == "nodes by a profile's objective 'jump', not by MEP"
    assert "not asked for" in labels(axes[3])[0]
    assert mep_terms(s, SD).sum() == pytest.approx(s.mep, rel=1e-12)


@pytest.mark.parametrize("terminal", ["zero", "t_min", "skip"])
def test_one_step(terminal):
    s = hso.optimize(SD, 1, terminal=terminal)
    for noise in (None, SD):
        axes = plot_schedule(s, noise)
        assert list(only(axes[1], "nodes").get_xdata()) == [s.lambdas[0]] and len(bars(axes[3])) == 1
        axes[0].figure.draw_without_rendering()
    assert ("one node: no interval" in labels(axes[5])) == (terminal == "zero")


def compared():
    karras = hso.schedules.karras(SD, 6)
    return {"ours": hso.optimize(SD, 5), "Karras": karras, "to t_min": hso.optimize(SD, 5, terminal="t_min")}


@pytest.mark.parametrize("noise", [None, SD], ids=["bare", "noise"])
def test_a_comparison_shows_every_schedule(noise):
    schedules = compared()
    axes = plot_schedules(schedules, noise)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(schedules)
    for panel, levels in zip(axes[:3], ("t", "lambdas", "sigmas"), strict=True):
        for row, (line, s) in enumerate(zip(lines(panel, "nodes"), schedules.values(), strict=True)):
            np.testing.assert_allclose(line.get_xdata(), getattr(s, levels)[: s.steps], rtol=1e-12)
            assert set(line.get_ydata()) == {row}
    for line, s in zip(lines(axes[3], "steps"), schedules.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), -np.diff(s.t))
    heights = sorted(line.get_ydata()[0] for line in lines(axes[3], "d_min"))
    assert heights == sorted({s.d_min for s in schedules.values() if s.status != "given"})
    for line, s in zip(lines(axes[5], "path"), schedules.values(), strict=True):
        assert line.get_ydata()[-1] == pytest.approx(s.mep, rel=1e-12)
    assert labels(axes[5]) == [f"{s.mep:.4g}" for s in schedules.values()]
    alone = plot_schedules(schedules, noise, panels=("mep", "density", "steps"))
    assert labels(alone[0]) == [f"{name}: {s.mep:.4g}" for name, s in schedules.items()]
    assert all(set(schedules) <= set(labels(panel)) for panel in alone[1:])


def test_models_side_by_side():
    schedules = {"sd": hso.optimize(SD, 5), "flow": hso.optimize(FLOW, 5), "edm": hso.optimize(EDM, 5)}
    axes = plot_schedules(schedules)
    for line, s in zip(lines(axes[2], "nodes"), schedules.values(), strict=True):
        np.testing.assert_allclose(line.get_xdata(), np.exp(-s.lambdas[:-1]), rtol=1e-12)
    assert "VE" in axes[2].get_xlabel() and len(lines(axes[4], "density")) == 3
    flows = {"a": hso.optimize(FLOW, 5), "b": hso.optimize(FLOW, 6)}
    assert "VE" not in plot_schedules(flows, panels="sigma")[0].get_xlabel()


def test_wrong_arguments_are_refused():
    s, known = hso.optimize(SD, 5), r"'t', 'lambda', 'sigma', 'steps', 'density', 'mep'"
    general = hso.optimize(GENERAL, 4)
    figure = matplotlib.figure.Figure()
    for make, message in (
        (lambda: plot_schedule(s, FLOW), "schedule was made for another noise schedule"),
        (lambda: plot_schedules({"a": s, "b": hso.optimize(FLOW, 4)}, SD), "schedule 'b' was made for another"),
        (lambda: plot_schedule(s, "sd21"), "noise must be an hso.NoiseSchedule.*'sd21'"),
        (lambda: plot_schedule(s, panels="error"), f"panels must be one of {known}, got 'error'"),
        (lambda: plot_schedule(s, panels=("t", 3)), f"panels must be one of {known}, got 3"),
        (lambda: plot_schedule(s, panels=()), f"panels must be one or more of {known}"),
        (lambda: plot_schedule(s, axes=figure.subplots(1, 2)), "axes must be as many as the panels, 6.*got 2"),
        (lambda: plot_schedule(s, panels="t", axes=[figure]), "axes must be matplotlib axes, got"),
        (lambda: plot_schedule(general, panels="mep"), "noise must be given.*'general'"),
        (lambda: plot_schedule("x.json"), "schedule must be an hso.Schedule, got 'x.json'"),
        (lambda: plot_schedules({}), "schedules must be a mapping"),
        (lambda: plot_schedules([s]), "schedules must be a mapping"),
        (lambda: plot_schedules({"a": 1}), r"schedules\['a'\] must be an hso.Schedule, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_what_the_schedule_alone_cannot_say_is_left_out():
    general = hso.optimize(GENERAL, 4)
    assert len(plot_schedule(general)) == 4 and len(plot_schedule(general, GENERAL)) == 6
    tabulated = hso.optimize(GENERAL, 4, proxy=PROXY)
    assert len(plot_schedule(tabulated)) == 6
    old = replace(hso.optimize(SD, 4), options={})  # as a file of the first format gives it
    assert len(plot_schedule(old, SD)) == 4
    with pytest.raises(ValueError, match="schedule file of format 1"):
        plot_schedule(old, SD, panels="density")
