"""evidence.html and its pages: every action, its request, its events, and why the policy decides as it does."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from auditproof.report.html import files
from auditproof.report.html.file_names import is_evidence_page
from auditproof.report.html.files import PER_PAGE, ReportFolder
from auditproof.report.html.page import report_pages
from auditproof.report.statements import decision
from tests.report.test_report import OTHER, proof, report

if TYPE_CHECKING:
    import pytest


def test_the_evidence_is_divided_and_each_action_leads_to_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PER_PAGE", 2)
    pages = report_pages(report(*(proof(name, auditID=f"audit-of-{name}") for name in "abc")))

    index, first, second = (pages[name]() for name in ("evidence.html", "evidence-1.html", "evidence-2.html"))

    assert re.findall(r'href="(evidence-\d.html#proof-[^"]+)"', index) == [
        "evidence-1.html#proof-a", "evidence-1.html#proof-b", "evidence-2.html#proof-c",
    ]  # fmt: skip
    assert [("audit-of-c" in text) for text in (first, second)] == [False, True]
    assert "evidence, part 2 of 2" in second


def test_what_the_given_policy_judges_comes_before_the_reference_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PER_PAGE", 1)
    folder = ReportFolder(report(proof("a", policy=OTHER), proof("b")))

    assert [[one.id for one in page] for page in folder.pages] == [["b"], ["a"]]
    assert folder.link("b") == "evidence-1.html#proof-b"
    assert folder.link("unknown") == ""


def test_a_file_of_someone_else_is_no_page_of_a_report() -> None:
    assert [name for name in ("evidence-1.html", "evidence-12.html") if is_evidence_page(name)] != []
    others = (
        "evidence.html",
        "evidence-0.html",
        "evidence-01.html",
        "evidence-a.html",
        "my-evidence-1.html",
        "evidence-1.html.bak",
    )
    assert [name for name in others if is_evidence_page(name)] == []


def test_what_was_not_performed_is_listed_with_the_reason() -> None:
    index = report_pages(report(proof("a"), planned=("b",), ended="was interrupted"))["evidence.html"]()

    assert "<li>b</li>" in index
    assert "not run: the run was interrupted" in index


def test_a_long_body_is_cut_where_people_read_and_says_so() -> None:
    body = {"data": "x" * 20_000}
    page = report_pages(report(proof("a", events=[{"stage": "ResponseComplete", "responseObject": body}])))
    text = page["evidence-1.html"]()
    assert len(text) < 20_000
    assert "more characters, in results.json" in text


def test_why_earlier_rules_do_not_match_is_short_where_proven_and_whole_where_not() -> None:
    earlier = [
        {"rule": 0, "line": 2, "condition": "verbs", "reason": "verb 'get' is not in verbs [create]"},
        {"rule": 1, "line": 3, "condition": "users", "reason": "user 'alice' is not in users [bob]"},
        {"rule": 2, "line": 4, "condition": "verbs", "reason": "verb 'get' is not in verbs [delete]"},
    ]
    why = {"effect": "recorded at level Metadata", "earlier": earlier, "shadowed": []}

    def page(verdict: str) -> str:
        return report_pages(report(proof("a", verdict, explanation=why)))["evidence-1.html"]()

    assert "1, 3 (verbs); 2 (users)" in page("PROVEN")
    assert "not in verbs" not in page("PROVEN")
    assert "rule 3 (line 4) does not match: verb &#39;get&#39; is not in verbs [delete]" in page("VIOLATED")


def test_no_page_looks_at_all_proofs_again_for_the_decision() -> None:
    """Each repeats it, and there is a page for every 90 proofs."""
    calls = []
    pages = report_pages(report(*(proof(f"case-{number}") for number in range(PER_PAGE * 5))))
    sys.setprofile(lambda frame, event, _: calls.append(event) if frame.f_code is decision.__code__ else None)
    try:
        texts = {name: page() for name, page in pages.items()}
    finally:
        sys.setprofile(None)

    assert len([name for name in texts if is_evidence_page(name)]) == 5
    assert 0 < calls.count("call") < 5
