"""The documentation site is built without a warning, its links lead somewhere, and it loads nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from playwright.sync_api import expect

import auditproof
from auditproof import content
from auditproof.analysis.lint.explanations import explanations
from auditproof.cli.main import main
from auditproof.report.ci import sarif
from tests.support.pages import ROOT
from tools.site import URLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

HOME = "index.html"
REPOSITORY = f"{URLS['Source']}/"
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


@dataclass
class Parsed(HTMLParser):
    """What a page refers to, what it loads, and the names of its places."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.names |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADS and found.get(LOADS[tag]):
            self.loads.append(found[LOADS[tag]])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loads.append(found["href"])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Parsed]:
    """Every page by its path in the site."""
    found = {}
    for file in site.rglob("*.html"):
        page = found[file.relative_to(site).as_posix()] = Parsed()
        page.feed(file.read_text(encoding="utf-8"))
    return found


def is_there(address: str, page: str, site: Path, pages: dict[str, Parsed]) -> bool:
    """Whether a link of ``page`` leads to a file of the site and a place in it, or to a file of the repository."""
    if address.startswith(REPOSITORY):
        _, _, path = address.removeprefix(REPOSITORY).partition("/main/")
        return not path or (ROOT / unquote(path)).exists()
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "mailto"):
        own = f"{parts.scheme}://{parts.netloc}" == content.SITE
        return not own or is_there(
            parts._replace(scheme="", netloc="", path=parts.path[1:]).geturl(), HOME, site, pages
        )
    target = (site / page).parent / unquote(parts.path) if parts.path not in ("", ".") else site / page
    target = target / "index.html" if target.is_dir() else target
    name = os.path.relpath(target, site)
    return target.is_file() and (
        not parts.fragment or name not in pages or unquote(parts.fragment) in pages[name].names
    )


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Parsed]) -> None:
    """To a page and a place in it, or to a file of the repository."""
    links = [(name, link) for name, page in pages.items() for link in page.links if name != "404.html"]

    assert [f"{name}: {link}" for name, link in links if not is_there(link, name, site, pages)] == []
    assert len(links) > 1000


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[str, Parsed]) -> None:
    """So the site can be read without a network."""
    loads = {(name, load) for name, page in pages.items() for load in page.loads if name != "404.html"}

    assert [load for _, load in loads if urlsplit(load).netloc] == []
    assert [f"{name}: {load}" for name, load in loads if not ((site / name).parent / load).resolve().is_file()] == []


def test_every_document_is_in_the_navigation() -> None:
    def named(entry: object) -> Iterator[str]:
        for value in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
            yield from [value] if isinstance(value, str) else named(value)

    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    navigation = list(named(yaml.safe_load(text)["nav"]))

    assert sorted(navigation) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_every_explanation_of_lint_is_where_sarif_says(site: Path, pages: dict[str, Parsed]) -> None:
    addresses = [one.address for one in explanations().values()]

    assert [address for address in addresses if not is_there(address, HOME, site, pages)] == []


@pytest.mark.parametrize("command", [["detections", "policies/prod.yaml", "--rules", "rules/", "--format", "sarif"]])
def test_every_page_that_sarif_names_is_there(
    command: list[str],
    site: Path,
    pages: dict[str, Parsed],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(__file__).parent / "project")
    main(command)

    (run,) = json.loads(capsys.readouterr().out)["runs"]
    named = [rule["helpUri"] for rule in run["tool"]["driver"]["rules"]]
    named += [f"{content.SITE}/{page}" for _, page in sarif._RULES.values()]
    assert [address for address in named if not is_there(address, HOME, site, pages)] == []


def test_every_public_name_is_documented(pages: dict[str, Parsed]) -> None:
    names = {f"auditproof.{name}" for name in auditproof.__all__ if name != "__version__"}

    assert names <= pages["api.html"].names


def test_the_examples_of_docstrings_are_blocks_of_code(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")

    assert text.count("&gt;&gt;&gt; ") > 50
    assert "<blockquote>" not in text


def test_the_addresses_of_the_project_are_those_of_its_metadata() -> None:
    """In the code and in the metadata, they are one."""
    assert URLS["Documentation"] == content.SITE
    assert all(URLS[name].startswith(URLS["Source"]) for name in ("Issues", "Changelog"))


def test_the_description_for_a_package_index_has_links_that_work_there(site: Path, pages: dict[str, Parsed]) -> None:
    """There are no files next to it: each link is absolute, and leads to the site or to a file of the repository."""
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    text = ProjectMetadata(str(ROOT), PluginManager()).core.readme
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", text)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)

    assert [link for link in links if not link.startswith("https://") or not is_there(link, HOME, site, pages)] == []
    raw = f"{REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}main/"
    assert [link for link in pictures if not (ROOT / link.removeprefix(raw)).is_file()] == []
    assert len(links) > 15
    assert len(pictures) == 1


# In a browser


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One for all tests: making another costs as much as loading five pages, and they share what is loaded."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The address of the site, served on loopback."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("name", ["index.html", "options.html", "api.html"])
def test_a_page_fits_its_window_and_asks_nobody_else(name: str, served: str, tab: Page) -> None:
    """On a desk in light and, as the same page follows its reader's settings, on a phone in the dark."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.goto(f"{served}/{name}", wait_until="networkidle")
    width = "document.documentElement.scrollWidth"

    assert tab.evaluate(width) == 1280
    expect(tab.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    tab.emulate_media(color_scheme="dark")
    tab.set_viewport_size({"width": 390, "height": 800})
    expect(tab.locator("body")).not_to_have_css("background-color", "rgb(255, 255, 255)")
    assert tab.evaluate(width) == 390
    assert [url for url in asked if not url.startswith((served, "data:"))] == []
    assert f"{served}/{name}" in asked


def test_the_search_finds_a_code_of_lint(served: str, tab: Page) -> None:
    page = tab
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{served}/index.html")

    box = page.get_by_role("textbox", name="Search")
    box.click()
    expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")  # it has its index now
    box.press_sequentially("AP402")  # the search listens to keys

    found = page.locator(".md-search-result__link").first
    found.wait_for()
    assert "lint.html" in (found.get_attribute("href") or "")
