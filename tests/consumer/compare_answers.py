"""Compares the answers of examples/embed.cpp with the expected ones: same keys and words, numbers to 1e-9.

    compare_answers.py ANSWERS EXPECTED

Both hold a JSON object a line. The time of an answer is not compared, and of its gap only that it is below the 1e-6
asked for. That the expected ones are Python's is a test of its own (tests/python/test_examples_cpp.py).
"""

import json
import math
import sys
from pathlib import Path
from typing import Any


def same(answer: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(same, answer, expected))
    if isinstance(expected, str):
        return answer == expected
    return isinstance(answer, (int, float)) and math.isclose(answer, expected, rel_tol=1e-9, abs_tol=1e-12)


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the machine."""
    if "error" in answer:
        return answer
    gap, microseconds = answer.pop("gap"), answer.pop("microseconds")
    if not (0.0 <= gap <= 1e-6 and microseconds >= 0.0):
        sys.exit(f"gap {gap} or time {microseconds} of {answer}")
    return answer


def main() -> None:
    found, wanted = ([json.loads(line) for line in Path(name).read_text().splitlines()] for name in sys.argv[1:3])
    if len(found) != len(wanted):
        sys.exit(f"{len(found)} answers, expected {len(wanted)}")
    for answer, expected in zip(map(checked, found), wanted, strict=True):
        if answer.keys() != expected.keys() or not all(same(answer[key], expected[key]) for key in expected):
            sys.exit(f"answered {answer}\nexpected {expected}")


if __name__ == "__main__":
    main()
