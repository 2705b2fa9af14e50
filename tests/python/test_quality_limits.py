"""How hso's default limits were chosen: what is varied, and what the summary says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

for module in ("torch", "diffusers", "accelerate", "rich", "scipy", "safetensors"):
    pytest.importorskip(module)

import choose_limits  # noqa: E402
import hso  # noqa: E402

NOISES: Any = {
    "sd": hso.NoiseSchedule.preset("sd15"),
    "flow": hso.NoiseSchedule.flow(),
    "edm": hso.NoiseSchedule.edm(),
}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("nfe", choose_limits.NFE)
@pytest.mark.parametrize("terminal", choose_limits.VALUES["terminal"])
def test_the_default_is_hsos(name: str, nfe: int, terminal: Any) -> None:
    made = choose_limits.schedule(NOISES[name], nfe, {"terminal": terminal})
    np.testing.assert_allclose(made.t, hso.optimize(NOISES[name], nfe, terminal=terminal).t, atol=1e-7)


def test_each_value_changes_what_it_says() -> None:
    sd = NOISES["sd"]
    assert float(np.exp(-choose_limits.schedule(sd, 8, {"last": 3.0}).lambdas[-2])) == pytest.approx(3.0 / 8)
    assert choose_limits.schedule(sd, 8, {"spacing": 0.25}).d_min == pytest.approx(0.25 * hso.d_min(8))
    assert choose_limits.schedule(sd, 8, {"first": 0.96}).t[0] == pytest.approx(0.96)
    assert choose_limits.schedule(sd, 8, {"p": 1.0}).mep == pytest.approx(
        hso.mep(sd, choose_limits.schedule(sd, 8, {"p": 1.0}).lambdas[:-1], p=1.0)
    )


def test_the_summary_is_the_geometric_mean_of_ratios() -> None:
    cells = [{"model": m, "solver": "DDIM", "nfe": 5, "n": 1} for m in ("a", "b")]
    errors = {"a": (0.1, 0.2), "b": (0.4, 0.2)}
    rows = [
        cell | {"setting": "last", "value": value, "rmse": errors[cell["model"]][i]}
        for cell in cells
        for i, value in enumerate((1.5, 3.0))
    ]
    found = {row["value"]: row for row in choose_limits.summary(rows)}
    assert found[1.5]["ratio"] == 1.0 and found[3.0]["ratio"] == pytest.approx(1.0)
    assert (found[3.0]["least"], found[3.0]["most"], found[3.0]["cells"]) == (0.5, 2.0, 2)
