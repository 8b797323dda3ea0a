"""Pages of reports in a real browser, which runs no script unasked.

A context costs as much as loading ten pages, so there are few: one in which scripts run and one in which none do, each
with one tab. A test gets the tab as it was at first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import axe_playwright_python
import pytest

from auditproof.report.html.page import report_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Request, ViewportSize

    from auditproof.report.model import Report

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
WINDOW: ViewportSize = {"width": 1280, "height": 720}
# Light and dark differ in colours alone (tests/report/html/test_styles.py): the rules about them are all that can.
OF_COLOURS = {"runOnly": {"type": "tag", "values": ["cat.color"]}}
RUN = """
async (options) => {
  const told = ({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 150))];
  const found = await axe.run("main", { resultTypes: ["violations"], ...options });
  return [found.passes.length, Object.fromEntries(found.violations.map(told))];
}
"""


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=WINDOW)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A page that may run scripts; anything that it asks of the network is a failure."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    tab.on("request", note)
    yield tab
    tab.remove_listener("request", note)
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size(WINDOW)
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.fixture(scope="session")
def scriptless(browser: Browser) -> Iterator[Page]:
    """A page that runs no script."""
    context = browser.new_context(java_script_enabled=False, viewport=WINDOW)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Writes all pages of a report as a run does, once; returns the URL of one of them, the ticket if none is named."""
    written: dict[int, tuple[Report, Path]] = {}

    def write(shown: Report, name: str = "report.html") -> str:
        if id(shown) not in written:
            folder = tmp_path_factory.mktemp("report")
            for file, text in report_pages(shown).items():
                (folder / file).write_text(text(), encoding="utf-8")
            (folder / "tests.html").write_text("<title>tests</title>")
            written[id(shown)] = shown, folder  # a report that lives shares its id with none
        return (written[id(shown)][1] / name).as_uri()

    return write


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], dict[str, dict[str, list[str]]]]:
    """What an accessibility engine finds in a page that has been loaded, in light and dark: scheme, rule, places."""

    def find(page: Page) -> dict[str, dict[str, list[str]]]:
        page.evaluate(f"{AXE};0")  # not a script of the page, which its policy would refuse
        return {scheme: _found(page, scheme) for scheme in ("light", "dark")}

    return find


def _found(page: Page, scheme: Literal["light", "dark"]) -> dict[str, list[str]]:
    page.emulate_media(color_scheme=scheme)
    passes, found = page.evaluate(RUN, {} if scheme == "light" else OF_COLOURS)
    assert passes > (10 if scheme == "light" else 0)
    return dict(found)
