"""What a report says about detection rules, and that no output says it otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from auditproof.report.ci.github import step_summary
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.ci.sarif import as_sarif
from auditproof.report.ci.troubles import troubles
from auditproof.report.detections.statement import BLINDED
from auditproof.report.model import Report, Sections
from auditproof.report.statements import decision, statements
from auditproof.report.terminal import decision_lines
from auditproof.report.versions import merged
from tests.report.test_report import gate_record, proof, report


def rule(title: str, feed: str, before: str | None = None, **changed: Any) -> dict[str, Any]:
    lost = {
        "requests": "create pods",
        "by": "everybody",
        "example": "create pods in shop by alice",
        "recorded": "not recorded (policy.yaml:3, rule 1)",
        "line": 3,
        "needed": "Request, at ResponseComplete",
        "remedy": "in front of line 3, add a rule",
        "new": before == "FED",
    }
    worse = before == "FED" and feed in ("PARTLY", "BLIND")
    told = {"id": title, "title": title, "pack": "own", "file": "rules.yml", "line": 1, "feed": feed, "before": before}
    return {**told, "worse": worse, "lost": [] if feed == "FED" else [lost], **changed}


def detected(*rules: dict[str, Any], base: bool = True, forbid: bool = True, not_read: int = 0) -> Report:
    left = {"id": "n", "title": "Not mine", "pack": "own", "file": "rules.yml", "line": 9, "reason": "it has a lookup"}
    section = {"rules": list(rules), "not_read": [left] * not_read, "forbid_blind": forbid}
    return report(proof("a"), parts={"detections": section, **({"gate": gate_record()} if base else {})})


def test_a_change_that_blinds_a_rule_may_not_go_in() -> None:
    found = detected(rule("Exec", "BLIND", "FED"), rule("Secrets", "FED", "FED"))
    told = statements(found).detections
    assert told is not None
    assert (told.word, told.passes, told.fed, told.blind, told.blinded) == ("BLIND", False, 1, 1, 1)
    assert (decision(found).word, decision(found).passes) == ("FAIL", False)
    assert "it blinds 1 of 2 detection rules (Exec)" in decision(found).sentence
    assert [(one.verdict, one.line) for one in troubles(found) if one.verdict == BLINDED] == [(BLINDED, 3)]
    assert any(line.startswith("detections: BLIND.") for line in decision_lines(found))
    assert "| Detections | BLIND |" in step_summary(found)
    assert '"ruleId": "BLINDED"' in as_sarif(found)
    junit = told_in_full(EMPTY, found)
    assert 'classname="auditproof.detections" name="own: Exec"' in junit
    assert '<failure message="BLINDED: create pods by everybody: not recorded' in junit
    assert "The run as a whole" not in junit + as_sarif(found)


@pytest.mark.parametrize(
    ("rules", "forbid", "sentence"),
    [
        ([rule("Exec", "BLIND", "FED")], False, "The change blinds 1 of 1 detection rules (Exec)."),
        ([rule("Exec", "BLIND", "BLIND")], True, "The change takes no request from any of 1 detection rules."),
        ([rule("Exec", "PARTLY", "FED")], True, "The change takes requests from 1 of 1 detection rules (Exec)."),
    ],
    ids=["not forbidden", "blind before", "not blind"],
)
def test_a_change_is_not_blamed_for_more_than_it_does(rules: list[dict[str, Any]], forbid: bool, sentence: str) -> None:
    found = detected(*rules, forbid=forbid)
    told = statements(found).detections
    assert told is not None
    assert told.passes
    assert told.sentence.endswith(sentence)
    assert decision(found).word == "PASS"


def test_rules_that_were_not_read_are_counted_and_never_fed() -> None:
    told = statements(detected(rule("Exec", "FED"), base=False, not_read=2)).detections
    assert told is not None
    assert (told.word, told.fed, told.not_read) == ("NOT READ", 1, 2)
    assert 'message="NOT READ: it has a lookup"' in told_in_full(EMPTY, detected(rule("Exec", "FED"), not_read=1))
    assert told.sentence == "1 of 1 detection rule is fed; 2 NOT READ."


def test_without_rules_there_is_no_statement_about_them() -> None:
    assert statements(report(proof("a"))).detections is None
    assert not any("detection" in line for line in decision_lines(report(proof("a"))))


def test_on_several_versions_the_worst_counts() -> None:
    parts = [
        Sections.model_validate({"detections": {"rules": [rule("Exec", feed)]}}) for feed in ("FED", "BLIND", "PARTLY")
    ]
    found = merged(["1.35", "1.36", "1.37"], parts).detections
    assert found is not None
    assert [(one.feed, one.kubernetes) for one in found.rules] == [("BLIND", ("1.36",))]
