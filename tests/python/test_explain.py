"""What `hso.explain` says is what the schedule's numbers say."""

import re

import numpy as np
import pytest

import hso
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
EDM = hso.NoiseSchedule.edm()
PARAMETERS = {
    "exact": (SD, 5, {}),
    "one node": (SD, 1, {}),
    "skip": (SD, 6, {"terminal": "skip"}),
    "held": (SD, 6, {"terminal": "t_min", "limits": "published"}),
    "no room": (FLOW, 11, {"limits": "published"}),
    "missed": (SD, 6, {"terminal": "t_min", "search": "paper"}),
    "soft": (SD, 6, {"gamma": 1e3, "d_min": 0.2, "t_max": (0.9, 0.9)}),
    "heun": (FLOW, 7, {"solver": "heun"}),
    "edm": (EDM, 5, {}),
    "uncertified": (SD, 5, {"gap": None}),
    "bilevel": (SD, 5, {"search": "bilevel"}),
    "dm_nonuni": (SD, 5, {"objective": "dm_nonuni", "terminal": "t_min"}),
    "table": (SD, 5, {"proxy": hso.ErrorProxy([-6.0, 0.0, 6.0], [3.0, 1.0, 0.5])}),
    "collapsed": (SD, 8, {"p": 6.0, "d_min": 0.0, "search": "bilevel"}),
}
SCHEDULES = {name: (noise, hso.optimize(noise, nfe, **options)) for name, (noise, nfe, options) in PARAMETERS.items()}


def said(name: str, *, noise: bool = True) -> dict[str, str]:
    table, schedule = SCHEDULES[name]
    return dict(hso.explain(schedule, table if noise else None).facts)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("with_noise", [True, False])
def test_every_topic_has_something_to_say(name, with_noise):
    facts = said(name, noise=with_noise)
    assert list(facts) == ["Calls", "Steps", "Why", "Ends", "Spacing", "Proof"]
    assert all(text.endswith(".") and "  " not in text for text in facts.values())


def test_the_text_has_all_facts():
    table, schedule = SCHEDULES["exact"]
    explanation = hso.explain(schedule, table)
    text = " ".join(str(explanation).split())
    assert all(f"{topic}: {words}" in text for topic, words in explanation.facts)
    assert max(map(len, str(explanation).splitlines())) <= 100


def test_calls_and_steps_are_counted():
    assert said("exact")["Calls"].startswith("5 network calls at t = 1, ")
    assert said("one node")["Calls"].startswith("1 network call at t = 1.")
    assert said("heun")["Calls"].startswith("7 network calls of heun in 4 steps at t =")
    assert "leaves that much noise" in said("held")["Calls"] and "straight to sigma 0" in said("skip")["Calls"]
    for name in ("exact", "skip", "held"):
        _, schedule = SCHEDULES[name]
        noisy = sum(level < 0 for level in schedule.lambdas[: schedule.steps])
        assert said(name)["Steps"].startswith(f"{noisy} of {schedule.steps} nodes lie where")


def test_gain_is_told():
    table, schedule = SCHEDULES["exact"]
    assert "1.05 times the noise" in dict(hso.explain(schedule.with_gain(1.05), table).facts)["Calls"]


def test_rivals_are_measured_between_the_same_ends():
    table, schedule = SCHEDULES["exact"]
    words = said("exact")["Why"]
    nodes = schedule.lambdas[:-1]
    uniform = float(hso.mep(table, np.linspace(nodes[0], nodes[-1], len(nodes))))
    assert f"uniform in lambda {uniform:.6g}" in words
    rivals = [float(value) for value in re.findall(r"(?:uniform in t|uniform in lambda|Karras) (\d+\.\d+)", words)]
    assert len(rivals) == 3 and min(rivals) > schedule.mep
    assert "uniform in t" not in said("exact", noise=False)["Why"] and "Karras" not in said("one node")["Why"]


def test_what_the_spacing_holds_and_costs():
    table, schedule = SCHEDULES["held"]
    words = said("held")["Spacing"]
    assert "It holds the 1st, 2nd intervals." in words
    np.testing.assert_allclose(-np.diff(schedule.t)[:2], schedule.d_min, rtol=1e-6)
    ends = {"t_min": (schedule.t[-1],) * 2, "t_max": (schedule.t[0],) * 2}
    free = hso.optimize(table, 6, terminal="t_min", d_min=0.0, **ends)
    assert free.fitness < schedule.fitness and f"would be {free.fitness:.6g}" in words
    assert "would be" not in said("held", noise=False)["Spacing"]
    assert "It holds nothing." in said("exact")["Spacing"] and "one node" in said("one node")["Spacing"]
    assert "% of the room" in said("no room")["Spacing"] and "% of the room" not in said("exact")["Spacing"]


def test_a_missed_spacing_is_told():
    _, schedule = SCHEDULES["missed"]
    words = said("missed")["Spacing"]
    assert "missed in the 1st interval" in words and f"{schedule.penalty:.6g}" in words and "published" in words
    assert "penalty of weight 1000" in said("soft")["Spacing"]


def test_what_is_proved():
    _, schedule = SCHEDULES["exact"]
    assert f"below {schedule.lower_bound:.8g}" in said("exact")["Proof"] and "not for images" in said("exact")["Proof"]
    assert "Nothing is proved" in said("uncertified")["Proof"] and "Nothing is proved" in said("bilevel")["Proof"]


def test_why_names_the_objective():
    assert "p = 1" in said("edm")["Why"] and "DM-NonUni" in said("dm_nonuni")["Why"]
    assert "tabulated" in said("table")["Why"] and "sigma^2/alpha" in said("exact")["Why"]
    assert SCHEDULES["collapsed"][1].status == "collapsed" and "huge steps" in said("collapsed")["Why"]
    given = hso.explain(hso.schedules.karras(SD, 5), SD)
    assert "not searched for (karras)" in dict(given.facts)["Why"]


def test_the_ends_and_who_chose_them():
    assert said("exact")["Ends"].count("as samples ask for") == 2
    assert said("missed")["Ends"].count("the paper's ranges") == 2
    assert "t = 0.9 (sigma / alpha = " in said("soft")["Ends"] and "fixed at 0.9" in said("soft")["Ends"]


def test_other_arguments_are_refused():
    _, schedule = SCHEDULES["exact"]
    with pytest.raises(ValueError, match=r"schedule must be an hso\.Schedule, got 5"):
        hso.explain(5)
    with pytest.raises(ValueError, match="made for another noise schedule"):
        hso.explain(schedule, FLOW)
    with pytest.raises(ValueError, match=r"noise must be an hso\.NoiseSchedule"):
        hso.explain(schedule, "sd21")
