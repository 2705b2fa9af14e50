"""README, CONTRIBUTING and docs/: every code block runs, links lead somewhere, and what is skipped is known."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import unittest
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("sybil")
pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

import document_pipelines  # noqa: E402
import hso  # noqa: E402
from document_pages import FOR_READING, LANGUAGES, PAGES, ROOT, document, environment, languages, skips  # noqa: E402

# Why a block cannot run here, page by page. A new one is entered by hand.
SKIPPED = {
    "README.md": ["installs system packages", "minutes: installs everything, runs the demo and all tests"],
    "CONTRIBUTING.md": ["installs packages", "runs the tests that these blocks are part of"],
    "docs/installation.md": [
        "installs system packages",
        "minutes: installs everything, runs the demo and all tests",
        "builds and installs the C++ library, tests/consumer/run.sh does that",
    ],
    "docs/embedding.md": ["builds and installs the C++ library, tests/consumer/run.sh does that"],
    "docs/examples.md": [
        *["downloads a model"] * 4,
        "builds and installs the C++ library, tests/consumer/run.sh does that",
    ],
    "docs/packaging.md": ["builds a wheel", "downloads NLopt"],
    "docs/quality.md": ["minutes to hours", "downloads Stable Diffusion and needs a GPU"],
    "docs/serving.md": [
        "builds and installs the C++ library, tests/consumer/run.sh does that",
        "starts a server",
        "minutes",
    ],
    "docs/threads.md": ["minutes"],
}
# Where the documents may send a reader.
HOSTS = {"nlopt.readthedocs.io", "numpy.org", "pybind11.readthedocs.io", "pytorch.org", "github.com", "www.cs.cas.cz"}
ELSEWHERE = {"scripts/hso_schedule.py"}  # in a web UI's folder
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "THIRD_PARTY.md"]
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))|(?<=<)https?:[^>\s]+(?=>)")
NAMED = re.compile(r"`((?:bench|cmake|cpp|docs|examples|integrations|licenses|python|scripts|tests)/[\w./*-]+)`")
FENCED = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The stand-ins are too small for more, and idle threads in their way spin."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> list[str]:
    return LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as code hosts and mkdocs make them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
@pytest.mark.filterwarnings("default")  # as a reader's Python has it
def test_the_code_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("examples", "integrations"):  # commands are those of someone in the repository's root
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    document_pipelines.install(monkeypatch)
    skipped = []
    for example in document(page).examples():
        try:
            example.evaluate()
        except unittest.SkipTest as reason:
            skipped.append(str(reason))
    assert skipped == skips(page)


def test_the_skipped_blocks_are_these() -> None:
    assert {name(page): reasons for page in PAGES if (reasons := skips(page))} == SKIPPED


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_names_a_known_language(page: Path) -> None:
    assert languages(page) <= set(LANGUAGES) | FOR_READING


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_named_files_exist(page: Path) -> None:
    for path in set(NAMED.findall(page.read_text(encoding="utf-8"))) - ELSEWHERE:
        assert next(ROOT.glob(path.rstrip("/")), None), path


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    for link in links(page):
        target = urlsplit(link)
        if target.scheme:
            continue
        file = (page.parent / target.path).resolve() if target.path else page
        assert file.exists(), link
        assert file.is_relative_to(ROOT), link
        if target.fragment and file.suffix == ".md":
            assert target.fragment in anchors(file), link


def test_links_to_other_hosts_are_the_expected_ones() -> None:
    others = [urlsplit(link) for page in LINKED for link in links(page) if urlsplit(link).scheme]
    assert {link.hostname for link in others} == HOSTS
    assert {link.hostname for link in others if link.scheme != "https"} == {"www.cs.cas.cz"}  # has no other


def test_all_cite_the_same_paper() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8").partition("preferred-citation:")[2]
    stated = [re.search(pattern, citation) for pattern in (r"title: (.*)", r"value: (arXiv:.*)")]
    names = re.findall(r"family-names: (.*)", citation)
    for page in (ROOT / "README.md", ROOT / "docs/index.md"):
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert all(match and match[1] in text for match in stated)
        assert ", ".join(names) in text


def public_names() -> set[str]:
    """What the package offers, by the last part of each name."""
    modules = [hso, hso.diffusers, hso.exports, hso.network, hso.objectives, hso.oss, hso.plot, hso.presets, hso.refine]
    names = {name for module in modules for name in getattr(module, "__all__", ["as_network"])}
    return {name for name in names if not name.startswith("__") and not inspect.ismodule(getattr(hso, name, None))}


def documented_names(inventory: Path) -> set[str]:
    """The last parts of the names in the site's inventory (Sphinx' format: four lines of header, then zlib)."""
    lines = zlib.decompress(inventory.read_bytes().split(b"\n", 4)[4]).decode().splitlines()
    return {line.split()[0].rpartition(".")[2] for line in lines}


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install '.[docs]'")
    site = tmp_path / "site"
    done = subprocess.run(
        [ROOT / "scripts/docs.sh", "--site-dir", str(site)],
        env=environment() | {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for page in site.rglob("*.html"):
        if "repository" in page.relative_to(site).parts:
            continue  # the lab's own pages
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(https?:[^"'\s>]+)""", text)
        fetched += re.findall(r"""<link[^>]*rel=["']?stylesheet[^>]*href=["']?(https?:[^"'\s>]+)""", text)
        assert not fetched, (os.fspath(page), fetched)
    missing = public_names() - documented_names(site / "objects.inv")
    assert not missing
    reference = (site / "api/cpp/index.html").read_text(encoding="utf-8")
    for header in (ROOT / "cpp/include/hso").glob("*.hpp"):
        assert f"hso/{header.name}" in reference
    keyword = '<span class="k">{}</span>'
    assert keyword.format("public") in reference and keyword.format("private") not in reference
