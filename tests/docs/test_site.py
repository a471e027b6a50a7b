"""The documentation builds without a warning, offline, and what it links exists."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ebm
from tests.docs.pages import ROOT
from tests.once import made_once

MISSING = [tool for tool in ("mkdocs", "material", "mkdocstrings") if find_spec(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; pip install -e '.[docs]' brings them"
)
FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
NOT_FETCHED = {"canonical", "next", "prev", "alternate"}  # relations of a <link> that load nothing


class Page(HTMLParser):
    """A built page: its anchors, its links, and what a browser fetches to show it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in FETCHED and FETCHED[tag] in values and values.get("rel") not in NOT_FETCHED:
            self.fetched.append(values[FETCHED[tag]])


def is_elsewhere(address: str) -> bool:
    """Whether an address names a host."""
    return bool(urlsplit(address).netloc)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site."""
    return made_once(tmp_path_factory, "site", build)


def build(folder: Path) -> None:
    """Build the site strictly, with every connection refused."""
    nowhere = "http://127.0.0.1:9"
    offline = {"http_proxy": nowhere, "https_proxy": nowhere, "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere}
    # The variable silences the theme's advertisement of its successor, which is no warning about these pages.
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | offline | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every built page by its file; the page for unknown addresses has absolute links and stays out."""
    files = [file for file in site.rglob("*.html") if file.name != "404.html"]
    return {file.resolve(): Page(file.read_text("utf-8")) for file in files}


def test_no_page_fetches_anything_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    assert pages
    for file, page in pages.items():
        assert page.fetched
        assert not [address for address in page.fetched if is_elsewhere(address)], file
    for sheet in site.rglob("*.css"):
        addresses = re.findall(r"(?:url\(|@import\s)['\"]?([^'\")\s]+)", sheet.read_text("utf-8"))
        assert not [address for address in addresses if is_elsewhere(address)], sheet


def broken_links(pages: dict[Path, Page]) -> Iterator[str]:
    """Links and pictures whose file, or whose anchor in that file, is not there."""
    for file, page in pages.items():
        for address in page.links + page.fetched:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{file.name}: {address}: no such file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{file.name}: {address}: no such anchor"


def test_links_and_pictures_exist(pages: dict[Path, Page]) -> None:
    assert list(broken_links(pages)) == []


def test_a_broken_link_and_a_foreign_resource_are_noticed(tmp_path: Path) -> None:
    file = (tmp_path / "page.html").resolve()
    page = Page(
        '<p id="here"><a href="#here"/><a href="#gone"/><a href="no.html"/><img src="//cdn.example/x.js">'
    )
    assert len(list(broken_links({file: page}))) == 3  # the page itself was never written
    file.write_text("")
    assert [problem.rpartition(": ")[2] for problem in broken_links({file: page})] == [
        "no such anchor",
        "no such file",
    ]
    assert [is_elsewhere(address) for address in page.fetched] == [True]


def test_every_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    anchors = {anchor for file, page in pages.items() if file.parent.name == "api" for anchor in page.ids}
    documented = {anchor.rpartition(".")[2] for anchor in anchors if anchor.startswith("ebm.")}
    assert set(ebm.__all__) - documented == set()
