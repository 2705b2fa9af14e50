"""The Markdown tables of the lab's results."""

from __future__ import annotations

from typing import Any

import pytest

for module in ("matplotlib", "scipy"):
    pytest.importorskip(module)

import report_document  # noqa: E402
import summarize  # noqa: E402

CELL = {"model": "sd", "solver": "UniPC-2", "nfe": 5}


def row(schedule: str, rmse: float) -> dict[str, Any]:
    made = CELL | {
        "schedule": schedule,
        "terminal": "zero",
        "seeds": 3,
        "n": 8,
        "timesteps": [999.0],
        "sigmas": [1.0, 0.0],
    }
    return made | {"rmse": {"mean": rmse, "std": 0.01}}


def verdict(rival: str, difference: float, p: float) -> dict[str, Any]:
    found = {"measure": "rmse", "ours": summarize.OURS, "rival": f"{rival}, zero", "difference": difference}
    return CELL | found | {"low": 0.0, "high": 0.0, "p": p, "p_holm": p}


@pytest.fixture
def document() -> Any:
    premise = {"limits": "measured", "proxy": "mep", "measure": "rmse", "schedules": 50, "kendall": 0.1, "points": []}
    ablation = {"group": "parts, zero", "variant": "hso", "contributions": {"ends": 0.05, "interior": -0.01}}
    content = {
        "run": {},
        "rows": [row("uniform t, trailing", 0.2), row("Karras", 0.1), row("HSO exact", 0.15)],
        "tests": [verdict("uniform t, trailing", -0.05, 0.01), verdict("Karras", 0.05, 0.2)],
        "premise": [CELL | premise | {"spearman": rho, "low": 0.0, "high": 1.0} for rho in (0.5, 0.9)],
        "ablation": [CELL | ablation, CELL | {"group": "parts, zero", "variant": "uniform", "rmse": 0.2}],
        "oracle": [
            CELL | {"method": "HSO", "share": 0.75},
            CELL | {"method": "HSO", "share": None},
            CELL | {"method": "oracle", "share": 1.0},
        ],
    }
    return report_document.parse(content)


def test_the_best_is_bold_whoever_it_is(document: Any) -> None:
    table = summarize.errors(document)
    assert "| sd, UniPC-2 | Karras, zero | - | - | **0.1000** |" in table and table.count("**") == 2


def test_verdicts_count_better_undecided_and_worse(document: Any) -> None:
    table = summarize.verdicts(document)
    assert "| uniform t, trailing, zero | 1 / 0 / 0 |" in table and "| Karras, zero | 0 / 1 / 0 |" in table


def test_a_loss_is_listed_with_its_test(document: Any) -> None:
    assert "| sd | UniPC-2 | 5 | Karras, zero | 0.1000 | 0.1500 | 0.2 |" in summarize.losses(document)


def test_correlations_parts_and_shares(document: Any) -> None:
    assert "| measured | mep | 0.70 (0.50..0.90) |" in summarize.correlations(document)
    assert "| sd | UniPC-2 | ends +25 %, interior -5 % |" in summarize.parts(document)
    assert "| HSO | 5 | 75 % (75) |" in summarize.shares(document)


def test_runs_of_several_models_are_one(document: Any) -> None:
    other = report_document.parse({"run": {}, "rows": [row("HSO exact", 0.1) | {"model": "flow"}]})
    assert summarize.together([document, other]).models == ["sd", "flow"]
