"""A real browser without a window for the report's tests: a Chromium out of the PATH, which runs no script unasked."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest
from playwright.sync_api import Error, sync_playwright

from auditproof.report.html.page import report_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from auditproof.report.model import Report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# As root in a container there is no sandbox to be had; the rest keeps the browser from asking anybody anything.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one the test is skipped and says why, or fails where AUDITPROOF_BROWSER=required (in CI)."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        _missing(f"none of {', '.join(NAMES)} is on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        except Error as error:
            _missing(f"{found} does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


def _missing(reason: str) -> NoReturn:
    text = f"the report is not looked at: {reason}"
    if os.environ.get("AUDITPROOF_BROWSER") == "required":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that may run scripts; anything that it asks of the network is a failure.

    Its policy keeps out what a test puts in, too, unless the parameter is true.
    """
    context = browser.new_context(bypass_csp=getattr(request, "param", False))
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes all pages of a report as a run does; returns the URL of one of them, the ticket if none is named."""

    def write(shown: Report, name: str = "report.html") -> str:
        for file, text in report_pages(shown).items():
            (tmp_path / file).write_text(text(), encoding="utf-8")
        (tmp_path / "tests.html").write_text("<title>tests</title>")
        return (tmp_path / name).as_uri()

    return write
