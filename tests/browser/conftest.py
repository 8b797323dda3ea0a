"""Pages of reports in a real browser, which runs no script unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.report.html.page import report_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from auditproof.report.model import Report


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
