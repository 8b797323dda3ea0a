"""The pages as their readers meet them: without scripts, in the dark, on a phone, by keyboard, by ear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.report.html.page import report_pages
from tests.browser.reports import GREEN, REPORTS, sections, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TypeAlias

    from playwright.sync_api import Page

    Write: TypeAlias = Callable[..., str]
    Violations: TypeAlias = Callable[[Page], dict[str, dict[str, list[str]]]]

PAGES = ("report.html", "details.html", "evidence.html", "evidence-1.html")
OPEN = "document.querySelectorAll('details').forEach((one) => one.open = true)"
CUT = """
[...document.querySelectorAll("h1, h2, caption, dd, td, th, li, p, pre, summary")].filter(
  (one) => one.checkVisibility() && !one.closest(".hidden") && one.getClientRects().length
    && !one.closest(".scroll") && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map((one) => one.outerHTML.slice(0, 150))
"""  # what reaches beyond the window
SENTENCES = {
    "green": "PROVEN: the server recorded what the policy decides: 10 of 10 actions proven.",
    "violated": "VIOLATED: the server recorded something else than the policy decides (1 action): "
    "9 of 10 actions proven.",
    "unproven": "1 action was inconclusive: 8 of 10 actions proven (1 not supported here).",
    "crashed": "28 actions were inconclusive: 3 of 31 actions proven.",
}


@pytest.mark.parametrize("name", REPORTS)
def test_an_accessibility_engine_finds_nothing_in_a_ticket(
    page: Page, write: Write, violations: Violations, name: str
) -> None:
    page.goto(write(shown(name)))
    page.evaluate(OPEN)

    assert violations(page) == {"light": {}, "dark": {}}


@pytest.mark.parametrize("file", PAGES[1:])
def test_an_accessibility_engine_finds_nothing_in_the_other_pages(
    page: Page, write: Write, violations: Violations, file: str
) -> None:
    page.goto(write(sections(), file))
    page.evaluate(OPEN)

    assert violations(page) == {"light": {}, "dark": {}}


def test_the_engine_would_find_what_is_wrong(page: Page, write: Write, violations: Violations) -> None:
    """In light and in dark: here each has a text that is pale in it alone."""
    page.goto(write(GREEN))
    pale = "<p style='color: light-dark(#ccc, #333); background: light-dark(#fff, #eee)'>pale</p>"
    dark = "<p style='color: light-dark(#333, #444); background: light-dark(#eee, #333)'>dark</p>"
    broken = f"<div style='color-scheme: light dark'>{pale}{dark}<img src='data:,'></div>"
    page.locator("main").evaluate("(main, html) => main.insertAdjacentHTML('beforeend', html)", broken)

    found = violations(page)

    assert {"color-contrast", "image-alt"} <= set(found["light"])
    assert [">pale<" in place for place in found["light"]["color-contrast"]] == [True]
    assert [">dark<" in place for place in found["dark"]["color-contrast"]] == [True]


@pytest.mark.parametrize("name", SENTENCES)
def test_the_first_screen_tells_the_truth_without_scripts(scriptless: Page, write: Write, name: str) -> None:
    page = scriptless
    page.goto(write(shown(name)))

    heading = page.locator("main h1")

    assert SENTENCES[name] in heading.inner_text()
    box = heading.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 720
    assert page.locator("main header").get_by_text("Compared with policies/old.yaml").is_visible()
    assert page.get_by_role("heading", name="Not proven").count() == (0 if name == "green" else 1)


def test_evidence_is_there_without_scripts(scriptless: Page, write: Write) -> None:
    page = scriptless
    page.goto(write(GREEN, "evidence.html"))
    assert page.get_by_role("searchbox").count() == 0, "a search that cannot search"

    page.get_by_role("link", name="Case 1 is a sentence").first.click()

    assert page.url.endswith("evidence-1.html#proof-suites/shop.audit.yaml::case-1")
    article = page.locator("article:target")
    assert article.locator("pre").first.is_visible()


def test_tab_reaches_every_link_and_every_folded_evidence(page: Page, write: Write) -> None:
    page.goto(write(shown("violated")))
    wanted = page.locator("main a, main summary").evaluate_all(
        "all => all.filter(one => one.checkVisibility()).map(one => one.outerHTML)"
    )

    reached = []
    for _ in range(len(wanted) * 3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))

    assert [one for one in wanted if one not in reached] == []


def test_what_has_the_focus_is_seen(page: Page, write: Write) -> None:
    page.goto(write(GREEN))
    page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(style) == "solid"


def _too_wide(page: Page, widths: Iterable[int]) -> dict[int, object]:
    """What reaches beyond a window, by the width of the window."""
    found = {}
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        cut = page.evaluate(CUT)
        if cut or page.evaluate("document.documentElement.scrollWidth") > width:
            found[width] = cut
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_a_ticket_is_as_wide_as_its_window(page: Page, write: Write, name: str) -> None:
    page.goto(write(shown(name)))

    assert _too_wide(page, [320, 375, 768, 1280]) == {}


@pytest.mark.parametrize("file", PAGES[1:])
def test_every_other_page_is_as_wide_as_its_window_and_cuts_no_caption(page: Page, write: Write, file: str) -> None:
    page.goto(write(shown("everything"), file))
    page.evaluate(OPEN)

    assert _too_wide(page, [320, 1280]) == {}


def test_what_is_too_wide_would_be_found(page: Page, write: Write) -> None:
    """In the one window for which it is: 700 pixels are too many for a phone alone."""
    page.goto(write(GREEN))
    page.locator("main").evaluate("main => main.insertAdjacentHTML('beforeend', '<p style=\"width: 700px\">w</p>')")

    assert list(_too_wide(page, [320, 1280])) == [320]


def test_a_table_that_must_be_scrolled_says_so(page: Page, write: Write) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(write(shown("everything"), "details.html"))
    hint = "getComputedStyle(document.querySelector('.scroll:has(.matrix)'), '::before').content"

    assert "scroll sideways" in page.evaluate(hint)


def test_a_ticket_is_small_and_ready_at_once(page: Page, write: Write) -> None:
    """The time is the best of several: other tests want the processors, too."""
    url, times = write(shown("crowded")), []
    for _ in range(5):
        page.goto(url)
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive"))

    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    assert len(page.content().encode()) < 300_000
    assert min(times) < 500  # ms


HARM = "<script>document.title = 'harmed'</script><img src='x' onerror=\"document.title = 'harmed'\">"


@pytest.mark.parametrize("name", PAGES)
def test_no_script_runs_that_gets_into_a_page(page: Page, tmp_path: Path, name: str) -> None:
    """Also not where auditproof's own script may run."""
    file = tmp_path / "harmed.html"
    file.write_text(report_pages(GREEN)[name]().replace("</main>", f"{HARM}</main>"), encoding="utf-8")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))

    page.goto(file.as_uri())

    assert page.title() != "harmed"
    assert any("Content Security Policy" in text for text in refused)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_page_itself_is_refused(page: Page, write: Write, name: str) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))

    page.goto(write(GREEN, name))

    assert page.locator("main h1").is_visible()
    assert told == []
