"""The script for A1111 and Forge, run against the part of their ``sd_schedulers`` that it touches."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import hso
from hso import exports

NOISE = hso.NoiseSchedule.preset("sd15")


@dataclasses.dataclass
class Scheduler:
    """As the web UIs declare it."""

    name: str
    label: str
    function: Any
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: Any = None


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """``modules.sd_schedulers`` with one schedule type of its own."""
    module = types.ModuleType("modules.sd_schedulers")
    own = Scheduler("karras", "Karras", None)
    module.Scheduler = Scheduler  # type: ignore[attr-defined]
    module.schedulers = [own]  # type: ignore[attr-defined]
    module.schedulers_map = {"karras": own, "Karras": own}  # type: ignore[attr-defined]
    package = types.ModuleType("modules")
    package.sd_schedulers = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules", package)
    monkeypatch.setitem(sys.modules, "modules.sd_schedulers", module)
    yield module


@pytest.mark.parametrize("format", ["a1111", "forge"])
@pytest.mark.parametrize("terminal", ["zero", "t_min"])
def test_the_script_adds_a_schedule_type(registry: Any, format: str, terminal: str) -> None:
    schedule = hso.optimize(NOISE, nfe=5, terminal=terminal)
    exec(exports.export(schedule, format), {})
    added = registry.schedulers[-1]
    assert added.label in exports.instructions(schedule, format)
    assert registry.schedulers_map[added.label] is registry.schedulers_map[added.name] is added
    sigmas = added.function(n=5, sigma_min=0.03, sigma_max=14.6, device="cpu")
    assert sigmas.dtype == torch.float32
    np.testing.assert_array_equal(sigmas.numpy(), schedule.sigmas.astype(np.float32))


def test_another_number_of_steps_is_an_error_and_not_another_schedule(registry: Any) -> None:
    exec(exports.export(hso.optimize(NOISE, nfe=5), "a1111"), {})
    with pytest.raises(ValueError, match="has 5 steps, asked for 6"):
        registry.schedulers[-1].function(6, 0.03, 14.6, "cpu")


def test_loading_the_script_again_replaces_its_entry(registry: Any) -> None:
    code = exports.export(hso.optimize(NOISE, nfe=5), "forge")
    exec(code, {})
    first = registry.schedulers[-1]
    exec(code, {})
    assert [x.label for x in registry.schedulers] == ["Karras", first.label]
    assert registry.schedulers_map[first.label] is registry.schedulers[-1] is not first
