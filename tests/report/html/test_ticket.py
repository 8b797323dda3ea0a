"""The ticket: the decision in words, what it rests on, and no more than two printed pages hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any

import pytest

from auditproof.analysis.diff import diff
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record
from auditproof.report.html.page import report_pages
from auditproof.report.statements import decision
from tests.report.test_report import OTHER, forbidden, gate_record, policy_of, proof, report, requirement

Events = Sequence[dict[str, Any]]


def ticket(*proofs: dict[str, Any], **options: Any) -> str:
    return unescape(report_pages(report(*proofs, **options))["report.html"]())


def section(page: str, name: str) -> str:
    """The text of a section, without markup."""
    found = re.search(rf'<section aria-labelledby="ap-{name}">(.*?)</section>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1] if found else "").split())


@pytest.mark.parametrize("options", [{}, {"ended": "was interrupted"}, {"sabotage": True}, {"deselected": 3}])
def test_the_page_begins_with_the_decision_in_words(options: dict[str, Any]) -> None:
    made = report(proof("a"), proof("b", policy=OTHER), **options)

    head = ticket(proof("a"), proof("b", policy=OTHER), **options).partition("<section")[0]

    word, sentence = decision(made).word, decision(made).sentence.removeprefix(f"{decision(made).word}: ")
    assert f"</span> {sentence}</h1>" in head
    assert f">{word}</span>" in head
    assert "prod.yaml" in head
    assert "a" * 64 in head


def test_who_answers_for_the_change_is_said_and_so_is_that_nobody_is_named() -> None:
    named = {"title": "Bodies of secrets", "number": "CHG-1042", "author": "Maria", "reviewer": "Zoë"}

    page = ticket(proof("a"), ticket=named)

    assert "<title>CHG-1042: Bodies of secrets</title>" in page
    assert all(f"<dd>{text}</dd>" in page for text in ("CHG-1042", "Maria", "Zoë"))
    assert ticket(proof("a")).count("<dd>not stated</dd>") == 3


def test_what_nobody_has_acknowledged_stands_before_everything_else() -> None:
    gate = gate_record(forbidden("secrets", "exposed"), forbidden("pods", "lost-events", by="Zoë"))
    page = ticket(proof("a", "UNPROVEN"), parts={"gate": gate})

    assert page.index('id="ap-forbidden"') < page.index('id="ap-problems"') < page.index('id="ap-acknowledged"')
    assert "exposed get of secrets" in section(page, "forbidden")
    assert "a body that may hold a secret is now recorded" in section(page, "forbidden")
    assert "lost-events get of pods approved by Zoë, T: a (audit-changes.yaml:4)" in section(page, "acknowledged")


def test_an_approval_that_is_over_or_covers_nothing_is_a_finding() -> None:
    entry = {"because": "b", "approvedBy": "Zoë", "ticket": "T", "until": "2026-01-01", "file": "c.yaml", "line": 7}
    gate = gate_record() | {"expired": [entry], "unused": [entry]}

    found = section(ticket(proof("a"), parts={"gate": gate}), "acknowledged")

    assert "entry c.yaml:7: this acknowledgement ended on 2026-01-01: renew it, or remove it" in found
    assert "entry c.yaml:7: this acknowledgement covers nothing that is forbidden: remove it" in found


def test_what_is_unproven_names_the_requirement_it_is_about() -> None:
    parts = {"requirements": [requirement("secrets", "s::a", violated=False)]}
    page = ticket(proof("s::a", "UNPROVEN", reasons=["the fence was not seen"]), parts=parts)

    assert "UNPROVEN secrets the fence was not seen" in section(page, "problems")


def test_an_unmet_requirement_has_its_remedy_next_to_it() -> None:
    unmet = requirement("secrets", "s::a", violated=True) | {"status": "new"}
    found = section(ticket(proof("s::a"), parts={"requirements": [unmet]}), "requirements")

    assert found.startswith("Requirements new not met secrets (secrets: us)")
    assert "not recorded, by rule 2 (prod.yaml:3)" in found
    assert "at least Metadata" in found
    assert "change rule 2 (prod.yaml:3)" in found


def test_requirements_that_are_met_take_no_room() -> None:
    page = ticket(proof("s::a"), parts={"requirements": [requirement("secrets", "s::a", violated=False)]})

    assert section(page, "requirements") == ""
    assert "the requirement is met" in page.partition("<section")[0]


def with_change(old: str, new: str, before: Events = (), after: Events = ()) -> str:
    """The ticket of a change with proofs on both servers, whose events are given."""
    policies = policy_of("old.yaml", old), policy_of("new.yaml", new)
    record = change_record(diff(*policies, load_served("1.37")))
    events = {"old": before, "new": after}
    proofs = [proof(f"{side}.yaml::change-01", events=list(found)) for side, found in events.items()]
    return ticket(*proofs, parts={"change": record})


EVENT = {"level": "Metadata", "stage": "ResponseComplete", "verb": "create", "user": {"username": "alice"}}


def test_a_change_is_shown_by_one_request_with_its_events_before_and_after() -> None:
    body = {"kind": "Secret", "data": {"password": "<redacted: 8 bytes, sha256 0a1b2c3d>"}}
    page = with_change(
        "- level: Metadata\n", "- level: Request\n",
        before=[EVENT], after=[EVENT | {"level": "Request", "requestObject": body}],
    )  # fmt: skip
    found = section(page, "example")

    assert "requestObject: not recorded (what was sent)" in found
    assert '"password": "<redacted: 8 bytes, sha256 0a1b2c3d>"' in page
    assert "<mark>level: Request</mark>" in page
    assert "<mark>stage: ResponseComplete</mark>" not in page, "it is the same on both sides"


def test_where_nothing_is_recorded_any_more_the_example_says_so() -> None:
    found = section(with_change("- level: Metadata\n", "- level: None\n", before=[EVENT]), "example")

    assert found.endswith("after prod.yaml no event in the log")


def test_a_change_that_no_server_has_shown_has_no_example_of_it() -> None:
    old, new = policy_of("old.yaml", "- level: Metadata\n"), policy_of("new.yaml", "- level: None\n")
    record = change_record(diff(old, new, load_served("1.37")))

    page = ticket(proof("a"), parts={"change": record})

    assert section(page, "example").startswith("Real requests: what was to be recorded, and what was GET /api/v1/pods")
    assert "stops being recorded" in section(page, "change")


def test_a_level_at_which_only_what_is_sent_is_recorded_is_not_said_to_record_reads() -> None:
    found = section(with_change("- level: Metadata\n", "- level: Request\n"), "change")

    assert "a read sends no body" in found
    assert "a read sends no body" not in section(
        with_change("- level: Metadata\n", "- level: RequestResponse\n"), "change"
    )


RULES = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: Metadata, verbs: [get], resources: [{group: apps, resources: [deployments/scale]}], namespaces: [shop, ""]}
- {level: None, users: [bob], nonResourceURLs: ["/healthz*"], omitStages: [RequestReceived]}
- level: Request
"""


def test_every_rule_says_which_requests_it_is_about_and_what_was_proven() -> None:
    coverage = {
        "depth": "conditions", "unperformed": [],
        "rules": [
            {"rule": 0, "line": 4, "level": "Metadata", "witnesses": ["w"], "nearMisses": ["n"], "reason": ""},
            {"rule": 1, "line": 5, "level": "None", "witnesses": [], "nearMisses": [], "reason": "rule 1 takes all"},
        ],
    }  # fmt: skip
    by_rule = [proof(name, expected=proof(name)["expected"] | {"rule": rule}) for name, rule in (("w", 0), ("n", 2))]
    page = ticket(
        *by_rule, proof("v", "VIOLATED", expected=proof("v")["expected"] | {"rule": 2}),
        policy={"text": RULES, "ruleLines": [4, 5, 6]}, parts={"coverage": coverage},
    )  # fmt: skip
    found = section(page, "rules")

    assert (
        "✓ 1 4 Metadata get; deployments.apps/scale; in shop, (no namespace) proven: 1 matches, 1 just misses" in found
    )
    assert "○ 2 5 None paths /healthz*; by bob; without RequestReceived no request gets here: rule 1 takes all" in found
    assert "✗ 3 6 Request all requests 1 not proven: 2 match" in found
    assert found.index("✗ 3") < found.index("○ 2") < found.index("✓ 1"), "worst first"


def test_how_it_was_proven_counts_every_request_for_one_purpose() -> None:
    page = ticket(proof("own"), proof("other", "UNPROVEN", policy=OTHER), deselected=3, planned=("missing",))
    found = section(page, "method")

    assert "your own cases, with this policy 1 1 0" in found
    assert "they say nothing about this policy 1 0 1" in found
    assert "1 planned action had no result." in found
    assert "3 actions were left out by the options of this run." in found


def test_backends_alone_have_a_ticket_that_says_what_arrived() -> None:
    test = {
        "id": "b::t", "title": "Nothing is lost", "suite": "b.py", "line": 1, "flags": {}, "verdict": "VIOLATED",
        "reason": "one was lost", "accounts": [], "facts": [], "performed": 5, "recorded": 4, "lost": 1, "unproven": 0,
    }  # fmt: skip
    fine = test | {"id": "b::u", "title": "All arrive", "verdict": "PROVEN", "reason": ""}
    sums = {"performed": 10, "recorded": 8, "lost": 2, "unproven": 0}
    page = ticket(parts={"backends": {**sums, "notPerformed": [], "tests": [test, fine], "load": []}})

    assert "VIOLATED Nothing is lost one was lost" in section(page, "problems")
    assert "PROVEN All arrive 5 actions: 4 recorded, 1 lost, 0 unproven" in section(page, "backends")
    assert section(page, "rules") == "", "no rule was tested"
    assert "It says nothing about the rules of the policy." in section(page, "method")


def test_a_run_that_sent_nothing_proves_nothing_and_says_so() -> None:
    page = ticket(planned=("a", "b"), ended="was interrupted")

    assert "No request was sent. This run says nothing about the policy." in section(page, "method")
    assert "○ 1" in section(page, "rules")
    assert "UNPROVEN 2 actions without a result: a; b not run: the run was interrupted" in section(page, "problems")


def test_a_recorded_log_is_shown_by_requests_whose_method_nobody_knows() -> None:
    record = proof("a")
    record["request"] = record["request"] | {"method": ""}
    file = {"path": "audit.log", "lines": 1, "events": 1, "invalid": 0}
    log = {"files": [file], "first": "", "last": "", "requests": 1, "kinds": 1, "notSeen": ["Lost requests."]}
    page = ticket(record, parts={"log": log})

    assert "list /api/v1/pods as alice" in section(page, "example")
    assert "No request was sent." in section(page, "method")
    assert "Lost requests." in section(page, "method")


def test_a_policy_of_an_older_results_file_without_its_text_still_has_a_page() -> None:
    page = ticket(proof("a"), policy={"text": "", "ruleLines": [2, 3]})

    assert "✓ 1 2" in section(page, "rules")


def crowded(count: int) -> dict[str, Any]:
    """Parts of a report with more of everything than a page holds."""
    long = "a-rather-long-name-of-a-resource.with.a.group.example.test, " * 12
    gate = gate_record(
        *(forbidden(f"{long}{n}", "lost-events", "lost-stages") for n in range(count)),
        *(forbidden(f"{long}{n}", "exposed", by=f"Somebody with a long name {n}") for n in range(count)),
    )
    unmet = [requirement(f"requirement-{n}", violated=True) | {"title": f"{long}{n}"} for n in range(count)]
    return {"gate": gate, "requirements": unmet}


def test_a_ticket_is_small_whatever_there_is_to_tell() -> None:
    rules = "".join(f"- {{level: Metadata, users: [user-{n}], verbs: [get, list]}}\n" for n in range(400))
    policy = policy_of("prod.yaml", rules)
    text = {"text": policy.text, "ruleLines": [rule.position.line for rule in policy.rules]}
    proofs = (proof(f"p{n}", "VIOLATED", reasons=[f"reason {n} " * 40], title="title " * 40) for n in range(500))

    page = ticket(*proofs, parts=crowded(300), policy=text, planned=tuple(f"missing-{n}" for n in range(500)))

    assert len(page.encode()) < 300_000
    assert page.count("<") / 2 < 3_000
    assert re.search(r"and \d+ more in <a href=\"details(-\d+)?.html#ap-gate\">", page)
    assert re.search(r"and \d+ more in <a href=\"details(-\d+)?.html#ap-policy\">", page)
