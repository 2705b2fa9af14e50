"""mkdocs hook: repository files that a page links to are part of the site.

A page under docs/ may link to `../bench/results/compare.json` or `../CHANGELOG.md`, as it reads on a code host. Here
each such file is copied to `repository/` in the site, Markdown files are built as pages, those that they link to
included, and the links are turned to them. A link to a file that does not exist is left to mkdocs, which reports it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PLACE = "repository"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=\))")


def source(path: str) -> str:
    """A page's path within the repository; `path` is its path within docs/."""
    return path.removeprefix(f"{PLACE}/") if path.startswith(f"{PLACE}/") else f"docs/{path}"


def destination(path: str) -> str:
    """Where a file of the repository lies in the site's sources."""
    # mkdocs leaves out what begins with a dot (.github)
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{PLACE}/{path.removeprefix('.')}"


def linked(text: str, page: str) -> set[str]:
    """Files of the repository that a page at `page`, a path within it, links to."""
    targets = (posixpath.normpath(posixpath.join(posixpath.dirname(page), m[1])) for m in LINK.finditer(text))
    return {target for target in targets if (ROOT / target).is_file()}


def on_files(files: Files, config: Any) -> Files:
    """Adds the repository's files, those that an added page links to included."""
    pages = [file.src_uri for file in files if file.is_documentation_page()]
    named = re.findall(rf"{PLACE}/([\w./-]+)", str(config.nav))
    queue = [*named, *(target for page in pages for target in linked(text_of(files, page), source(page)))]
    while queue:
        path = queue.pop()
        if path.startswith("docs/") or files.get_file_from_path(destination(path)):
            continue
        files.append(File.generated(config, destination(path), abs_src_path=str(ROOT / path)))
        if path.endswith(".md"):
            queue += linked((ROOT / path).read_text(encoding="utf-8"), path)
    return files


def text_of(files: Files, uri: str) -> str:
    """A page's Markdown."""
    file = files.get_file_from_path(uri)
    assert file is not None
    return file.content_string


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turns links to where the files lie in the site."""
    del config, files
    here = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source(here)), match[1]))
        if not (ROOT / target).is_file():
            return match[0]
        return posixpath.relpath(destination(target), posixpath.dirname(here) or ".") + (match[2] or "")

    return LINK.sub(turned, markdown)
