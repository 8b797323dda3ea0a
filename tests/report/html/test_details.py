"""details.html: everything that was found out, worst first."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any

from auditproof.analysis.diff import diff
from auditproof.analysis.lint import examine
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record, change_sentence
from auditproof.report.html.page import report_pages
from auditproof.report.policy_sections import lint_record
from tests.report.test_report import forbidden, gate_record, policy_of, proof, report, requirement


def details(*proofs: dict[str, Any], **options: Any) -> str:
    return report_pages(report(*proofs, **options))["details.html"]()


def test_what_is_not_recorded_stands_before_what_is_recorded_too_much() -> None:
    def violated(proof_id: str, expected: str, observed: str) -> dict[str, Any]:
        record = proof(proof_id, "VIOLATED", reasons=[proof_id])
        return record | {
            "expected": record["expected"] | {"level": expected},
            "observed": record["observed"] | {"level": observed},
        }

    page = details(
        proof("e-unproven", "UNPROVEN", reasons=["e-unproven"]),
        violated("a-more", "Metadata", "Request"),
        violated("b-fewer-bodies", "RequestResponse", "Request"),
        violated("c-no-bodies", "RequestResponse", "Metadata"),
        violated("d-nothing", "Metadata", "None"),
    )
    listed = re.findall(r'<div class="reason">([^<]*)</div></li>', page)
    assert listed == ["d-nothing", "c-no-bodies", "b-fewer-bodies", "a-more", "e-unproven"]


def test_a_change_is_shown_with_the_events_of_both_servers() -> None:
    old = policy_of("old.yaml", "- level: Request\n  users: [alice]\n- level: Metadata\n")
    new = policy_of("new.yaml", "- level: None\n  users: [alice]\n- level: Metadata\n")
    record = change_record(diff(old, new, load_served("1.37")))
    before = proof("old.yaml::change-01", events=[{"stage": "ResponseComplete", "level": "Request"}])
    found = report(before, proof("new.yaml::change-01"), parts={"change": record})

    page = report_pages(found)["details.html"]()

    assert change_sentence(found) in page
    assert page.count("<strong>after</strong>: no event") == 1


def test_a_change_that_no_server_has_shown_says_so() -> None:
    old, new = policy_of("old.yaml", "- level: Metadata\n"), policy_of("new.yaml", "- level: Request\n")
    record = change_record(diff(old, new, load_served("1.37")))

    assert "not tested on a server: not performed" in details(proof("a"), parts={"change": record})


def test_what_lint_finds_stands_in_the_report_with_what_comments_suppress() -> None:
    policy = policy_of(
        "p.yaml",
        "- level: Metadata\n"
        "# auditproof: ignore AP201 because it waits for the next change\n"
        "- level: None\n  users: [alice]\n- level: None\n  users: [bob]\n",
    )
    record = lint_record(examine(policy, load_served("1.37")))
    page = details(proof("a"), parts={"lint": record})
    assert [finding.code for finding in record.ignored] == ["AP201"]
    assert "AP201" in {finding.code for finding in record.findings}
    assert "it waits for the next change" in page
    assert all(escape(finding.advice, quote=False) in unescape(page) for finding in record.findings)


def test_a_requirement_is_shown_with_every_violation_and_what_to_do() -> None:
    page = details(proof("s::a"), parts={"requirements": [requirement("one", "s::a", violated=True)]})

    assert "get of pods by &lt;everybody&gt;: not recorded, by rule 2 (prod.yaml:3)" in page
    assert "change rule 2 (prod.yaml:3)" in page


def test_a_forbidden_change_is_shown_with_who_acknowledged_it() -> None:
    gate = gate_record(forbidden("secrets", "exposed"), forbidden("pods", "lost-events", by="Zoë"))

    page = details(proof("a"), parts={"gate": gate})

    assert "exposed: get of secrets by everybody" in page
    assert "exposed: nobody" in page
    assert "lost-events: Zoë, T: a (audit-changes.yaml:4)" in page


def test_how_the_run_ended_is_said() -> None:
    assert "the run crashed: RuntimeError: &lt;boom&gt;" in details(proof("a"), ended="crashed: RuntimeError: <boom>")


def test_a_matrix_has_its_legend_next_to_it() -> None:
    page = details(*(proof(f"p{number}") for number in range(12)))

    assert page.count("empty: not asked") == page.count('<table class="matrix">') == 1
