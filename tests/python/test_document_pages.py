"""The checks of the documents' code blocks notice what is wrong with a block."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sybil")

from document_pages import MismatchError, compare, document, shown_output, skips


def evaluate(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    for example in document(page).examples():
        example.evaluate()


def fenced(language: str, source: str) -> str:
    return f"```{language}\n{source}\n```\n"


@pytest.mark.parametrize(
    "block",
    [
        fenced("python", "a = 1") + "text\n" + fenced("python", "assert a == 1"),
        fenced("python", "print(0.25)  # -> 0.25\nprint('no')\nprint('a', 'b')  # -> a ..."),
        fenced(
            "pycon", ">>> int('x')\nTraceback (most recent call last):\nValueError: invalid\n literal ...\n>>> 1\n1"
        ),
        fenced("console", "$ echo one\none\n$ echo two \\\n  three\ntwo ...\n$ true"),
        fenced("console", "$ echo wrong >&2; exit 3\nwrong"),
        fenced("sh", "x=1\ntest $x = 1"),
        fenced("json", '{"a": [1, 2]}'),
    ],
)
def test_right_blocks_pass(tmp_path: Path, block: str) -> None:
    evaluate(tmp_path, block)


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (fenced("python", "assert False"), AssertionError),
        (fenced("python", "print(0.25)  # -> 0.24"), MismatchError),
        (fenced("python", "print(1)\nprint(2)  # -> 1"), MismatchError),
        (fenced("pycon", ">>> 1\n2"), MismatchError),
        (fenced("pycon", ">>> int('1')\nTraceback (most recent call last):\nValueError: ..."), MismatchError),
        (fenced("console", "$ echo one\ntwo"), MismatchError),
        (fenced("console", "$ echo one; echo two\none"), MismatchError),
        (fenced("console", "$ exit 3"), MismatchError),
        (fenced("console", "no command"), ValueError),
        (fenced("sh", "false\ntrue"), MismatchError),
        (fenced("json", "{a: 1}"), ValueError),
    ],
)
def test_wrong_blocks_fail(tmp_path: Path, block: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(tmp_path, block)


def test_a_skip_needs_a_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('<!-- skip: next "needs a GPU" -->\n\n' + fenced("python", "1 / 0"), encoding="utf-8")
    assert skips(page) == ["needs a GPU"]
    page.write_text("<!-- skip: next -->\n\n" + fenced("python", "1 / 0"), encoding="utf-8")
    with pytest.raises(ValueError, match="reason"):
        skips(page)


def test_shown_output() -> None:
    assert shown_output("print(1)") is None
    assert shown_output("print(1)\nprint(2)  # -> 2\nx = 1\nprint(x)  # -> 1") == "...\n2\n1"


def test_compare_ignores_ends_of_lines_alone() -> None:
    compare("a  \nb", "a\nb   \n")
    with pytest.raises(MismatchError):
        compare("a b", "a  b")
