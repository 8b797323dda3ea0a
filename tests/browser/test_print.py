"""The ticket on paper: two pages, each with the ticket's number, the policy's hash and its own number."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

import pytest
from pypdf import PdfReader

from tests.browser.reports import GREEN, NAMED, REPORTS, with_more

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from auditproof.report.model import Report

    Write: TypeAlias = Callable[..., str]


def printed(page: Page, url: str, paper: str) -> list[str]:
    """The text of each page, without line breaks."""
    page.goto(url)
    pdf = PdfReader(BytesIO(page.pdf(format=paper, prefer_css_page_size=True, print_background=True)))
    return [" ".join(one.extract_text().split()) for one in pdf.pages]


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_ticket_is_two_printed_pages_whatever_there_is_to_tell(
    page: Page, write: Write, name: str, paper: str
) -> None:
    shown: Report = REPORTS[name]

    pages = printed(page, write(shown), paper)

    assert len(pages) == 2
    assert "How it was proven" not in pages[0], "it begins the second page, with the rules"
    assert "In the same folder" in pages[1]


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_every_printed_page_says_of_what_it_is_a_page(page: Page, write: Write, paper: str) -> None:
    shown = REPORTS["refused"]

    for number, text in enumerate(printed(page, write(shown), paper), 1):
        assert f"Page {number} of 2" in text
        assert f"{NAMED['number']} · {NAMED['title']}" in text
        assert f"policy SHA-256 {shown.policy.sha256}" in text
        assert shown.policy.path in text


def test_a_page_without_a_ticket_number_says_so(page: Page, write: Write) -> None:
    assert all("no ticket number" in text for text in printed(page, write(GREEN), "A4"))


@pytest.mark.parametrize("name", ["green", "refused", "violated"])
def test_no_printed_page_is_half_empty_where_there_is_more_to_tell(page: Page, write: Write, name: str) -> None:
    """What is left out is left out for lack of room."""
    page.goto(write(REPORTS[name]))

    assert page.locator(".more").count() == 0


def test_a_style_in_the_name_of_a_policy_ends_no_string(page: Page, write: Write) -> None:
    path = 'p"; } body { display: none } @page { x: "'
    shown = with_more(GREEN, policy={**GREEN.policy.model_dump(by_alias=True), "path": path})

    (first, _) = printed(page, write(shown), "A4")

    assert path in first
