"""Exports as text: each reads back as the same schedule, and as its program reads it; what cannot be is refused."""

from __future__ import annotations

import copy
import re
import shlex
from typing import Any

import numpy as np
import pytest

import hso
from hso import exports

NOISES = {
    "vp": hso.NoiseSchedule.preset("sd21"),
    "flow": hso.NoiseSchedule.flow(shift=3.0),
    "ve": hso.NoiseSchedule.preset("edm"),
}
EXACT = ("a1111", "forge", "k-diffusion", "diffusers", "sigmas", "timesteps")
FLOAT32 = ("comfyui", "stable-diffusion.cpp")
TERMINALS = ("zero", "t_min", "skip")


def schedule(family: str = "vp", terminal: str = "zero", nfe: int = 5, **options: Any) -> hso.Schedule:
    return hso.optimize(NOISES[family], nfe=nfe, terminal=terminal, **options)


def possible(format: str, family: str, terminal: str) -> bool:
    if format in ("a1111", "forge", "sdnext") and family == "ve":
        return False
    return not (format in ("sdnext", "timesteps") and terminal == "t_min")


CASES = [(f, m, t) for f in exports.FORMATS for m in NOISES for t in TERMINALS]


@pytest.mark.parametrize(("format", "family", "terminal"), [c for c in CASES if possible(*c)])
def test_reads_back_as_the_same_schedule(format: str, family: str, terminal: str) -> None:
    given = schedule(family, terminal)
    text = exports.export(given, format, noise=NOISES[family])
    back = exports.parse(text, format, NOISES[family])
    assert back.steps == given.steps
    assert back.noise_fingerprint == given.noise_fingerprint
    assert back.terminal == ("t_min" if terminal == "t_min" else "zero")
    if format in EXACT:
        np.testing.assert_allclose(back.sigmas, given.sigmas, rtol=1e-14)
        np.testing.assert_allclose(back.timesteps, given.timesteps, rtol=1e-12)
    elif format in FLOAT32:
        np.testing.assert_array_equal(back.sigmas.astype(np.float32), given.sigmas.astype(np.float32))
    else:
        before_shift = given.t[:-1] / (3.0 - 2.0 * given.t[:-1]) if family == "flow" else None
        expected = given.timesteps if before_shift is None else 1000.0 * before_shift
        told = back.timesteps if before_shift is None else 1000.0 * back.t[:-1] / (3.0 - 2.0 * back.t[:-1])
        np.testing.assert_allclose(told, np.rint(expected), atol=4e-3)  # 1000 is s = 1 - 1e-6


@pytest.mark.parametrize(("format", "family", "terminal"), [c for c in CASES if not possible(*c)])
def test_what_a_program_cannot_do_is_refused(format: str, family: str, terminal: str) -> None:
    field = "family" if family == "ve" and format != "timesteps" else "terminal"
    with pytest.raises(ValueError, match=rf"schedule\.{field} must .*'{format}'"):
        exports.export(schedule(family, terminal), format)


@pytest.mark.parametrize("format", exports.FORMATS)
def test_a_gain_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match=r"gain must be 1 .* got 1\.05"):
        exports.export(schedule().with_gain(1.05), format)


@pytest.mark.parametrize("format", exports.FORMATS)
def test_another_noise_schedule_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match="made for another noise schedule"):
        exports.export(schedule(), format, noise=NOISES["flow"])


def test_unknown_formats_and_other_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"format must be one of comfyui, .*got 'invoke'"):
        exports.export(schedule(), "invoke")
    with pytest.raises(ValueError, match="format must be one of"):
        exports.parse("1, 0", "invoke", NOISES["vp"])
    with pytest.raises(ValueError, match="text must be a string, got list"):
        exports.parse([1.0, 0.0], "sigmas", NOISES["vp"])  # type: ignore[arg-type]


def test_heun_is_refused_where_code_makes_one_call_a_step() -> None:
    two_calls = schedule(nfe=9, solver="heun")
    with pytest.raises(ValueError, match=r"a network call a step for 'diffusers', got 'heun'"):
        exports.export(two_calls, "diffusers")
    assert "9 network calls with heun in 5 steps" in exports.export(two_calls, "k-diffusion")
    assert "5 network calls with unipc in 5 steps" in exports.export(schedule(solver="unipc"), "diffusers")


@pytest.mark.parametrize(
    "text",
    [
        "[14.6, 5.9, 2.4, 1.0, 0.3, 0]",
        "14.6 5.9 2.4 1 0.3 0",
        "14.6,\n5.9,\n2.4,\n1.0,\n0.3,\n0.0,\n",
        "tensor([14.6, 5.9, 2.4, 1.0, 0.3, 0.], dtype=torch.float64)",
        "sigmas = [14.6, 5.9, 2.4, 1e0, 3e-1, 0]  # of a forum post",
        "(14.6; 5.9; 2.4; 1.0; 0.3; 0)",
        '"14.6, 5.9, 2.4, 1.0, 0.3, 0.0"',
    ],
)
@pytest.mark.parametrize("format", [f for f in exports.FORMATS if f not in ("timesteps", "sdnext")])
def test_pasted_lists_are_read(format: str, text: str) -> None:
    back = exports.parse(text, format, NOISES["vp"])
    assert back.terminal == "zero"
    np.testing.assert_allclose(back.sigmas, [14.6, 5.9, 2.4, 1.0, 0.3, 0.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no numbers"),
        ("# only a comment", "no numbers"),
        ("14.6, about five, 0", "list of numbers, got 'about'"),
        ("14.6", "at least 2 sigmas, got 1"),
        ("14.6, 2, 2, 0", "strictly decreasing, got 2 before 2"),
        ("0, 1, 14.6", "strictly decreasing"),
        ("nan, 1, 0", "finite, got nan"),
        ("80, 1, 0", r"within 0\.0291\d*\.\.14\.61\d* .* got 80"),
        ("14.6, 0.001", r"within .* got 0\.001"),
        ("14.6, 1, -0.5", r"within .* got -0\.5"),
    ],
)
def test_lists_that_are_no_schedule_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exports.parse(text, "sigmas", NOISES["vp"])


def test_timesteps_outside_the_table_are_refused() -> None:
    with pytest.raises(ValueError, match=r"timesteps must be within 0\.00\.\.999\.00 .* got 1400"):
        exports.parse("1400, 500", "timesteps", NOISES["vp"])
    assert exports.parse("999, 850, 736", "timesteps", NOISES["vp"]).timesteps == pytest.approx([999, 850, 736])


def test_rounding_past_an_end_of_the_table_is_forgiven() -> None:
    highest = float(np.exp(-NOISES["vp"].lambda_range[0]))
    back = exports.parse(f"{highest * (1 + 1e-6):.9f}, 1, 0", "sigmas", NOISES["vp"])
    assert back.sigmas[0] == pytest.approx(highest, rel=1e-12)
    assert exports.parse("1, 0.5, 0", "sigmas", NOISES["flow"]).sigmas[0] == NOISES["flow"].t_range[1]


def test_comfyui_finds_the_same_numbers_by_their_digits() -> None:
    """ManualSigmas takes every run of digits with a point for a number: exponents and words would add some."""
    given = hso.Schedule.from_nodes(NOISES["ve"], NOISES["ve"].t([-4.0, 0.0, 6.2]), terminal="t_min")
    found = [float(x) for x in re.findall(r"[-+]?\d*\.?\d+", exports.export(given, "comfyui"))]
    np.testing.assert_array_equal(np.float32(found), given.sigmas.astype(np.float32))
    tiny = hso.NoiseSchedule.edm(sigma_min=1e-6, sigma_max=80.0)
    text = exports.export(hso.Schedule.from_nodes(tiny, [1.0, 0.001], terminal="t_min"), "comfyui")
    assert text == "80, 0.000001"


def test_stable_diffusion_cpp_gets_two_options() -> None:
    given = schedule(terminal="t_min")
    words = shlex.split(exports.export(given, "stable-diffusion.cpp"))
    assert words[0] == "--steps" and int(words[1]) == given.steps and words[2] == "--sigmas"
    np.testing.assert_array_equal(np.float32(words[3].split(",")), given.sigmas.astype(np.float32))
    command = f"sd-cli -m model.safetensors {shlex.join(words)} -p 'a cat'"
    assert exports.parse(command, "stable-diffusion.cpp", NOISES["vp"]).steps == given.steps


@pytest.mark.parametrize("family", ["vp", "flow"])
def test_sdnext_reads_whole_timesteps(family: str) -> None:
    """It splits at commas and spaces, keeps what is all digits, and counts the pieces."""
    given = schedule(family, nfe=4)
    text = exports.export(given, "sdnext")
    pieces = re.split("[, ]", text)
    assert len(pieces) == given.steps and all(piece.isdigit() for piece in pieces)
    clock = np.array([int(piece) for piece in pieces]) / 1000.0
    if family == "flow":  # the scheduler shifts what it is given
        np.testing.assert_allclose(3.0 * clock / (1.0 + 2.0 * clock), given.t[:-1], atol=1.6e-3)
    else:
        np.testing.assert_allclose(1000.0 * clock, given.timesteps, atol=0.5)


def test_sdnext_refuses_what_it_would_ignore_or_merge() -> None:
    with pytest.raises(ValueError, match=r"at least 3 steps .* got 2"):
        exports.export(schedule(nfe=2), "sdnext")
    close = hso.Schedule.from_nodes(NOISES["vp"], [1.0, 0.5003, 0.4998, 0.1])
    with pytest.raises(ValueError, match="same whole timestep"):
        exports.export(close, "sdnext")


def test_nodes_that_float32_cannot_tell_apart_are_refused() -> None:
    close = hso.Schedule.from_nodes(NOISES["vp"], [1.0, 0.5, 0.5 - 1e-10, 0.1])
    with pytest.raises(ValueError, match="same number in float32"):
        exports.export(close, "comfyui")
    assert exports.parse(exports.export(close, "sigmas"), "sigmas", NOISES["vp"]).steps == 4


@pytest.mark.parametrize("format", [f for f in exports.FORMATS if f not in ("timesteps", "sdnext")])
def test_noise_that_stays_is_told(format: str) -> None:
    given = schedule(terminal="t_min")
    sentence = f"stops at sigma {given.sigmas[-1]:.4g}: the image keeps that much noise"
    assert sentence in exports.instructions(given, format)
    assert "stops at" not in exports.instructions(schedule(), format)
    if format in ("a1111", "forge", "k-diffusion", "diffusers"):  # these take comments
        text = exports.export(given, format)
        assert sentence in text
        assert f"HSO {hso.__version__}: 5 network calls" in text and given.noise_fingerprint in text


@pytest.mark.parametrize(
    ("format", "family"), [(f, m) for f, m, t in CASES if t == "zero" and f != "sdnext" and possible(f, m, t)]
)
def test_one_step(format: str, family: str) -> None:
    given = schedule(family, nfe=1)
    back = exports.parse(exports.export(given, format), format, NOISES[family])
    assert back.steps == 1 and back.sigmas == pytest.approx(given.sigmas, rel=1e-7)


def test_files_of_the_first_format_have_less_to_tell() -> None:
    old = copy.copy(schedule("flow"))
    for name in ("shift", "version"):
        object.__setattr__(old, name, None)
    assert exports.export(old, "k-diffusion").startswith("# HSO: 5 network calls")
    with pytest.raises(ValueError, match=r"schedule\.shift must be known for 'sdnext', got None"):
        exports.export(old, "sdnext")


def test_schedules_export_themselves() -> None:
    given = schedule()
    assert given.export("comfyui", noise=NOISES["vp"]) == exports.export(given, "comfyui")
