"""The code blocks of README.md and docs/, evaluated as a reader would.

Each page has one Python namespace and one directory of its own; files that one block writes are there for the next.

```python   executed. `print(...)  # -> text` compares what is printed with the text.
```pycon    an interactive session, as doctest has it; spaces and line breaks count alike.
```console  lines that start with `$ ` are commands, the lines below a command what it prints, errors included. A
            command whose output the page does not show has to succeed.
```sh       a script that has to succeed.
```cpp      a program with main(): compiled, linked with the library, and run.
```json     parsed.

`...` in shown output stands for anything. `<!-- skip: next "reason" -->` before a block that cannot run here leaves it
out; test_documents.py has the list of all of these. Blocks in other languages (text, cmake, ...) are for reading only.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sybil import Document, Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.evaluators.skip import Skipper
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from document_library import compiled

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = ("python", "pycon", "console", "sh", "cpp", "json")
FOR_READING = {"text", "cmake", "toml", "yaml", "bibtex", "markdown"}
SECONDS = 120  # for a command
SHOWN = re.compile(r"^print\(.*\)  # -> (?P<text>.*)$", re.MULTILINE)


class MismatchError(AssertionError):
    """What a block printed is not what the page shows."""


def compare(want: str, got: str) -> None:
    """Raises MismatchError unless `got` is `want`, in which `...` is anything; ends of lines do not count."""
    want, got = ("\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n" for text in (want, got))
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, doctest.ELLIPSIS):
        raise MismatchError(f"the page shows\n{want}\nbut it printed\n{got}")


def shown_output(source: str) -> str | None:
    """What the block's prints are said to give, one after the other; None where nothing is said."""
    comments = {source[: m.start()].count("\n") + 1: m["text"] for m in SHOWN.finditer(source)}
    if not comments:
        return None
    prints = [node.lineno for node in ast.parse(source).body if _is_print(node)]
    return "\n".join(comments.get(line, "...") for line in prints)


def _is_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("print(")


class Python:
    """Executes a block in its page's namespace."""

    def __init__(self) -> None:
        self._execute = PythonEvaluator()

    def __call__(self, example: Example) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self._execute(example)
        want = shown_output(example.parsed)
        if want is not None:
            compare(want, printed.getvalue())


def session(example: Example) -> None:
    """Runs an interactive session in its page's namespace."""
    test = doctest.DocTestParser().get_doctest(example.parsed, {}, example.path, example.path, example.line)
    test.globs = example.namespace
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    if runner.run(test, out=report.write, clear_globs=False).failed:
        raise MismatchError(report.getvalue())


def environment() -> dict[str, str]:
    """A shell in which this Python's programs come first, and which prints the same everywhere."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120", "LC_ALL": "C.UTF-8"}


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Runs bash where we are; what it prints, errors included, is in stdout."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )


def commands(source: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block and what is shown below each."""
    if not source.startswith("$ "):
        raise ValueError(f"a console block must begin with a command, '$ ...', got {source.splitlines()[0]!r}")
    for part in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :])


def console(example: Example) -> None:
    """Runs the commands one by one."""
    for command, want in commands(example.parsed):
        done = shell(command)
        if want.strip():
            compare(want, done.stdout)
        elif done.returncode:
            raise MismatchError(f"$ {command}\nended with {done.returncode}:\n{done.stdout}")


def script(example: Example) -> None:
    """Runs the block as one script."""
    done = shell(example.parsed)
    if done.returncode:
        raise MismatchError(f"ended with {done.returncode}:\n{done.stdout}")


def program(example: Example) -> None:
    """Compiles the block and runs it."""
    done = subprocess.run([compiled(example.parsed, Path.cwd())], capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise MismatchError(f"ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def parsed(example: Example) -> None:
    """Reads the block as JSON."""
    json.loads(example.parsed)


EVALUATORS: dict[str, Callable[[Example], None]] = {
    "pycon": session,
    "console": console,
    "sh": script,
    "cpp": program,
    "json": parsed,
}


def document(page: Path) -> Document:
    """The page with what can be evaluated on it."""
    evaluators = {"python": Python(), **EVALUATORS}
    parsers = [CodeBlockParser(language, evaluators[language]) for language in LANGUAGES]
    return Sybil(parsers=[*parsers, SkipParser()], path=str(ROOT)).parse(page)


def skips(page: Path) -> list[str]:
    """The reasons of a page's skipped blocks, in order; ValueError for a skip without one."""
    found = []
    for example in document(page).examples():
        if isinstance(example.region.evaluator, Skipper):
            action, reason = example.parsed
            if action != "next" or not reason:
                raise ValueError(f'{page}: write <!-- skip: next "reason" -->, not {action!r} {reason!r}')
            found.append(ast.literal_eval(reason))
    return found


def languages(page: Path) -> set[str]:
    """Of all fenced blocks of a page; "" for a fence that names none."""
    opening = True
    found = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            if opening:
                found.add(line.strip()[3:])
            opening = not opening
    return found
