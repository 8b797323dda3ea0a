"""All pages of a report: links that lead somewhere, nothing that becomes markup, no script but auditproof's own."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.report.html import files
from auditproof.report.html.environment import css_text
from auditproof.report.html.page import report_pages
from auditproof.report.proof_record import anchor
from tests.report.test_report import HOSTILE, SHOWN, forbidden, gate_record, hostile, proof, report, requirement

if TYPE_CHECKING:
    from auditproof.report.model import Report

IDS = ["s::a-b", "s::a.b", "s::a b", "s::a%20b", "s::ä", 's::"<x>"']


def pages(shown: Report, **options: Any) -> dict[str, str]:
    return {name: page() for name, page in report_pages(shown, **options).items()}


def full() -> Report:
    """A report with every part that a page may have, with names that need escaping."""
    parts = {
        "requirements": [requirement("one", "s::a b", violated=True), requirement("two", violated=False)],
        "gate": gate_record(forbidden("<secrets>", "exposed"), forbidden("pods", "lost-events", by="<Zoë>")),
    }
    proofs = [proof(name, "VIOLATED", reasons=[f"because of {name}"]) for name in IDS]
    return report(*proofs, proof("s::fine"), planned=("s::missing",), parts=parts)


def test_every_link_leads_to_a_place_in_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PER_PAGE", 2)
    made = pages(full())
    places = {
        f"{name}#{unescape(found)}" for name, text in made.items() for found in re.findall(r' id="([^"]+)"', text)
    }
    known = places | set(made) | {"tests.html"}

    for name, text in made.items():
        links = {unescape(link) for link in re.findall(r'href="([^"]+)"', text)}
        assert {link if not link.startswith("#") else name + link for link in links} <= known, name


def test_every_proof_has_an_anchor_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PER_PAGE", 3)
    made = pages(full())
    wanted = [anchor(name) for name in (*IDS, "s::fine")]

    rows = [unescape(found) for found in re.findall(r'<tr id="([^"]+)"', made["evidence.html"])]
    articles = [
        unescape(f) for n in (1, 2, 3) for f in re.findall(r'<article id="([^"]+)"', made[f"evidence-{n}.html"])
    ]

    assert sorted(rows) == sorted(articles) == sorted(wanted)
    assert len(set(wanted)) == len(IDS) + 1
    assert not [name for name in wanted if re.search(r"\s", name)]


def test_a_report_without_proofs_has_all_pages_but_those_with_events() -> None:
    assert list(report_pages(report(planned=("a",)))) == ["evidence.html", "details.html", "report.html"]


def test_the_ticket_may_have_another_name_and_the_others_link_to_it() -> None:
    made = pages(full(), ticket="ticket.html", tests=False)

    assert list(made)[-1] == "ticket.html"
    assert all("report.html" not in text for text in made.values())
    assert all('href="ticket.html"' in text for name, text in made.items() if name != "ticket.html")
    assert "tests.html" not in made["ticket.html"]


def test_no_page_holds_characters_that_html_cannot() -> None:
    for name, text in pages(hostile()).items():
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", text), name
        assert SHOWN in text, name
        assert "<script>alert" not in text, name


@pytest.mark.parametrize("field", ["title", "number", "author", "reviewer"])
def test_what_is_said_about_the_change_cannot_become_markup_or_style(field: str) -> None:
    """The number is also in the style sheet, for the margin of each printed page."""
    shown = full()
    named = shown.ticket.model_copy(update={field: f'{HOSTILE}</style>"}}'})
    (text,) = (page() for page in [report_pages(shown.model_copy(update={"ticket": named}))["report.html"]])

    assert text.count("</style>") == 1
    assert "<script>alert" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert "\\00202e" not in text, "a direction mark would turn the margin's text around"


def test_a_css_string_ends_nowhere() -> None:
    text = css_text('a"\\</style>\n')

    assert re.fullmatch(r'"(?:[A-Za-z0-9]|\\[0-9a-f]{6})*"', text)


def test_a_page_loads_nothing_and_runs_no_script_but_the_search() -> None:
    for name, text in pages(full()).items():
        scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)

        assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
        assert "width=device-width" in text
        assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<body>")
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
        if name.startswith("evidence"):
            (script,) = scripts
            allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert policy.endswith(f"; script-src 'sha256-{allowed}'"), name
        else:
            assert scripts == [], name
            assert "script-src" not in policy
        assert not re.search(r"<script[^>]|<link|<img|@import|url\(", text), name
