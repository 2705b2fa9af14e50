"""mkdocs hook: fills api/cpp.md, the C++ interface, from the public headers.

One section a header, one entry a declaration with the comment above it; a class is shown without its private part.
Written for these headers' style (comments `///`, a blank line between declarations). Doxygen would be a program to
install, and made fifty pages of lists from ten small headers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "cpp/include/hso"
PAGE = "api/cpp.md"
MARK = "<!-- the headers' declarations -->"
# in a reader's order
ORDER = ["optimize", "workspace", "options", "schedule", "noise_schedule", "error_proxy", "objective", "spacing"]
ORDER += ["start", "chain", "error_model", "stop", "try", "version"]
NAME = re.compile(r"^(?:class|struct|enum class|using)\s+(\w+)|(\w+)\s*(?:\(|= )")


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Runs of lines without a blank line outside braces."""
    found: list[list[str]] = [[]]
    depth = 0
    for line in lines:
        code = line.split("//")[0]
        depth += code.count("{") - code.count("}")
        if line.strip() or depth:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [paragraph for paragraph in found if paragraph]


def body(text: str) -> list[str]:
    """What a header declares in namespace hso."""
    inside = re.search(r"^namespace hso \{\n(.*)^\}  // namespace hso", text, re.DOTALL | re.MULTILINE)
    if not inside:
        raise ValueError("a public header must open namespace hso and close it with '}  // namespace hso'")
    declared = inside[1].replace("HSO_EXPORT ", "")
    public = re.sub(
        r"^namespace detail \{.*?^\}(?:  // namespace detail)?\n", "", declared, flags=re.DOTALL | re.MULTILINE
    )
    return re.sub(r"\n  private:\n.*?^(?=\};)", "\n", public, flags=re.DOTALL | re.MULTILINE).splitlines()


def prose(comments: list[str]) -> str:
    """Comment lines as Markdown in which no character is taken for markup, but backticks."""
    text = "\n".join(re.sub(r"^\s*///? ?", "", line) for line in comments)
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<>\[\]\\])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def entry(paragraph: list[str]) -> str:
    """Heading, comment and declaration."""
    count = next((i for i, line in enumerate(paragraph) if not line.lstrip().startswith("//")), len(paragraph))
    text, code = prose(paragraph[:count]), paragraph[count:]
    if not code:
        return text
    name = NAME.search(code[0])
    if not name:
        raise ValueError(f"no name found in the declaration {code[0]!r}")
    return f"### {next(filter(None, name.groups()))}\n\n{text}\n\n```cpp\n" + "\n".join(code).rstrip() + "\n```"


def reference() -> str:
    """All headers."""
    present = {path.stem for path in HEADERS.glob("*.hpp")} - {"hso"}
    if present != set(ORDER):
        raise ValueError(f"ORDER must name the public headers, {sorted(present ^ set(ORDER))} differ")
    sections = []
    for name in ORDER:
        entries = map(entry, paragraphs(body((HEADERS / f"{name}.hpp").read_text(encoding="utf-8"))))
        sections += [f"## hso/{name}.hpp", *entries]
    return "\n\n".join(sections) + "\n"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Puts the declarations in the place of the mark."""
    del config, files
    if page.file.src_uri != PAGE:
        return markdown
    if MARK not in markdown:
        raise ValueError(f"{PAGE} must hold {MARK!r}")
    return markdown.replace(MARK, reference())
