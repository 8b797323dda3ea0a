"""The ticket on paper: two pages, each with the ticket's number, the policy's hash and its own number."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

import pytest
from pypdf import PdfReader

from tests.browser.reports import GREEN, NAMED, REPORTS, shown, with_more

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from auditproof.report.model import Report

    Write: TypeAlias = Callable[..., str]
    Printed: TypeAlias = Callable[[Report, str], list[str]]


@pytest.fixture
def printed(page: Page, write: Write, papers: dict[tuple[str, str], list[str]]) -> Printed:
    """Prints a ticket, once on each paper; returns the text of each page, without line breaks."""

    def printed(shown: Report, paper: str) -> list[str]:
        url = write(shown)
        if (url, paper) not in papers:
            page.goto(url)
            pdf = PdfReader(BytesIO(page.pdf(format=paper, prefer_css_page_size=True, print_background=True)))
            papers[url, paper] = [" ".join(one.extract_text().split()) for one in pdf.pages]
        return papers[url, paper]

    return printed


@pytest.fixture(scope="module")
def papers() -> dict[tuple[str, str], list[str]]:
    return {}


# Letter is the less high of the two, so it is on Letter that a third page would begin; A4 is narrower, where lines that
# are full break elsewhere, and the highest for a ticket with little in it.
@pytest.mark.parametrize(
    ("name", "paper"), [*((name, "Letter") for name in REPORTS), ("green", "A4"), ("crowded", "A4"), ("wide", "A4")]
)
def test_a_ticket_is_two_printed_pages_whatever_there_is_to_tell(printed: Printed, name: str, paper: str) -> None:
    pages = printed(shown(name), paper)

    assert len(pages) == 2
    assert "How it was proven" not in pages[0], "it begins the second page, with the rules"
    assert "In the same folder" in pages[1]


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_every_printed_page_says_of_what_it_is_a_page(printed: Printed, paper: str) -> None:
    refused = shown("refused")

    for number, text in enumerate(printed(refused, paper), 1):
        assert f"Page {number} of 2" in text
        assert f"{NAMED['number']} · {NAMED['title']}" in text
        assert f"policy SHA-256 {refused.policy.sha256}" in text
        assert refused.policy.path in text


def test_a_page_without_a_ticket_number_says_so(printed: Printed) -> None:
    assert all("no ticket number" in text for text in printed(GREEN, "A4"))


@pytest.mark.parametrize("name", ["green", "refused", "violated"])
def test_no_printed_page_is_half_empty_where_there_is_more_to_tell(page: Page, write: Write, name: str) -> None:
    """What is left out is left out for lack of room."""
    page.goto(write(shown(name)))

    assert page.locator(".more").count() == 0


def test_a_style_in_the_name_of_a_policy_ends_no_string(printed: Printed) -> None:
    path = 'p"; } body { display: none } @page { x: "'
    named = with_more(GREEN, policy={**GREEN.policy.model_dump(by_alias=True), "path": path})

    (first, _) = printed(named, "A4")

    assert path in first
