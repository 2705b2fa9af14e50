"""Numbers as text and back."""

from __future__ import annotations

import ast

import numpy as np

from hso._arrays import Array

_SEPARATORS = str.maketrans(dict.fromkeys(",;()[]{}'\"", " "))


def float32_list(values: Array) -> list[str]:
    """The shortest decimals that float32 reads as `values`, without exponents."""
    return _strictly_decreasing(values.astype(np.float32))


def float64_list(values: Array) -> list[str]:
    """The shortest decimals that float64 reads as `values`, without exponents."""
    return _strictly_decreasing(values)


def python_list(values: Array) -> str:
    """`values` as the text of a Python list that gives the same float64."""
    return f"[{', '.join(float64_list(values))}]"


def _strictly_decreasing(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> list[str]:
    texts = [np.format_float_positional(value, unique=True, trim="-") for value in values]
    if len(set(texts)) != len(texts):
        raise ValueError(f"schedule has nodes that are the same number in {values.dtype}: {', '.join(texts)}")
    return texts


def numbers_in(text: str) -> Array:
    """The numbers of a pasted list, shape (n,); ValueError for anything else in it.

    Brackets, quotes, commas and line breaks may be there or not; of a text with brackets what is between them counts,
    so that ``tensor([14.6, 0.])`` is a list too. What follows a # is a comment.
    """
    text = "\n".join(line.split("#", 1)[0] for line in text.splitlines())
    if "[" in text and "]" in text:
        text = text[text.index("[") : text.rindex("]")]
    words = text.translate(_SEPARATORS).split()
    if not words:
        raise ValueError("text has no numbers in it")
    return np.array([_number(word) for word in words])


def python_list_in(text: str, name: str) -> Array:
    """The list that Python code assigns to `name`, as it is or inside a call; of other text the pasted list."""
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return numbers_in(text)
    for statement in statements:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in statement.targets
        ):
            for node in ast.walk(statement.value):
                if isinstance(node, ast.List | ast.Tuple):
                    return numbers_in(ast.unparse(node))
    return numbers_in(text)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"text must be a list of numbers, got {word[:40]!r} in it") from None
