"""The answers that examples/embed.cpp must give are Python's. tests/consumer/run.sh builds it, runs it and compares."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hso

CONSUMER = Path(__file__).parents[1] / "consumer"
REQUESTS = (CONSUMER / "embed_requests.txt").read_text().splitlines()
ANSWERS = [json.loads(line) for line in (CONSUMER / "embed_answers.jsonl").read_text().splitlines()]


def answer(request: str) -> dict[str, object]:
    """What hso says to a request that the example accepts."""
    model, width, height, nfe, *terminal = request.split()
    size = {"width": int(width), "height": int(height)} if model == "flux-dev" else {}
    noise = hso.NoiseSchedule.preset(model, **size)
    schedule = hso.optimize(noise, int(nfe), terminal=terminal[0] if terminal else "zero")
    return {
        "shift": noise.shift,
        "nfe": schedule.nfe,
        "sigmas": schedule.sigmas.tolist(),
        "timesteps": schedule.timesteps.tolist(),
        "fitness": schedule.fitness,
        "status": schedule.status,
    }


@pytest.mark.parametrize(("request_line", "expected"), list(zip(REQUESTS, ANSWERS, strict=True)), ids=REQUESTS)
def test_expected_answers_are_pythons(request_line: str, expected: dict[str, object]) -> None:
    if "error" in expected:
        assert list(expected) == ["error"] and any(word in expected["error"] for word in ("must", "may", "a request"))
        return
    found = answer(request_line)
    assert found.keys() == expected.keys() and found["status"] == expected["status"]
    for name in found.keys() - {"status"}:
        np.testing.assert_allclose(expected[name], found[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_comparison_sees_a_difference(tmp_path: Path) -> None:
    def compare(answers: list[dict[str, object]]) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in answers))
        command = [sys.executable, CONSUMER / "compare_answers.py", path, CONSUMER / "embed_answers.jsonl"]
        return subprocess.run(command, capture_output=True, text=True)

    complete = [each if "error" in each else {**each, "gap": 1e-7, "microseconds": 90} for each in ANSWERS]
    assert compare(complete).returncode == 0
    assert "answers, expected" in compare(complete[1:]).stderr
    assert "answered" in compare([{**complete[0], "fitness": 1.000001 * complete[0]["fitness"]}, *complete[1:]]).stderr
    assert "gap" in compare([{**complete[0], "gap": 1e-5}, *complete[1:]]).stderr
    assert "answered" in compare([*complete[:6], {"error": "no"}, *complete[7:]]).stderr
