"""The numbers in the documents are those of bench/results; `python bench/python/document_numbers.py` writes them."""

from __future__ import annotations

import re

import pytest

from document_numbers import PAGES, ROOT, SENTENCES, Results, differences, rewritten


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str) -> None:
    text = read(page)
    changes = differences(text, rewritten(page, text, Results()))
    assert not changes, "python bench/python/document_numbers.py rewrites:\n" + "\n".join(changes)


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        ("docs/benchmarks.md", r"is [\d,]+ times as fast as", "is 17 times as fast as"),
        ("docs/benchmarks.md", r"\| hso exact \| [\d.]+ us", "| hso exact | 1.00 us"),
        ("README.md", r"some \d+ us without", "some 999 us without"),
        ("README.md", r"\*\*0\.\d+ \(", "**0.0001 ("),
    ],
)
def test_a_wrong_number_is_found_and_put_right(page: str, old: str, new: str) -> None:
    text = rewritten(page, read(page), Results())
    wrong = re.sub(old, new, text, count=1)
    assert wrong != text
    assert rewritten(page, wrong, Results()) == text


def test_words_that_are_gone_are_said() -> None:
    with pytest.raises(SystemExit, match=r"docs/exact\.md has 0 times: in \{few\} ms"):
        rewritten("docs/exact.md", "Other words.", Results())


def test_every_sentence_has_numbers() -> None:
    results = Results()
    for sentence in SENTENCES:
        assert set(sentence.numbers(results)) == set(re.findall(r"\{(\w+)\}", sentence.words))


def test_cells_in_short() -> None:
    """README's count against uniform t is that of the long table."""
    row = re.search(
        r"^\| uniform t, trailing, zero \| (\d+) / (\d+) / (\d+) \|", read("docs/benchmarks.md"), re.MULTILINE
    )
    assert row is not None
    better, alike, worse = row.groups()
    text = " ".join(read("README.md").split())
    assert f"better than uniform t in {better} cells, not told apart in {alike}, worse in {worse}" in text
