"""The search over the evidence, where scripts run; where none do, everything is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tests.browser.reports import VIOLATED, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Write: TypeAlias = Callable[..., str]


def test_all_words_must_be_found_in_whatever_is_known_of_an_action(page: Page, write: Write) -> None:
    page.goto(write(VIOLATED, "evidence.html"))
    rows, count = page.locator("tbody tr"), page.get_by_role("status")
    assert count.inner_text() == "10 of 10 actions"

    for words, left in (("VIOLATED", 1), ("violated case-1", 1), ("violated case-2", 0), ("id-3", 1), ("", 10)):
        page.get_by_role("searchbox").fill(words)
        assert rows.filter(visible=True).count() == left, words
        assert count.inner_text() == f"{left} of 10 actions"


def test_a_suite_without_any_hit_is_hidden(page: Page, write: Write) -> None:
    page.goto(write(VIOLATED, "evidence.html"))

    page.get_by_role("searchbox").fill("nothing has this in it")

    assert page.locator("main > section").filter(visible=True).count() == 0


def test_events_are_searched_on_their_pages(page: Page, write: Write) -> None:
    page.goto(write(shown("everything"), "evidence-1.html"))
    articles = page.locator("article")

    page.get_by_role("searchbox").fill("id-7 and-an-object-with-a-longer-one")

    assert articles.filter(visible=True).count() == 1
    assert page.get_by_role("heading", name="Fences").is_visible()


def test_the_search_is_reached_by_keyboard_and_has_a_name(page: Page, write: Write) -> None:
    page.goto(write(VIOLATED, "evidence.html"))

    page.get_by_role("searchbox", name="Search").focus()
    page.keyboard.type("violated")

    assert page.locator("tbody tr").filter(visible=True).count() == 1
