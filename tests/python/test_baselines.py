"""The ends that baselines take: inside the noise schedule's range, or refused."""

import numpy as np
import pytest

import hso
from tables import SD

FLOW = hso.NoiseSchedule.flow(shift=3.0)
SHORT = hso.NoiseSchedule.from_table(np.linspace(0.1, 0.9, 9), *(f(np.linspace(0.1, 0.9, 9)) for f in (np.cos, np.sin)))
WITH_ENDS = ["uniform_lambda", "karras", "beta", "kl_optimal", "linear_quadratic", "dm_nonuni"]


@pytest.mark.parametrize("name", [*WITH_ENDS, "uniform_t"])
@pytest.mark.parametrize(
    ("noise", "ends", "message"),
    [
        (SD, {"t_max": 1.5}, r"t_max must be within .*0\.001\.\.1\.0, got 1\.5"),
        (SD, {"t_min": 0.0}, r"t_min must be within .*0\.001\.\.1\.0, got 0\.0"),
        (SD, {"t_min": -1.0}, r"t_min must be within .*got -1\.0"),
        (SD, {"t_max": float("nan")}, "t_max must be within .*got nan"),
        (SD, {"t_max": "1"}, "t_max must be a real number, got '1'"),
        (SHORT, {"t_min": 0.2, "t_max": 0.95}, r"t_max must be within .*0\.1\.\.0\.9, got 0\.95"),
        (FLOW, {"t_max": 1.0 + 1e-9}, "t_max must be within"),
        (SD, {"t_min": 0.5, "t_max": 0.4}, "t_min must be below t_max = 0.4, got 0.5"),
    ],
)
def test_ends_outside_the_range_are_refused(name, noise, ends, message):
    with pytest.raises(ValueError, match=message):
        getattr(hso.schedules, name)(noise, 4, terminal="t_min", **ends)


@pytest.mark.parametrize("name", WITH_ENDS)
def test_ends_are_where_they_were_asked_for(name):
    s = getattr(hso.schedules, name)(SD, 4, terminal="t_min", t_min=0.05, t_max=0.9)
    assert (s.t[0], s.t[-1]) == pytest.approx((0.9, 0.05), abs=1e-9)


def test_a_flow_schedule_may_start_at_one():
    assert hso.schedules.uniform_lambda(FLOW, 4, t_max=1.0) == hso.schedules.uniform_lambda(FLOW, 4)


def test_uniform_t_refuses_what_it_would_ignore():
    for spacing in ("trailing", "leading"):
        with pytest.raises(ValueError, match=f"t_min must be left out .*'{spacing}', got 0.1"):
            hso.schedules.uniform_t(SD, 4, spacing=spacing, t_min=0.1)
    with pytest.raises(ValueError, match="spacing must be one of"):
        hso.schedules.uniform_t(SD, 4, terminal="t_min", spacing="log")
    s = hso.schedules.uniform_t(SD, 4, spacing="linspace", t_min=0.1, t_max=0.7)
    np.testing.assert_allclose(s.t[:4], [0.7, 0.5, 0.3, 0.1], atol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("a", 0.0), ("b", -1.0), ("a", float("nan"))])
def test_beta_refuses_bad_shapes(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive"):
        hso.schedules.beta(SD, 4, **{name: value})
